# Judges a completion that runs in another confined process. The tests see a stub in its place;
# helpers, tests, interpreter and random numbers are this process's own.
import builtins
import os
import sys

VERDICT, REQUESTS, REPLIES, INPUT = 3, 4, 5, 6


class ProgramError(Exception):
    """An exception type of the program's own."""


class ProgramExit(BaseException):
    """An exception type of the program's own that is no Exception."""


class ProgramGone(BaseException):
    """The program's process ended, or sent what is no reply."""


class Unsendable(BaseException):
    """The tests pass what cannot be sent: a fault of the harness, not of the program."""


# Raised inside a loop or generator of the tests these would end it early, as if all were well.
_ENDS_OF_LOOPS = (StopIteration, StopAsyncIteration, GeneratorExit)


def _exception(description):
    own, base, text, number = description
    kind = getattr(builtins, base, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        kind = ProgramError
    elif issubclass(kind, _ENDS_OF_LOOPS):
        kind = ProgramExit
    try:
        if own != base:
            # tests that catch the built-in base still do
            kind = type(own, (kind,), {})
        return kind(text)
    except Exception:
        # a name that is none; UnicodeError and the like take five arguments
        return (ProgramError if issubclass(kind, Exception) else ProgramExit)(text)


class Program:
    """The process that runs the completion, as a function."""

    def __init__(self, codec):
        self.codec = codec
        self.error = None
        self.description = None
        self.gone = None

    def _end(self, why):
        self.gone = why
        raise ProgramGone(why)

    def reply(self):
        if self.gone:
            raise ProgramGone(self.gone)
        try:
            frame = self.codec["read_frame"](os.read, REPLIES)
            if not frame:
                self._end("ended")
            if frame[:1] in (b"R", b""):
                return b"R", None
            value = self.codec["decode"](frame[1:])
        except self.codec["Malformed"] as error:
            self._end("malformed reply: %s" % error)
        return frame[:1], value

    def _raise(self, value):
        well_formed = (isinstance(value, tuple) and len(value) == 4
                       and [type(part) for part in value] == [str, str, str, int])
        if not well_formed:
            self._end("malformed reply: exception")
        self.description = value
        self.error = _exception(value)
        raise self.error

    def wait_until_defined(self):
        kind, value = self.reply()
        if kind == b"E":
            self._raise(value)
        if kind != b"R":
            self._end("malformed reply: no greeting")

    def __call__(self, *args, **kwargs):
        if self.gone:
            raise ProgramGone(self.gone)
        if _holds(self.codec["Opaque"], (args, kwargs)):
            raise TypeError("the program returned what is no plain data")
        request = self.codec["encode"]((args, kwargs))
        if b"o" in request and _holds(self.codec["Opaque"], self.codec["decode"](request)):
            raise Unsendable("the tests pass a value that is no plain data")
        try:
            self.codec["write_frame"](os.write, REQUESTS, request)
        except BrokenPipeError:
            self._end("ended")
        kind, value = self.reply()
        if kind == b"V":
            return value
        if kind == b"L":
            return self.codec["Opaque"]("too large (%s)" % str(value)[:80])
        if kind == b"E":
            self._raise(value)
        self._end("malformed reply: kind")


def _holds(kind, value):
    if isinstance(value, kind):
        return True
    if isinstance(value, dict):
        return any(_holds(kind, part) for item in value.items() for part in item)
    return isinstance(value, (list, tuple, set)) and any(_holds(kind, part) for part in value)


def _own(error):
    text = str(error)[:2000]
    return type(error).__name__ + (": " + text if text else "")


def _judge(program, reference, test, entry_point):
    """(kind, text): P passed, W wrong answer, E exception in the program, T exception in the tests
    on the program's value, G program gone, X fault of the harness."""
    scope = {}
    try:
        exec(compile(reference, "<reference>", "exec"), scope)
        compiled = compile(test, "<test>", "exec")
    except BaseException as error:
        return b"X", "the data set's own code: " + _own(error)
    try:
        program.wait_until_defined()

        def candidate(*args, **kwargs):
            return program(*args, **kwargs)

        candidate.__name__ = entry_point
        scope[entry_point] = candidate
        exec(compiled, scope)
        scope["check"](candidate)
    except BaseException as error:
        return _reason(program, error)
    if program.gone:
        return b"G", program.gone
    return b"P", ""


def _reason(program, error):
    if isinstance(error, Unsendable):
        return b"X", str(error)
    if program.gone:
        return b"G", program.gone
    if error is program.error:
        own, base, text, number = program.description
        kind = b"M" if base == "MemoryError" else b"R" if number == 1 else b"E"
        return kind, own + (": " + text if text else "")
    if isinstance(error, AssertionError):
        return b"W", _own(error)
    return (b"M" if isinstance(error, MemoryError) else b"T"), _own(error)


def main(codec):
    reference, test, entry_point = codec["read_fields"](os.read, INPUT)
    os.close(INPUT)
    sys.path[:] = [p for p in sys.path if p]
    sys.argv[:] = [""]
    if b"random" in reference + test:
        import random
        random.seed(0)
    program = Program(codec)
    kind, text = _judge(program, reference.decode(), test.decode(), entry_point.decode())
    data = kind + text.encode("utf-8", "backslashreplace")[:4000]
    codec["write_frame"](os.write, VERDICT, data)
