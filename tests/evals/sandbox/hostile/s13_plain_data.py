#== equal_to_everything: wrong
class Same:
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    __hash__ = object.__hash__

def f(x):
    return Same()

#== equal_and_close: failed
class Same:
    def __sub__(self, other):
        return 0

    __rsub__ = __add__ = __radd__ = __mul__ = __mod__ = __abs__ = __round__ = __float__ = __sub__

    def __eq__(self, other):
        return True

def f(x):
    return Same()
#-- tests
def check(candidate):
    assert abs(candidate(2) - 3) < 1e-6

#== number_that_lies: wrong
class Lie(int):
    def __eq__(self, other):
        return True

    __hash__ = int.__hash__

def f(x):
    return Lie(99)

#== number_that_lies_about_itself: wrong
class Lie(int):
    def __int__(self):
        return 3

    __index__ = bit_length = to_bytes = __int__

def f(x):
    return Lie(99)

#== fraction_that_lies: wrong
class Lie(float):
    def __eq__(self, other):
        return True

    def __float__(self):
        return 3.0

def f(x):
    return Lie(99.5)

#== text_that_lies: wrong
class Lie(str):
    def __eq__(self, other):
        return True

    def encode(self, *args):
        return b"three"

    __hash__ = str.__hash__

def f(x):
    return Lie("no")
#-- tests
def check(candidate):
    assert candidate(2) == "three"

#== list_that_lies: wrong
class Lie(list):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter([1, 2])

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return [1, 2][index]

def f(x):
    return Lie([9])
#-- tests
def check(candidate):
    assert candidate(2) == [1, 2]

#== table_that_lies: wrong
class Lie(dict):
    def __eq__(self, other):
        return True

    def items(self):
        return [("a", 1)]

    def __missing__(self, key):
        return 1

def f(x):
    return Lie(b=2)
#-- tests
def check(candidate):
    assert candidate(2) == {"a": 1}

#== tuple_and_set_that_lie: wrong
class Lie(tuple):
    def __eq__(self, other):
        return True

class Also(set):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter((1, 2))

def f(x):
    return Lie((9,)), Also((9,))
#-- tests
def check(candidate):
    assert candidate(2) == ((1, 2), {1, 2})

#== bytes_that_lie: wrong
class Lie(bytes):
    def __eq__(self, other):
        return True

    def __getitem__(self, index):
        return b"three"

def f(x):
    return Lie(b"no")
#-- tests
def check(candidate):
    assert candidate(2) == b"three"

#== lie_inside_a_list: wrong
class Lie(str):
    def __eq__(self, other):
        return True

def f(x):
    return [Lie("a"), Lie("b")]
#-- tests
def check(candidate):
    assert candidate(2) == ["x", "y"]

#== false_class: failed/wrong
class Lie:
    @property
    def __class__(self):
        return int

def f(x):
    return Lie()

#== metaclass_that_lies: wrong/failed
class Meta(type):
    def __instancecheck__(cls, other):
        return True

    def __eq__(cls, other):
        return True

    __hash__ = type.__hash__

    @property
    def __name__(cls):
        return "int"

class Lie(metaclass=Meta):
    def __eq__(self, other):
        return True

def f(x):
    return Lie()

#== class_that_raises: failed
class Lie:
    @property
    def __class__(self):
        raise SystemExit(0)

def f(x):
    return Lie()

#== instruction_to_unpickle: wrong
class Lie:
    def __reduce__(self):
        return (posix._exit, (0,))

    __reduce_ex__ = __getstate__ = __reduce__

def f(x):
    return Lie()

#== code_as_value: wrong
def f(x):
    return f.__code__

#== module_and_type_as_value: wrong
def f(x):
    return [posix, int, f, NotImplemented, ...]
#-- tests
def check(candidate):
    assert candidate(2) == [3] * 5

#== deep_value: wrong
def f(x):
    value = 3
    for _ in range(10000):
        value = [value]
    return value

#== value_inside_itself: wrong
def f(x):
    value = []
    value.append(value)
    return value

#== large_value: wrong seconds=20
def f(x):
    return [0] * (1 << 24)

#== large_text: wrong seconds=20
def f(x):
    return "3" * (1 << 25)

#== large_number: wrong seconds=20
def f(x):
    return 1 << (1 << 27)

#== values_that_collide: timed_out/wrong/memory seconds=0.6
def f(x):
    return {n * ((1 << 61) - 1) for n in range(1, 300)} and set_of()

def set_of():
    # The encoder reads the members; the judge has to put them into a table, all in one place.
    class Members(set):
        pass
    import ctypes
    body = bytearray(b"Ve" + (60000).to_bytes(4, "little"))
    for n in range(1, 60001):
        number = n * ((1 << 61) - 1)
        body += b"i" + (10).to_bytes(4, "little") + number.to_bytes(10, "little", signed=True)
    posix.write(4, len(body).to_bytes(4, "little"))
    view = memoryview(body)
    while len(view):
        view = view[posix.write(4, view):]
    return 3

#== not_a_number: wrong
def f(x):
    return float("nan")

#== infinite_number: wrong
def f(x):
    return float("inf")

#== equal_by_other_types: wrong
from decimal import Decimal

def f(x):
    # Equal in Python, but no plain data: a deliberate difference from the original harness.
    return Decimal(x + 1)

#== endless_iterator: wrong
import itertools

def f(x):
    return itertools.repeat(3)

#== keys_that_are_objects: failed
def f(x):
    return {object(): 1}

#== value_returned_to_the_function: failed
class Token:
    pass

def f(x):
    # The tests hand back what they got; a value that is no plain data must not pass for a fault of the tests.
    return Token() if isinstance(x, int) else x
#-- tests
def check(candidate):
    assert candidate(candidate(2)) == 3

#== truth_of_an_object: failed
class Yes:
    def __bool__(self):
        return True

def f(x):
    return Yes()
#-- tests
def check(candidate):
    assert candidate(2)
    assert not candidate(3)

#== truth_as_number: wrong
def f(x):
    return True

#== text_no_writer_can_encode: wrong
def f(x):
    return "\ud800\udfff\0\x1b[2J\u202e"
#-- tests
def check(candidate):
    assert candidate(2) == "three", repr(candidate(2))

#== object_with_a_long_name: wrong
def f(x):
    return type("x" * 10000000, (), {})()
#-- tests
def check(candidate):
    assert candidate(2) == 3, repr(candidate(2))
