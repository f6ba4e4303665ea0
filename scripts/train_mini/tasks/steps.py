"""Arithmetic spelled out step by step, the same way in every task."""


def step(a, sign, b):
    """("4 * 6 = 24", 24)"""
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]
    return f"{a} {sign} {b} = {value}", value


def drill(random):
    """One step alone, in the range of the problems: ("4 * 6 =", " 24")."""
    sign = random.choice("++--*/")
    if sign == "*":
        a, b = random.randint(2, 12), random.randint(2, 12)
    elif sign == "/":
        b = random.randint(2, 12)
        a = b * random.randint(2, 12)
    else:
        a, b = random.randint(1, 145), random.randint(1, 20)
        if sign == "-" and random.random() < 0.3:
            a, b = a + b, a  # a small difference
        elif sign == "-" and b > a:
            a, b = b, a
        elif sign == "+" and random.random() < 0.2:
            a, b = b, a
    left, right = step(a, sign, b)[0].split(" = ")
    return f"{left} =", f" {right}"


def mixture(random, words):
    """Words and numbers in no order, to be copied: reading back what stands in the text has to be learned first."""
    return " ".join(random.choice(words) if random.random() < 0.5 else str(random.randint(1, 150))
                    for _ in range(random.randint(4, 12))) + "\n"
