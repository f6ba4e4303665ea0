#== patched_random_numbers: wrong
import random
random.randint = random.choice = lambda *args: 0
random.random = lambda: 0.0
random.Random.randint = lambda *args: 0
random.seed = lambda *args: None

def f(x):
    return 1
#-- tests
import random

def check(candidate):
    for _ in range(10):
        x = random.randint(1, 1000000)
        assert candidate(x) == x + 1

#== patched_library: wrong
import copy, functools, itertools, math, operator, string
for module in (copy, functools, itertools, math, operator, string):
    for name in list(vars(module)):
        if not name.startswith("__"):
            try:
                setattr(module, name, lambda *args: 0)
            except Exception:
                pass

def f(x):
    return 0
#-- tests
import math

def check(candidate):
    assert candidate(2) == math.gcd(9, 6)

#== patched_functions_of_the_tests: wrong/failed
import builtins
for name in ("abs", "sorted", "sum", "min", "max", "all", "any", "round", "list", "str", "repr", "range"):
    setattr(builtins, name, lambda *args: 0)

def f(x):
    return x
#-- tests
def check(candidate):
    assert abs(candidate(2) - 3) < sum([1, -1]) + 1e-6

#== helper_replaced: wrong
def helper(x):
    return x

def f(x):
    return x
#-- reference
def helper(x):
    return x + 1
#-- tests
def check(candidate):
    assert candidate(2) == helper(2)

#== helper_called_by_the_function: passed
def helper(x):
    return x + 1

def f(x):
    return helper(x)
#-- reference
def helper(x):
    return x + 1
#-- tests
def check(candidate):
    assert candidate(2) == helper(2)

#== patched_clock: passed
import time
time.time = time.monotonic = time.perf_counter = lambda: 0.0
time.sleep = lambda seconds: None

def f(x):
    return x + 1

#== numbers_that_can_be_foreseen: wrong
import random
random.seed(0)
expected = [random.randint(0, 99) for _ in range(10)]

def f(x):
    # Knowing the tests' seed does not help a function that does not compute the answer.
    return expected.pop(0)
#-- tests
import random

def check(candidate):
    for _ in range(5):
        x = random.randint(0, 99)
        assert candidate(x) == x + 1

#== environment_of_the_tests: wrong
import sys
posix.putenv("PYTHONPATH", "/tmp")
posix.putenv("PYTHONSTARTUP", "/tmp/random.py")
sys.path.insert(0, posix.getcwd())
with open("random.py", "w") as file:
    file.write("randint = lambda *args: 0\n")

def f(x):
    return 1
#-- tests
import random

def check(candidate):
    assert candidate(random.randint(5, 9)) > 5
