"""Arithmetic spelled out step by step, the same way in every task."""


def step(a, sign, b):
    """("4 * 6 = 24", 24)"""
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[sign]
    return f"{a} {sign} {b} = {value}", value
