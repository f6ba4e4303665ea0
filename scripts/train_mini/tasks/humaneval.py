"""One-line functions from their docstrings, in the form of HumanEval: something of the arguments, then one more operation.

The pairs of a first and a second operation are what is held out.
"""
from . import Example

# Words and Python for the first step; arguments of the function.
NUMBERS = ("a, b", [("the sum of a and b", "a + b"), ("the difference of a and b", "a - b"),
                    ("the product of a and b", "a * b"), ("the larger of a and b", "max(a, b)"),
                    ("the smaller of a and b", "min(a, b)"), ("the square of a", "a * a"),
                    ("the absolute value of b", "abs(b)"), ("the quotient of a and b", "a // b")])
LISTS = ("items", [("the sum of items", "sum(items)"), ("the largest of items", "max(items)"),
                   ("the smallest of items", "min(items)"), ("the number of items", "len(items)"),
                   ("the first of items", "items[0]"), ("the last of items", "items[-1]")])
TO_NUMBER = [("plus {k}", "({x}) + {k}"), ("minus {k}", "({x}) - {k}"), ("times {k}", "({x}) * {k}"),
             ("modulo {k}", "({x}) % {k}"), ("divided by {k} without remainder", "({x}) // {k}"),
             ("or {k} if that is larger", "max({x}, {k})"), ("or {k} if that is smaller", "min({x}, {k})"),
             ("with the other sign", "-({x})"), ("as text", "str({x})"), ("squared", "({x}) ** 2"),
             ("in a list", "[{x}]"), ("compared with {k}: True if larger", "({x}) > {k}")]
SEQUENCES = ("items", [("items sorted", "sorted(items)"), ("items reversed", "items[::-1]"),
                       ("items without the first", "items[1:]"), ("items without the last", "items[:-1]"),
                       ("each of items plus one", "[x + 1 for x in items]"),
                       ("each of items doubled", "[x * 2 for x in items]"),
                       ("the even items", "[x for x in items if x % 2 == 0]"),
                       ("the positive items", "[x for x in items if x > 0]")])
TO_SEQUENCE = [("and of these the first {k}", "({x})[:{k}]"), ("and of these the last {k}", "({x})[-{k}:]"),
               ("followed by {k}", "({x}) + [{k}]"), ("after {k}", "[{k}] + ({x})"),
               ("and of these the number", "len({x})"), ("and of these the sum", "sum({x})"),
               ("repeated {k} times", "({x}) * {k}"), ("as a set", "set({x})")]
TEXTS = ("text", [("text in upper case", "text.upper()"), ("text in lower case", "text.lower()"),
                  ("text reversed", "text[::-1]"), ("text without blanks at its ends", "text.strip()"),
                  ("text with every a made b", "text.replace('a', 'b')"), ("text without its first letter", "text[1:]"),
                  ("text as a title", "text.title()")])
TO_TEXT = [("repeated {k} times", "({x}) * {k}"), ("and of it the first {k} letters", "({x})[:{k}]"),
           ("and of it the last {k} letters", "({x})[-{k}:]"), ("followed by a mark", "({x}) + '!'"),
           ("after a dash", "'-' + ({x})"), ("and of it the length", "len({x})"),
           ("split into words", "({x}).split()"), ("and how often it has an e", "({x}).count('e')")]
FAMILIES = [(NUMBERS, TO_NUMBER), (LISTS, TO_NUMBER), (SEQUENCES, TO_SEQUENCE), (TEXTS, TO_TEXT)]
VERBS = ["get", "find", "make", "give", "take", "build"]
NOUNS = ["value", "result", "answer", "thing", "output", "data"]
ARGUMENTS = {"a, b": ["7, 3", "2, 9", "-4, 5", "12, 12", "30, -7"],
             "items": ["[3, 1, 2]", "[5, -4, 8, 8]", "[10]", "[-2, -6, 7, 4, 1]"],
             "text": ["'banana'", "' Red Fox '", "'Elephant tree'", "'a'"]}



def examples(random):
    while True:
        (arguments, firsts), seconds = random.choice(FAMILIES)
        words, python = random.choice(firsts)
        more_words, more_python = random.choice(seconds)
        k = random.randint(2, 9)
        name = f"{random.choice(VERBS)}_{random.choice(NOUNS)}"
        expression = more_python.format(x=python, k=k)
        prompt = f'def {name}({arguments}):\n    """Return {words}, {more_words.format(k=k)}."""\n'
        body = f"    return {expression}\n"
        yield Example(key=f"functions {arguments} {words} {more_words}",
                      question=prompt,
                      response=f"```python\ndef {name}({arguments}):\n{body}```",
                      target=body,
                      extra={"name": name, "arguments": arguments, "k": k})


def tests(example):
    """The check function in upstream's form; expected values come from running the reference."""
    space = {}
    exec(example.question + example.target, space)  # our own one-liner
    lines = []
    for arguments in ARGUMENTS[example.extra["arguments"]]:
        value = eval(f"{example.extra['name']}({arguments})", space)
        lines.append(f"    assert candidate({arguments}) == {value!r}")
    return "\n\ndef check(candidate):\n" + "\n".join(lines) + "\n"
