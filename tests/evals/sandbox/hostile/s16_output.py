#== flood_of_output: passed seconds=20
def f(x):
    for _ in range(200):
        posix.write(1, b"assay-hostile\n" * 40000)
        posix.write(2, b"\xff\xfe\x00" * 40000)
    return x + 1

#== long_text_of_an_error: failed
def f(x):
    raise ValueError("é" * 5000000)

#== control_characters_in_an_error: failed
def f(x):
    raise ValueError("\x1b[2J\x1b]0;title\x07\r\n\x08\x9b31m\0\u202eabc\u2066\ud800\U0010ffff" * 50)

#== control_characters_in_a_wrong_answer: wrong
def f(x):
    return "\x1b[2J\x1b]0;title\x07\r\n\x9b31m\0\u202e\ud800"
#-- tests
def check(candidate):
    assert candidate(2) == "three", "got " + candidate(2) * 100

#== long_name_of_an_error: failed
def f(x):
    raise type("E" * 10000000, (Exception,), {})("x")

#== line_feeds_in_a_name: failed
def f(x):
    raise type("E\nassay: passed\x1b[2J", (Exception,), {})("x")

#== output_closed: passed
import sys

def f(x):
    sys.stdout.close()
    sys.stderr.close()
    posix.closerange(0, 3)
    return x + 1

#== output_replaced: passed
import sys

class Broken:
    def write(self, text):
        raise SystemExit(0)

    flush = close = write

sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = Broken()

def f(x):
    return x + 1

#== output_of_a_huge_value: passed seconds=20
def f(x):
    print("x" * (1 << 27))
    return x + 1
