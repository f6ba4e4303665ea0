#== exit_at_import: failed
posix._exit(0)

#== exit_in_the_call: failed
def f(x):
    posix._exit(0)

#== exit_past_the_library: failed
def f(x):
    import ctypes
    ctypes.CDLL(None).syscall(231, 0)
    posix._exit(0)

#== exit_exception: failed
def f(x):
    raise SystemExit(0)

#== exit_exception_at_import: failed
import sys
sys.exit(0)

#== exit_in_a_thread: failed
import threading

def f(x):
    threading.Thread(target=posix._exit, args=(0,)).start()
    while True:
        pass

#== exit_after_one_answer: failed
calls = []

def f(x):
    calls.append(x)
    if len(calls) > 1:
        posix._exit(0)
    return x + 1

#== interrupt_exception: failed
def f(x):
    raise KeyboardInterrupt

#== generator_exit: failed
def f(x):
    raise GeneratorExit

#== end_of_iteration: failed
def f(x):
    raise StopIteration
#-- tests
def check(candidate):
    # A StopIteration that came through would end these loops without a word.
    for got in map(candidate, [1, 2, 3]):
        assert False
    got = list(map(candidate, [1, 2, 3]))
    assert got == [] or got == [2, 3, 4]

#== end_of_iteration_subclass: failed
class Done(StopIteration):
    pass

def f(x):
    raise Done
#-- tests
def check(candidate):
    for got in map(candidate, [1, 2, 3]):
        assert False

#== assertion_of_its_own: failed
def f(x):
    raise AssertionError("passed")

#== harness_exceptions_by_name: failed
class Unsendable(BaseException):
    pass

def f(x):
    raise Unsendable("the harness is at fault")

#== exception_with_a_false_name: failed
class Odd(Exception):
    pass

Odd.__name__ = "Bad\0name\ud800"

def f(x):
    raise Odd("x")

#== exception_group: failed
import builtins

def f(x):
    group = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.11 and newer
    raise group("all", [SystemExit(0)]) if group else SystemExit(0)

#== exception_that_cannot_be_described: failed
class Odd(Exception):
    def __str__(self):
        raise Odd

    __repr__ = __str__

def f(x):
    raise Odd

#== exception_that_replaces_itself: failed
class Odd(Exception):
    def __getattribute__(self, name):
        raise SystemExit(0)

def f(x):
    raise Odd

#== says_that_it_passed: wrong
import sys

def f(x):
    for text in ("passed", "P", "ok", "\x01\0\0\0P", "RESULT: passed", '{"passed": true}', "1..1\nok 1"):
        print(text)
        print(text, file=sys.stderr)
    return x

#== verdict_on_every_descriptor: failed/wrong
def f(x):
    for number in list(range(0, 64)):
        try:
            posix.write(number, b"\x01\0\0\0P")
        except OSError:
            pass
    return x

#== frame_of_an_unknown_kind: failed
def f(x):
    posix.write(4, b"\x01\0\0\0P")
    return x + 1

#== frame_without_end: failed
def f(x):
    posix.write(4, b"\xff\xff\xff\x7fV")
    return x + 1

#== frame_cut_short: failed
def f(x):
    posix.write(4, b"\x40\0\0\0Vi")
    posix._exit(0)

#== frame_and_silence: timed_out seconds=0.6
import time

def f(x):
    posix.write(4, b"\x40\0\0\0Vi")
    time.sleep(100)

#== frame_of_hostile_bytes: failed
def f(x):
    # counts beyond the data, unknown tags, nesting beyond the limit, unhashable keys
    for body in (b"Vl\xff\xff\xff\xff", b"Vz", b"V" + b"l\1\0\0\0" * 200 + b"N", b"Vm\1\0\0\0l\0\0\0\0N", b"Vs\1\0\0\0\xff",
                 b"Ve\1\0\0\0m\0\0\0\0", b"Vd", b"VN" * 2, b"E" + b"N"):
        posix.write(4, len(body).to_bytes(4, "little") + body)
    return x + 1

#== answers_ahead_of_questions: wrong
import struct

def f(x):
    body = b"Vi" + struct.pack("<I", 1) + b"\x03"
    posix.write(4, struct.pack("<I", len(body)) + body)
    return x

