"""Arithmetic word problems in the form of GSM8K."""
from . import Example
from .steps import step

NAMES = ["Nora", "Ivo", "Mila", "Sam", "Lea", "Tom", "Ada", "Max", "Zoe", "Ben"]
THINGS = ["apples", "books", "coins", "pens", "shells", "cards", "stones", "rolls", "stamps", "eggs"]


def boxes_minus(r, n, m, t):
    a, b = r.randint(2, 12), r.randint(2, 12)
    c = r.randint(1, min(20, a * b - 1))
    return (f"{n} has {b} boxes with {a} {t} in each. {n} gives away {c} {t}. How many {t} does {n} keep?",
            [(b, "*", a), (None, "-", c)])


def boxes_plus(r, n, m, t):
    a, b, c = r.randint(2, 12), r.randint(2, 12), r.randint(2, 20)
    return (f"{n} buys {b} bags of {a} {t}. At home {n} has {c} {t} already. How many {t} does {n} have now?",
            [(b, "*", a), (None, "+", c)])


def find_lose(r, n, m, t):
    x, y = r.randint(5, 80), r.randint(2, 20)
    z = r.randint(2, min(20, x + y - 1))
    return (f"{n} has {x} {t} and finds {y} more. Then {n} loses {z} of them. How many {t} are left?",
            [(x, "+", y), (None, "-", z)])


def change(r, n, m, t):
    a, b = r.randint(2, 12), r.randint(2, 8)
    p = a * b + r.randint(1, 20)
    return (f"A box of {t} costs {a} dollars. {n} buys {b} boxes and pays with {p} dollars. How many dollars does {n} "
            "get back?", [(b, "*", a), (p, "-", None)])


def share(r, n, m, t):
    b, q = r.randint(2, 9), r.randint(3, 12)
    c = r.randint(1, q - 1)
    return (f"{n} shares {b * q} {t} equally among {b} friends. Each friend gives {c} to {m}. How many {t} does each "
            "friend keep?", [(b * q, "/", b), (None, "-", c)])


def ages(r, n, m, t):
    a, b = r.randint(2, 12), r.randint(2, 5)
    return (f"{n} is {a} years old. {m} is {b} times as old as {n}. How old are both together?",
            [(b, "*", a), (a, "+", None)])


def more_than(r, n, m, t):
    x, y = r.randint(2, 20), r.randint(2, 20)
    return (f"{n} has {x} {t}. {m} has {y} {t} more than {n}. How many {t} do both have together?",
            [(x, "+", y), (x, "+", None)])


def bus(r, n, m, t):
    x = r.randint(10, 80)
    y, z = r.randint(1, min(20, x - 1)), r.randint(1, 20)
    return (f"There are {x} people on a bus. At the next stop {y} people get off and {z} get on. How many people are on "
            "the bus now?", [(x, "-", y), (None, "+", z)])


def half(r, n, m, t):
    h = r.randint(5, 45)
    c = r.randint(1, min(20, h - 1))
    return (f"Half of the {2 * h} {t} in a basket are red. Of the others {c} are green and the rest are white. How many "
            f"{t} are white?", [(2 * h, "/", 2), (None, "-", c)])


def two_pickers(r, n, m, t):
    a, b, c, d = (r.randint(2, 6) for _ in range(4))
    return (f"{n} collects {a} {t} a day for {b} days. {m} collects {c} {t} a day for {d} days. How many {t} do both "
            "have together?", [(a, "*", b), (c, "*", d), (-2, "+", None)])


def pages(r, n, m, t):
    a, c, w = r.randint(2, 9), r.randint(2, 20), r.randint(2, 3)
    return (f"{n} reads {a} pages on each of 5 days and {c} pages on Sunday, every week. How many pages does {n} read in "
            f"{w} weeks?", [(5, "*", a), (None, "+", c), (w, "*", None)])


TEMPLATES = [boxes_minus, boxes_plus, find_lose, change, share, ages, more_than, bus, half, two_pickers, pages]


def solve(plan):
    """The steps as texts and the last value. None is the value before, -2 the value of the step before that."""
    texts, values = [], []
    for left, sign, right in plan:
        left = values[-1] if left is None else values[-2] if left == -2 else left
        right = values[-1] if right is None else right
        text, value = step(left, sign, right)
        texts.append(text)
        values.append(value)
    return texts, values[-1]


def annotated(text):
    """ "4 * 6 = 24" with the calculator mark of upstream."""
    left, right = text.split(" = ")
    return f"{left} = <<{left.replace(' ', '')}={right}>>{right}"


def examples(random):
    while True:
        template = random.choice(TEMPLATES)
        n, m = random.sample(NAMES, 2)
        question, plan = template(random, n, m, random.choice(THINGS))
        texts, value = solve(plan)
        numbers = [x for x in (left_or_right for s in plan for left_or_right in (s[0], s[2])) if x is not None]
        yield Example(key=f"words {template.__name__} {numbers}",
                      question=question,
                      response=". ".join(texts) + f". The final answer is {value}.",
                      target=str(value),
                      group=template.__name__,
                      extra={"answer": "\n".join(annotated(t) for t in texts) + f"\n#### {value}"})
