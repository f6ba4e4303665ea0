#== main_guard_stays_off: passed
def f(x):
    return x + 1

if __name__ == "__main__":
    raise SystemExit("the guard ran")

#== many_imports: passed seconds=10
import abc, array, ast, base64, bisect, calendar, cmath, collections, collections.abc, contextlib, copy, csv, dataclasses
import datetime, decimal, difflib, enum, fractions, functools, hashlib, heapq, html, inspect, io, itertools, json, keyword
import logging, math, numbers, operator, pprint, queue, random, re, secrets, statistics, string, struct, sys, textwrap
import threading, time, timeit, token, tokenize, traceback, types, typing, unicodedata, unittest, uuid, warnings, weakref, zlib
from typing import Any, Dict, List, Optional, Tuple, Union

def f(x: int) -> Optional[int]:
    hashlib.sha256(b"x").hexdigest()
    return x + 1

#== scratch_files: passed
import tempfile

def f(x):
    with open("a.txt", "w") as file:
        file.write(str(x))
    with tempfile.TemporaryFile() as file:
        file.write(b"1")
    with open("a.txt") as file:
        return int(file.read()) + 1

#== threads_and_pools: passed
import threading
from concurrent.futures import ThreadPoolExecutor

def f(x):
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(lambda part: part, [x, 1]))

#== refused_call_in_try: passed
import os, subprocess

def f(x):
    for action in (lambda: os.nice(1), lambda: os.listdir("/etc"), lambda: open("/etc/passwd"),
                   lambda: subprocess.run(["true"]), lambda: os.system("true"), lambda: os.fork()):
        try:
            action()
        except Exception:
            pass
    return x + 1

#== callable_object: passed
import functools

class F:
    def __call__(self, x):
        return x + 1

f = functools.lru_cache(maxsize=None)(F())

#== recursion_and_state: passed
count = 0

def f(x):
    global count
    count += 1

    def deep(n):
        return 0 if n == 0 else 1 + deep(n - 1)
    return x + 1 if deep(900) == 900 else x

#== wide_text: passed
def naïve(größe):
    return größe + 1  # ✓ 日本語 🙂

def f(x):
    return naïve(x)

#== large_output: passed seconds=10
def f(x):
    for _ in range(20):
        print("assay-hostile " * 500000)
    return x + 1

#== nested_plain_data: passed
def f(x):
    return {"a": [1, 2.5, None, True, ("t", {3}, b"b")], 4: {"deep": {"er": [[[[]]]]}}, (5, 6): -0.0, "x": "\0\u2028"}
#-- tests
def check(candidate):
    assert candidate(2) == {"a": [1, 2.5, None, True, ("t", {3}, b"b")], 4: {"deep": {"er": [[[[]]]]}}, (5, 6): 0.0,
                            "x": "\0\u2028"}

#== large_numbers: passed
def f(x):
    return [10 ** 1000, -10 ** 1000, 2 ** 63, -2 ** 63, 2 ** 64 - 1, 0, -1, 255, 256, -128, -129, 1e308, 5e-324]
#-- tests
def check(candidate):
    assert candidate(2) == [10 ** 1000, -10 ** 1000, 2 ** 63, -2 ** 63, 2 ** 64 - 1, 0, -1, 255, 256, -128, -129, 1e308,
                            5e-324]

#== subclasses_of_plain_data: passed
import collections, enum

class Colour(enum.IntEnum):
    RED = 3

Point = collections.namedtuple("Point", "a b")

def f(x):
    return [Colour.RED, Point(1, 2), collections.Counter("aab"), collections.OrderedDict(a=1), collections.defaultdict(int, b=2)]
#-- tests
def check(candidate):
    assert candidate(2) == [3, (1, 2), {"a": 2, "b": 1}, {"a": 1}, {"b": 2}]

#== expected_exception: passed
class Own(ValueError):
    pass

def f(x):
    raise Own("negative")
#-- tests
def check(candidate):
    try:
        candidate(-1)
    except ValueError as error:
        assert str(error) == "negative"
    else:
        assert False

#== names_taken_away_as_in_the_original: failed
import os

def f(x):
    os.getcwd()
    return x + 1

#== quit_taken_away: failed
def f(x):
    quit()