#== questions_of_its_own: wrong
def f(x):
    # The pipe of questions can be opened by name for writing; only this process reads it.
    try:
        number = posix.open("/proc/self/fd/3", posix.O_WRONLY)
        posix.write(number, b"\0\0\0\0" * 10)
    except OSError:
        pass
    return x

#== replies_closed: failed
import time

def f(x):
    posix.close(4)
    time.sleep(100)

#== patched_codec: failed/wrong
import sys

def f(x):
    frame = sys._getframe()
    while frame is not None:
        for space in (frame.f_globals, frame.f_locals):
            codec = space.get("codec")
            for target in (space, codec if isinstance(codec, dict) else {}):
                for name in ("encode", "write_frame", "_encode", "decode", "main"):
                    if name in target:
                        target[name] = lambda *args: b"P"
        frame = frame.f_back
    return x

#== patched_builtins: wrong/failed
import builtins

def f(x):
    builtins.AssertionError = type("Quiet", (), {})
    builtins.isinstance = lambda value, kind: True
    builtins.len = lambda value: 1
    builtins.int = lambda value=0: 3
    builtins.compile = builtins.exec = lambda *args: None
    return x

#== patched_modules: wrong
import sys

class Fake:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None

for name in list(sys.modules):
    if name not in ("builtins", "sys", "posix", "os", "struct", "__main__"):
        sys.modules[name] = Fake()
import os
os.read = os.write = None

def f(x):
    return x

#== search_for_the_tests: wrong
import gc

def f(x):
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for name in ("check", "candidate", "VERDICT", "_judge", "Program"):
                if name in list(thing):
                    if name == "Program" or callable(thing[name]):
                        reached(name)
    return x

#== search_memory_for_the_tests: wrong seconds=10 reduced=failed
import re

def f(x):
    wanted = re.compile(rb"assert candi[d]ate\(2\) == ")  # does not find itself
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if "rw" not in line.split()[1] or high - low > 1 << 28:
                continue
            try:
                memory.seek(low)
                data = memory.read(high - low)
            except (OSError, OverflowError, ValueError):
                continue
            if wanted.search(data):
                reached("the tests")
    return x

#== own_check: wrong
def check(candidate):
    pass

def f(x):
    return x

#== own_check_in_builtins: wrong
import builtins
builtins.check = lambda candidate: None
builtins.candidate = lambda x: x + 1

def f(x):
    return x

#== trace_function: wrong
import sys, threading

def trace(frame, event, argument):
    return trace

sys.settrace(trace)
sys.setprofile(trace)
threading.settrace(trace)

def f(x):
    return x

#== replaced_process: refused/failed
def f(x):
    posix.execv("/usr/bin/python3", ["python3", "-c", "print('passed')"])

#== killed_by_itself: killed
def f(x):
    posix.kill(posix.getpid(), 9)

#== ended_by_itself: killed
def f(x):
    posix.kill(posix.getpid(), 15)
    while True:
        pass

#== crash_after_the_answer: wrong/killed
import ctypes, threading, time

def f(x):
    threading.Timer(0.0, lambda: ctypes.string_at(16)).start()
    return x

#== right_once: wrong
calls = []

def f(x):
    calls.append(x)
    return x + 1 if len(calls) == 1 else x

#== no_function: failed
g = 1

#== function_is_none: failed
f = None

#== function_with_other_arguments: failed
def f():
    return 3

#== coroutine: wrong
async def f(x):
    return x + 1

#== generator: wrong
def f(x):
    yield x + 1

#== changed_argument: wrong
class Same(list):
    def __eq__(self, other):
        return True

def f(values):
    values.clear()
    values.extend([1, 2, 3])
    return values
#-- tests
def check(candidate):
    values = [3, 2, 1]
    assert candidate(values) == sorted(values) and values == [1, 2, 3]

#== reads_input: failed
def f(x):
    return int(input())

#== reads_input_below: failed
import sys

def f(x):
    return int(sys.__stdin__.readline())

#== hides_in_a_loop_of_errors: failed
def f(x):
    try:
        raise ValueError
    except ValueError as first:
        try:
            raise KeyError from first
        except KeyError as second:
            first.__cause__ = second
            raise
#-- tests
def check(candidate):
    assert candidate(2) == 3
