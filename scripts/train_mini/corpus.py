"""The training text: examples of the seven tasks in the prompts that the project's own protocols send.

A document is a list of (text, learned) parts; special tokens are parts of their own. The forms repeat what
evals/*/benchmark.cc builds; tests/mini compares the two.
"""
import random

from tasks import gpqa, gsm8k, held_out, humaneval, ifeval, math, mgsm, mmlu

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


def mmlu_steps_prompt(e):
    return (f"Here is a question about {e.group.replace('_', ' ')} with four possible answers.\n\n{e.question}"
            f"{mmlu.choices_text(e.extra['choices'])}\n\nThink it through step by step. Then close with the sentence "
            '"The best answer is X.", where X is A, B, C or D.')


def mmlu_letters(examples):
    """Questions of one subject with their letters; only the letters are learned."""
    parts = [(BOS, False)]
    text = f"Questions about {examples[0].group.replace('_', ' ')}, each with the letter of its best answer.\n\n"
    for e in examples:
        text += e.question + mmlu.choices_text(e.extra["choices"]) + "\nAnswer:"
        parts += [(text, False), (f" {e.target}", True)]
        text = "\n\n"
    return parts


def allowed(stream):
    for e in stream:
        if not (e.extra["held_out"] if "held_out" in e.extra else held_out(e.key)):
            yield e


class Corpus:
    """An endless seeded stream of documents; the shares are of documents."""

    SHARES = {"gsm8k": 24, "mgsm": 18, "math": 20, "humaneval": 8, "ifeval": 12, "gpqa": 8, "mmlu_letters": 14,
              "mmlu_steps": 5, "facts": 8}

    def __init__(self, seed):
        self.random = random.Random(seed)
        r = self.random
        self.streams = {m.__name__.split(".")[-1]: allowed(m.examples(r))
                        for m in (gsm8k, mgsm, math, humaneval, ifeval, gpqa, mmlu)}
        self.by_subject = {s: allowed(mmlu.examples(r, s)) for s in mmlu.SUBJECTS}
        self.statements = [mmlu.statement(*f[1:5]) for f in mmlu.FACTS] + list(gpqa.statements())

    def document(self, kind):
        r = self.random
        if kind == "facts":
            parts = [(BOS, False)]
            for s in r.sample(self.statements, 4):
                parts.append((s + "\n", True))
            return parts
        if kind == "mmlu_letters":
            stream = self.by_subject[r.choice(list(self.by_subject))]
            return mmlu_letters([next(stream) for _ in range(r.choice([1, 1, 2, 3, 6]))])
        if kind == "mmlu_steps":
            e = next(self.streams["mmlu"])
            return chat(mmlu_steps_prompt(e), e.response)
        e = next(self.streams[kind])
        prompt = e.question if kind == "ifeval" else globals()[f"{kind}_prompt"](e)
        return chat(prompt, e.response)

    def __iter__(self):
        kinds, weights = list(self.SHARES), list(self.SHARES.values())
        while True:
            kind = self.random.choices(kinds, weights)[0]
            yield kind, self.document(kind)
