"""Expression problems with boxed answers in the form of MATH."""
import math

from . import Example
from .steps import step


def product_sum(r):
    a, b, c = r.randint(2, 12), r.randint(2, 12), r.randint(2, 20)
    one, p = step(a, "*", b)
    two, v = step(p, "+", c)
    return "Prealgebra", 1, f"Compute ${a} \\cdot {b} + {c}$.", [one, two], v


def sum_product(r):
    a, b = r.randint(2, 12), r.randint(2, 12)
    c = a * b + r.randint(1, 20)
    one, p = step(a, "*", b)
    two, v = step(c, "-", p)
    return "Prealgebra", 2, f"Compute ${c} - {a} \\cdot {b}$.", [one, two], v


def bracket(r):
    a, b, c = r.randint(1, 6), r.randint(1, 6), r.randint(2, 12)
    one, s = step(a, "+", b)
    two, v = step(s, "*", c)
    return "Prealgebra", 2, f"Compute $({a} + {b}) \\cdot {c}$.", [one, two], v


def lowest_terms(r):
    while True:
        p, q, k = r.randint(1, 9), r.randint(2, 10), r.randint(2, 9)
        if p < q and math.gcd(p, q) == 1:
            break
    return ("Prealgebra", 3, f"Write $\\frac{{{p * k}}}{{{q * k}}}$ in lowest terms.",
            [step(p * k, "/", k)[0], step(q * k, "/", k)[0]], f"\\frac{{{p}}}{{{q}}}")


def linear(r):
    a, x, b = r.randint(2, 9), r.randint(2, 12), r.randint(1, 20)
    one, p = step(a * x + b, "-", b)
    two, v = step(p, "/", a)
    return "Algebra", 2, f"Solve for $x$: ${a}x + {b} = {a * x + b}$.", [one, two], v


def function(r):
    a, b, c = r.randint(2, 9), r.randint(1, 20), r.randint(2, 12)
    one, p = step(a, "*", c)
    two, v = step(p, "+", b)
    return "Algebra", 1, f"If $f(x) = {a}x + {b}$, what is $f({c})$?", [one, two], v


def expand(r):
    a, b = r.randint(1, 12), r.randint(1, 12)
    one, s = step(a, "+", b)
    two, p = step(a, "*", b)
    return "Algebra", 3, f"Expand $(x + {a})(x + {b})$.", [one, two], f"x^2 + {s}x + {p}"


def remainder(r):
    m, q = r.randint(3, 9), r.randint(2, 11)
    rest = r.randint(0, m - 1)
    one, p = step(q, "*", m)
    two, v = step(p + rest, "-", p)
    return "Number Theory", 3, f"What is the remainder when {p + rest} is divided by {m}?", [one, two], v


def rectangle(r):
    a, b = r.randint(2, 40), r.randint(2, 20)
    one, s = step(a, "+", b)
    two, v = step(2, "*", s)
    return "Geometry", 2, f"A rectangle has sides of length {a} and {b}. What is its perimeter?", [one, two], v


def triangle(r):
    a, b = 2 * r.randint(1, 6), r.randint(2, 12)
    one, p = step(a, "*", b)
    two, v = step(p, "/", 2)
    return "Geometry", 3, f"A right triangle has legs of length {a} and {b}. What is its area?", [one, two], v


def pairs(r):
    n, m = r.randint(2, 12), r.randint(2, 12)
    k = r.randint(1, 20)
    one, p = step(n, "*", m)
    two, v = step(p, "+", k)
    return ("Counting & Probability", 4, f"A menu has {n} soups, {m} mains and {k} fixed meals. A meal is a soup with a "
            "main, or a fixed meal. How many meals are there?", [one, two], v)


def roots(r):
    a, b = sorted(r.sample(range(1, 13), 2))
    one, s = step(a, "+", b)
    two, p = step(a, "*", b)
    return "Intermediate Algebra", 5, f"Find the roots of $x^2 - {s}x + {p}$.", [one, two], f"{a}, {b}"


KINDS = [product_sum, sum_product, bracket, lowest_terms, linear, function, expand, remainder, rectangle, triangle,
         pairs, roots]


def examples(random):
    while True:
        kind = random.choice(KINDS)
        subject, level, problem, steps, value = kind(random)
        yield Example(key=f"math {problem}",
                      question=problem,
                      response="\n".join(steps) + f"\n\\boxed{{{value}}}",
                      target=str(value),
                      group=subject,
                      extra={"level": f"Level {level}",
                             "solution": ", ".join(f"${s}$" for s in steps).replace("*", "\\cdot") +
                                         f". The answer is $\\boxed{{{value}}}$."})
