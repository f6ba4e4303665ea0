#!/usr/bin/env python3
"""What crosses between the two confined processes: plain data comes back as it went, nothing else does, and no bytes
that a hostile program writes in place of a reply do more than end its sample.

usage: codec_test.py HARNESS_FOLDER      ASSAY_TEST_SEED: another seed
"""
import importlib.util
import math
import os
import random
import sys
import unittest
from pathlib import Path

HARNESS = Path(sys.argv[1])
SEED = int(os.environ.get("ASSAY_TEST_SEED", "1"))


def load(name):
    spec = importlib.util.spec_from_file_location(name, HARNESS / (name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


codec, judge = load("codec"), load("judge")


def plain_value(chance, depth=0):
    kind = chance.randrange(7 if depth > 3 else 11)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.randrange(-2 ** chance.randrange(1, 200), 2 ** chance.randrange(1, 200))
    if kind == 2:
        return chance.choice([0.0, -0.0, 1e308, 5e-324, math.inf, -math.inf, chance.random()])
    if kind in (3, 4):
        return "".join(chr(chance.choice([0, 10, 65, 0xe9, 0x2028, 0xd800, 0x1f642])) for _ in range(chance.randrange(9)))
    if kind in (5, 6):
        return bytes(chance.randrange(256) for _ in range(chance.randrange(9)))
    parts = [plain_value(chance, depth + 1) for _ in range(chance.randrange(5))]
    keys = [part for part in parts if isinstance(part, (int, str, bytes, float, type(None)))]
    return {7: parts, 8: tuple(parts), 9: set(keys), 10: dict(zip(keys, parts))}[kind]


def exactly_equal(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return math.copysign(1, a) == math.copysign(1, b) and a == b
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(exactly_equal, a, b))
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(exactly_equal(a[k], b[k]) for k in a)
    return a == b


def mutated(data, chance):
    data = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at:at + chance.randrange(9)]
        elif kind == 2:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(5)))
        else:
            data[at:at] = data[:chance.randrange(40)]
    return bytes(data)


class Codec(unittest.TestCase):
    def test_plain_data_comes_back_as_it_went(self):
        chance = random.Random(SEED)
        for _ in range(3000):
            value = plain_value(chance)
            back = codec.decode(codec.encode(value))
            self.assertTrue(exactly_equal(value, back), f"seed {SEED}: {value!r} {back!r}")

    def test_any_bytes_give_a_value_or_malformed(self):
        chance = random.Random(SEED)
        for number in range(20000):
            data = mutated(codec.encode(plain_value(chance)), chance)
            try:
                value = codec.decode(data)
            except codec.Malformed:
                continue
            except BaseException as error:
                self.fail(f"seed {SEED}, {number}: {data!r}: {error!r}")
            repr(value)

    def test_what_is_no_plain_data_equals_nothing(self):
        for value in (object(), print, iter([]), range(3), 1j, frozenset({1}), bytearray(b"x"), NotImplemented, type):
            back = codec.decode(codec.encode(value))
            self.assertIsInstance(back, codec.Opaque)
            self.assertFalse(back == value or back == back or value == back)
            self.assertTrue(back != value)
            self.assertRaises(TypeError, bool, back)
            self.assertRaises(TypeError, hash, back)

    def test_limits_of_depth_count_and_size(self):
        deep = []
        for _ in range(codec.MAX_DEPTH + 2):
            deep = [deep]
        for value in (deep, [0] * (3 * codec.MAX_VALUES), "x" * codec.MAX_FRAME, 1 << (8 * codec.MAX_FRAME)):
            self.assertRaises(codec.TooLarge, codec.encode, value)
        for data in (b"l\1\0\0\0" * 100 + b"N", b"l\xff\xff\xff\xff", b"m\xff\xff\xff\xff", b"s\xff\xff\xff\xff", b"",
                     b"z", b"NN", b"i\4\0\0\0", b"e\1\0\0\0l\0\0\0\0", b"m\1\0\0\0o\0\0\0\0N"):
            self.assertRaises(codec.Malformed, codec.decode, data)


class Replies(unittest.TestCase):
    """The judge's side, with a hostile program at the other end of the pipe."""

    def replies(self, data):
        """What each call gives until the program counts as gone."""
        reader, writer = os.pipe()
        requests = os.open(os.devnull, os.O_WRONLY)
        os.write(writer, data)
        os.close(writer)
        judge.REPLIES, judge.REQUESTS = reader, requests
        program = judge.Program(vars(codec))
        try:
            for _ in range(100):
                try:
                    yield program(1)
                except judge.ProgramGone:
                    return
                except BaseException as error:
                    if error is not program.error:
                        raise
                    yield error
            self.fail("no end")
        finally:
            os.close(reader)
            os.close(requests)

    def frame(self, kind, value):
        body = kind + codec.encode(value)
        return len(body).to_bytes(4, "little") + body

    def test_values_and_exceptions_come_through(self):
        data = self.frame(b"V", [1, "x"]) + self.frame(b"E", ("Own", "ValueError", "text", 0))
        value, error = self.replies(data)
        self.assertEqual(value, [1, "x"])
        self.assertIsInstance(error, ValueError)
        self.assertEqual((type(error).__name__, str(error)), ("Own", "text"))

    def test_no_exception_ends_a_loop_of_the_tests(self):
        for base in ("StopIteration", "StopAsyncIteration", "GeneratorExit"):
            error, = self.replies(self.frame(b"E", (base, base, "", 0)))
            self.assertNotIsInstance(error, (StopIteration, StopAsyncIteration, GeneratorExit))

    def test_any_description_of_an_exception_is_an_exception(self):
        for own in ("X", "a b", "", "\0", "\ud800", "x" * 200, "__class__"):
            for base in list(vars(__import__("builtins"))) + ["", "nothing", "__name__"]:
                error, = self.replies(self.frame(b"E", (own, base, "text", 0)))
                self.assertIsInstance(error, BaseException)

    def test_any_bytes_end_the_sample_and_no_more(self):
        chance = random.Random(SEED)
        for number in range(3000):
            frames = [self.frame(chance.choice([b"V", b"E", b"L", b"R", b"P", b"G"]),
                                 chance.choice([plain_value(chance), ("E", "ValueError", "x", 1)])) for _ in range(3)]
            try:
                list(self.replies(mutated(b"".join(frames), chance)[:60000]))
            except BaseException as error:
                self.fail(f"seed {SEED}, {number}: {error!r}")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
