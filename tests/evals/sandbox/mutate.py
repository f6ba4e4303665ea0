#!/usr/bin/env python3
"""Mutated reference solutions of HumanEval: each with one small change, some still right, most wrong.

usage: mutate.py HumanEval.jsonl.gz COUNT SEED > {"task_id", "completion", "change"} a line
"""
import ast
import copy
import gzip
import json
import random
import sys
import textwrap

COMPARISONS = [ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq]
OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod]


def changes(node):
    """(what, function that applies it to the node) for each change that a node allows."""
    def set_to(name, value):
        return lambda target: setattr(target, name, value)

    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        for kind in COMPARISONS:
            if not isinstance(node.ops[0], kind):
                yield "comparison", set_to("ops", [kind()] + node.ops[1:])
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        for kind in OPERATORS:
            if not isinstance(node.op, kind):
                yield "operator", set_to("op", kind())
    if isinstance(node, ast.BoolOp):
        yield "and, or", set_to("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.Constant):
        if type(node.value) is int:
            yield "one more", set_to("value", node.value + 1)
            yield "one less", set_to("value", node.value - 1)
        elif type(node.value) is str:
            yield "text", set_to("value", node.value[1:] if node.value else "x")
        elif type(node.value) is bool:
            yield "truth", set_to("value", not node.value)
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield "condition", set_to("test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Return) and node.value is not None:
        yield "no value", set_to("value", None)
        yield "in a list", set_to("value", ast.List([node.value], ast.Load()))
    if isinstance(node, ast.Call) and len(node.args) > 1:
        yield "arguments", set_to("args", node.args[1:] + node.args[:1])
        yield "argument left out", set_to("args", node.args[:-1])
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield "slice", set_to("slice", ast.Slice(node.slice.upper, node.slice.lower, node.slice.step))
    if isinstance(node, ast.UnaryOp):
        yield "sign", set_to("op", ast.Not() if isinstance(node.op, ast.USub) else ast.USub())
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            for i in range(len(block)):
                yield "statement", set_to(name, block[:i] + [ast.Pass()] + block[i + 1:])


def mutants(problem):
    """Every mutant body of a problem, as (change, completion)."""
    tree = ast.parse(problem["prompt"] + problem["canonical_solution"])
    for index, node in enumerate(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name == problem["entry_point"]:
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    original = ast.unparse(ast.Module(body, []))
    for place, node in enumerate(ast.walk(ast.Module(body, []))):
        for which, (what, _) in enumerate(changes(node)):
            mutant = ast.Module(copy.deepcopy(body), [])
            target = list(ast.walk(mutant))[place]
            list(changes(target))[which][1](target)
            text = ast.unparse(ast.fix_missing_locations(mutant))
            if text != original:
                yield what, textwrap.indent(text or "pass", "    ") + "\n"


def main():
    path, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with gzip.open(path, "rt") as file:
        problems = [json.loads(line) for line in file]
    chance = random.Random(seed)
    for number in range(count):
        problem = problems[number % len(problems)]
        what, completion = chance.choice(list(mutants(problem)))
        print(json.dumps({"task_id": problem["task_id"], "completion": completion, "change": what}))


if __name__ == "__main__":
    main()
