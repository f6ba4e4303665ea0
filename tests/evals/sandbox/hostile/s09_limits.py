#== memory_at_once: memory
def f(x):
    return len(bytearray(1 << 31))

#== memory_bit_by_bit: memory
def f(x):
    kept = []
    while True:
        kept.append(bytearray(1 << 22))

#== memory_by_small_objects: memory/timed_out
def f(x):
    kept = []
    while True:
        kept.append([kept] * 1000)

#== memory_caught: passed
def f(x):
    try:
        bytearray(1 << 31)
    except MemoryError:
        return x + 1
    reached("two GiB")

#== memory_mapped: passed
import mmap

def f(x):
    refused(mmap.mmap, -1, 1 << 31)
    refused(lambda: mmap.mmap(-1, 1 << 31, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))
    refused(lambda: mmap.mmap(-1, 1 << 31, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000))  # no reserve
    return x + 1

#== memory_by_decompression: memory/failed
import zlib

def f(x):
    packed = zlib.compress(b"\0" * (1 << 24), 1)
    return len(b"".join(zlib.decompress(packed) for _ in range(200)))

#== memory_by_repetition: memory
def f(x):
    return ("x" * (1 << 28)) * 8

#== limits_are_hard: passed
import ctypes

def f(x):
    if not on_x86():
        return x + 1
    # address space, processor, file size, descriptors, core, message queues, locked, pending signals
    for number, most in ((9, 1 << 30), (0, 3600), (1, 8 << 20), (7, 64), (4, 0), (12, 0), (8, 0), (11, 256)):
        values = (ctypes.c_ulong * 2)()
        if call("prlimit64", 0, number, 0, ctypes.byref(values)) != 0:
            reached("no answer")
        if values[0] > most or values[1] != values[0]:
            reached((number, values[0], values[1]))
        larger = (ctypes.c_ulong * 2)(values[0], values[0])
        must_fail("prlimit64", 0, number, ctypes.byref(larger), 0)
        must_fail("setrlimit", number, ctypes.byref(larger))
        must_fail("prlimit64", 1, number, 0, ctypes.byref(values))
    return x + 1

#== threads_without_end: passed seconds=10
import threading

def f(x):
    stop = threading.Event()
    started = []
    try:
        for _ in range(200):
            thread = threading.Thread(target=stop.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        pass
    stop.set()
    for thread in started:  # else the next call finds fewer
        thread.join()
    if not 24 <= len(started) <= 31:
        reached("%d threads" % len(started))
    return x + 1

#== descriptors_without_end: passed
def f(x):
    opened = []
    try:
        while True:
            opened += posix.pipe()
    except OSError:
        pass
    if len(opened) > 64:
        reached(len(opened))
    for number in opened:
        posix.close(number)
    return x + 1

#== large_file: passed
def f(x):
    written = 0
    try:
        with open("large", "wb", 0) as file:
            for _ in range(100):
                written += file.write(b"x" * (1 << 20))
    except OSError:
        pass
    if written > 8 << 20:
        reached(written)
    return x + 1

#== sparse_file: passed
def f(x):
    with open("sparse", "wb", 0) as file:
        refused(file.truncate, 1 << 40)
        refused(file.truncate, 9 << 20)
        refused(lambda: posix.posix_fallocate(file.fileno(), 0, 1 << 30))
        refused(lambda: posix.pwrite(file.fileno(), b"x", 1 << 40))
    return x + 1

#== full_scratch: passed
import os

def f(x):
    written = 0
    try:
        for number in range(100):
            with open("part%d" % number, "wb", 0) as file:
                for _ in range(7):
                    written += file.write(b"x" * (1 << 20))
    except OSError:
        pass
    if written > 16 << 20:
        reached(written)
    return x + 1

#== files_without_end: passed
def f(x):
    made = 0
    try:
        for number in range(100000):
            posix.close(posix.open("file%d" % number, posix.O_CREAT | posix.O_WRONLY))
            made += 1
    except OSError:
        pass
    if made > 1024:
        reached(made)
    return x + 1

#== links_and_folders_without_end: passed
def f(x):
    made = 0
    for make in (posix.mkdir, lambda name: posix.symlink("y" * 4000, name)):
        try:
            for number in range(100000):
                make("%d-%d" % (made, number))
                made += 1
        except OSError:
            pass
    if made > 2048:
        reached(made)
    return x + 1

#== endless_loop: timed_out seconds=0.6
def f(x):
    while True:
        pass

#== endless_loop_at_import: timed_out seconds=0.6
while True:
    pass

def f(x):
    return x + 1

#== endless_sleep: timed_out seconds=0.6
import time

def f(x):
    time.sleep(1000)

#== endless_work_in_c: timed_out seconds=0.6
def f(x):
    return 9 ** 9 ** 9

#== endless_match: timed_out seconds=0.6
import re

def f(x):
    return re.match("(a+)+$", "a" * 60 + "b")

#== endless_generator: timed_out/memory seconds=0.6
import itertools

def f(x):
    return sum(itertools.count())

#== endless_text_of_an_error: timed_out seconds=0.6
class Slow(Exception):
    def __str__(self):
        while True:
            pass

def f(x):
    raise Slow

#== endless_comparison: wrong seconds=2
class Slow:
    def __eq__(self, other):
        while True:
            pass

def f(x):
    return Slow()

#== endless_output: timed_out seconds=0.6
def f(x):
    while True:
        print("assay-hostile" * 1000)

#== sleep_in_every_call: timed_out seconds=0.8
import time

def f(x):
    time.sleep(0.4)
    return x + 1
#-- tests
def check(candidate):
    for x in range(100):
        assert candidate(x) == x + 1

#== stop_oneself: timed_out seconds=0.6
import signal

def f(x):
    posix.kill(posix.getpid(), signal.SIGSTOP)
    return x + 1

#== core_dump: killed
import os

def f(x):
    os.abort()

#== crash: killed
import ctypes

def f(x):
    ctypes.string_at(16)

#== deep_recursion: failed/killed/memory/timed_out seconds=2
import sys

def f(x):
    sys.setrecursionlimit(1 << 30)
    return f(x + 1)

#== deep_recursion_in_c: killed/failed/memory
import sys

def f(x):
    sys.setrecursionlimit(1 << 30)
    value = []
    for _ in range(1000000):
        value = [value]
    return repr(value)

#== deep_source: failed/memory/killed
def f(x):
    return eval("(" * 100000 + ")" * 100000)

#== long_number: failed
def f(x):
    return int("9" * 1000000)

#== timers_without_end: passed
import ctypes

def f(x):
    libc = ctypes.CDLL(None, use_errno=True)
    made, timer = 0, ctypes.c_void_p()
    while made < 5000 and call(222, 0, 0, ctypes.byref(timer)) == 0:
        made += 1
    if on_x86() and made > 256:
        reached("%d timers" % made)
    return x + 1

#== spin_in_all_threads: timed_out seconds=0.6
import threading

def spin():
    while True:
        pass

def f(x):
    for _ in range(20):
        threading.Thread(target=spin).start()
    spin()
