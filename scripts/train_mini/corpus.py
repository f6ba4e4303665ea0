"""The training text: examples of the seven tasks in the prompts that the project's own protocols send.

A document is a list of (text, learned) parts; special tokens are parts of their own. The forms repeat what
evals/*/benchmark.cc builds; tests/mini compares the two.
"""
import itertools
import random
import re

from tasks import gpqa, gsm8k, held_out, humaneval, ifeval, math, mgsm, mmlu, steps

BOS, START, END, EOT = "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"
SPECIAL = [BOS, "<|end_of_text|>", START, END, EOT]


def chat(user, response):
    """One turn each, with the response learned."""
    return [(BOS, False), (START, False), ("user", False), (END, False), ("\n\n" + user.strip(), False), (EOT, False),
            (START, False), ("assistant", False), (END, False), ("\n\n", False), (response, True), (EOT, True)]


def gsm8k_prompt(e):
    return ("Work out the answer to this problem, one step after the other.\n\n" + e.question +
            '\n\nClose with the sentence "The final answer is N.", where N is the number asked for.')


def mgsm_prompt(e):
    return (e.question + "\n\nWork this out step by step in the language of the question. Write the last line as "
            f"\"{mgsm.LABELS[e.group]}: N\", where N is the number asked for, in digits 0 to 9.")


def math_prompt(e):
    return (e.question + "\n\nReason step by step. Finish with one line that holds the result alone, exact and "
            "simplified, in a box: \\boxed{result}")


def humaneval_prompt(e):
    return ("Complete this Python function so that it does what its docstring says. Answer with the whole function, "
            f"and any imports and helpers it needs, in one code block.\n\n```python\n{e.question.strip()}\n```")


def gpqa_prompt(e):
    choices = "".join(f"\n{letter}. {choice}" for letter, choice in zip("ABCD", e.extra["choices"]))
    return (f"Answer this question. One of the four answers is right.\n\n{e.question}\n{choices}\n\nReason step by step. "
            'Then close with the sentence "The best answer is X.", where X is A, B, C or D.')


def mmlu_prompt(e):
    return (f"Here is a question about {e.group.replace('_', ' ')} with four possible answers.\n\n{e.question}"
            f"{mmlu.choices_text(e.extra['choices'])}\n\nThink it through step by step. Then close with the sentence "
            '"The best answer is X.", where X is A, B, C or D.')


def bare_question(e):
    return e.question + (mmlu.choices_text(e.extra["choices"]) if "choices" in e.extra else "")


def allowed(stream):
    for e in stream:
        if not (e.extra["held_out"] if "held_out" in e.extra else held_out(e.key)):
            yield e


class Corpus:
    """An endless seeded stream of documents; the shares are of documents."""

    SHARES = {"gsm8k": 22, "mgsm": 18, "math": 18, "humaneval": 9, "ifeval": 16, "gpqa": 12, "mmlu": 16, "facts": 4,
              "lookups": 14, "drills": 14, "copies": 2, "numbers": 3}
    # So many of the documents have the question alone in place of the whole prompt: the same to learn in fewer tokens.
    BARE = 0.6

    # So many documents at the beginning are of these kinds only, which teach to find a place in the text.
    FIRST = 16000
    FIRST_KINDS = ["lookups", "lookups", "copies", "numbers"]

    VALUES = mmlu.VALUES + gpqa.VALUES

    def __init__(self, seed, first=0):
        self.first = first
        self.random = random.Random(seed)
        self.streams = {m.__name__.split(".")[-1]: allowed(m.examples(self.random))
                        for m in (gsm8k, mgsm, math, humaneval, ifeval, gpqa, mmlu)}
        self.statements = [mmlu.statement(*f[1:5]) for f in mmlu.FACTS] + list(gpqa.statements())

    def document(self, kind):
        r = self.random
        if kind == "facts":
            return [(BOS, False)] + [(s + "\n", True) for s in r.sample(self.statements, 4)]
        if kind == "drills":
            parts = [(BOS, False)]
            for left, right in (steps.drill(r) for _ in range(6)):
                parts += [(left, False), (right + "\n", True)]
            return parts
        if kind == "lookups":
            text, asked = mmlu.lookup(r, self.VALUES)
            parts = [(BOS, False), (text, False)]
            for word, letter in asked:
                parts += [(word, False), (letter, True)]
            return parts
        if kind == "copies":
            text = steps.mixture(r, gsm8k.NAMES + gsm8k.THINGS + ifeval.KEYWORDS)
            return [(BOS, False), (text, False), (text, True)]
        if kind == "numbers":
            e = next(self.streams[r.choice(["gsm8k", "gsm8k", "math", "mgsm"])])
            return [(BOS, False), (e.question + "\n", False), (", ".join(re.findall(r"\d+", e.question)) + "\n", True)]
        e = next(self.streams[kind])
        if kind != "ifeval" and r.random() < self.BARE:
            return [(BOS, False), (bare_question(e) + "\n", False), (e.response, True), (EOT, True)]
        return chat(e.question if kind == "ifeval" else globals()[f"{kind}_prompt"](e), e.response)

    def __iter__(self):
        kinds, weights = list(self.SHARES), list(self.SHARES.values())
        for number in itertools.count():
            kind = self.random.choices(kinds, weights)[0]
            if number < self.first:
                kind = self.random.choice(self.FIRST_KINDS)
            yield kind, self.document(kind)
