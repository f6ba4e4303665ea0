#!/usr/bin/env python3
"""The seven small suites and the demonstration model: held out, scored, judged.

usage: mini_test.py ASSAY ROOT
"""
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

ASSAY, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
MINI = ROOT / "datasets/mini"
MODEL = MINI / "model"
sys.path[:0] = [str(ROOT / "scripts/train_mini"), str(ROOT / "tests/mini")]
sys.dont_write_bytecode = True
import bpe  # noqa: E402
import corpus  # noqa: E402
import weights  # noqa: E402
from tasks import held_out, humaneval, ifeval, mmlu  # noqa: E402

TASKS = {"gsm8k": "assay-0shot", "mgsm": "assay", "mmlu": "assay-cot", "gpqa": "assay", "math": "assay",
         "humaneval": "assay", "ifeval": "assay"}
NEEDS_NAMESPACES = "humaneval"


def assay(*arguments, codes=(0,)):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode not in codes:
        raise AssertionError(f"assay {arguments} ended with {result.returncode}: {result.stderr}")
    return result.stdout


def jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def archive(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name, pwd=b"deserted-untie-orchid") for name in file.namelist()}


def gold():
    answers = {}
    for line in gzip.decompress((MINI / "gold.jsonl.gz").read_bytes()).splitlines():
        row = json.loads(line)
        answers.setdefault(row["task"], {})[row["id"]] = row["response"]
    return answers


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assay-mini-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)


class Data(WithFolder):
    def test_the_generator_writes_what_is_stored(self):
        subprocess.run([ROOT / "scripts/make_mini", self.path], check=True)
        made = {p.relative_to(self.path) for p in self.path.rglob("*") if p.is_file()}
        stored = {p.relative_to(MINI) for p in MINI.rglob("*") if p.is_file() and MODEL not in p.parents}
        self.assertEqual(made, stored - {Path("README.md")})
        for name in made:  # packed files by content: another zlib may pack differently
            read = archive if name.suffix == ".zip" else \
                (lambda p: gzip.decompress(p.read_bytes())) if name.suffix == ".gz" else Path.read_bytes
            self.assertEqual(read(self.path / name), read(MINI / name), name)

    def test_no_item_is_in_the_training_text(self):
        asked = {r["question"] for r in jsonl(MINI / "gsm8k/test.jsonl")}
        asked |= {r["problem"] for r in jsonl(MINI / "math/test.jsonl")}
        asked |= {r["prompt"] for r in jsonl(MINI / "humaneval/HumanEval.jsonl")}
        asked |= {r["prompt"] for r in jsonl(MINI / "ifeval/input_data.jsonl")}
        for file in (MINI / "mgsm").glob("*.tsv"):
            asked |= {line.split("\t")[0] for line in file.read_text().splitlines()}
        documents = itertools.islice(iter(corpus.Corpus(1)), 20000)
        for _, document in documents:
            for text, _ in document:
                self.assertFalse(text.strip() in asked, text)
                for part in text.split("\n\n"):
                    self.assertFalse(part in asked, part)

    def test_training_text_keeps_every_held_out_key_out(self):
        c = corpus.Corpus(2)
        for name, stream in c.streams.items():
            for e in itertools.islice(stream, 2000):
                self.assertFalse(e.extra.get("held_out", name not in ("mmlu", "gpqa") and held_out(e.key)), e.key)

    def test_every_fact_is_taught_and_asked_in_an_unseen_wording(self):
        for subject, _, name, attribute, _, _ in mmlu.FACTS:
            self.assertIn(mmlu.held_out_wording(subject, name, attribute), range(len(mmlu.WORDINGS)))
        taught = set(corpus.Corpus(3).statements)
        self.assertEqual(len(mmlu.FACTS), 320)
        for fact in mmlu.FACTS:
            self.assertIn(mmlu.statement(*fact[1:5]), taught)

    def test_gold_answers_score_full_marks(self):
        for task, answers in gold().items():
            with self.subTest(task):
                responses = self.path / f"{task}.jsonl"
                responses.write_text("".join(json.dumps({"id": i, "response": r}) + "\n" for i, r in answers.items()))
                result = json.loads(assay("score", f"{task}@{TASKS[task]}", "--data", MINI, "--custom-data",
                                          "--responses", responses, "--json"))
                self.assertTrue(100 <= result["n"] <= 300, result["n"])
                if task == NEEDS_NAMESPACES and result["unscored"] == result["n"]:
                    self.skipTest("this machine allows no sandbox")
                if task != "ifeval":  # its language checks need data that may be missing
                    self.assertEqual(result["unscored"], 0)
                self.assertEqual(next(iter(result["metrics"].values()))["value"], 1, result["metrics"])

    def test_the_two_step_questions_have_the_letter_of_the_right_answer(self):
        members = archive(MINI / "gpqa/dataset.zip")
        self.assertEqual(list(members), ["dataset/gpqa_diamond.csv"])
        verdicts, responses = self.path / "v.jsonl", self.path / "r.jsonl"
        ids = [line.split(",")[-2] for line in members["dataset/gpqa_diamond.csv"].decode().splitlines()[1:]]
        self.assertTrue(100 <= len(ids) <= 300)
        responses.write_text("".join(
            json.dumps({"id": f"gpqa/diamond/{i}", "response": "The best answer is A."}) + "\n" for i in ids))
        assay("score", "gpqa", "--data", MINI, "--custom-data", "--responses", responses, "--verdicts", verdicts)
        for v in jsonl(verdicts):
            self.assertEqual(v["detail"]["order"]["ABCD".index(v["detail"]["target"])], 0)
            self.assertEqual(v["verdict"] == "correct", v["detail"]["target"] == "A")

    def test_instructions_never_contradict_each_other(self):
        rows = list(itertools.islice(ifeval.examples(random.Random(11)), 1500))
        (self.path / "ifeval").mkdir()
        (self.path / "ifeval/input_data.jsonl").write_text("".join(
            json.dumps({"key": i, "prompt": e.question, **e.extra}) + "\n" for i, e in enumerate(rows)))
        responses = self.path / "r.jsonl"
        responses.write_text("".join(json.dumps({"id": f"ifeval/{i}", "response": e.response}) + "\n"
                                     for i, e in enumerate(rows)))
        result = json.loads(assay("score", "ifeval", "--data", self.path, "--custom-data", "--responses", responses,
                                  "--json"))
        self.assertEqual(result["metrics"]["prompt_strict"]["value"], 1)

    def test_functions_never_fail_to_run(self):
        for e in itertools.islice(humaneval.examples(random.Random(12)), 300):
            try:
                exec(humaneval.tests(e), {})
            except TypeError:
                pass  # such pairs of operations are not asked (scripts/make_mini)


class Model(WithFolder):
    def tokens_of(self, text):
        result = subprocess.run([ASSAY, "tokenize", "--model", MODEL], input=text, capture_output=True, text=True,
                                check=True)
        return [int(i) for i in result.stdout.split()]

    def test_prompts_and_tokens_are_those_of_the_training_text(self):
        tokenizer = bpe.Tokenizer.from_json((MODEL / "tokenizer.json").read_text())
        suite = self.path / "s.jsonc"
        suite.write_text(json.dumps({
            "assay_suite": 1, "name": "s", "model": str(MODEL), "settings": ["bf16"], "data": str(MINI),
            "allowed_errors": 20,
            "tasks": [{"task": t, "protocol": p, "custom_data": True, "limit": 3, "sampling": {"max_tokens": 2}}
                      for t, p in TASKS.items()]}))
        db = self.path / "a.db"
        run = json.loads(assay("run", suite, "--db", db, "--json"))["runs"][0]["run"]
        c = corpus.Corpus(5)
        bare, seen = c.BARE, set()
        c.BARE = 0
        shapes = {t: [p for p, _ in itertools.islice(((c.document(t), 0) for _ in itertools.count()), 3)] for t in TASKS}
        self.assertGreater(bare, 0)
        for line in assay("runs", "export", run, "--db", db, "--no-times").splitlines():
            row = json.loads(line)
            prompt = json.loads(row["prompt"])[0]["content"]
            ids = [i for text, _ in corpus.chat(prompt, "")[:-2] for i in tokenizer.encode(text)]
            self.assertEqual(row["prompt_ids"], ids, row["id"])
            seen.add(row["task"])
            if row["task"] != "ifeval":  # the same first and last words as in training
                taught = shapes[row["task"]][0][4][0]
                if row["task"] not in ("mgsm", "math"):
                    self.assertEqual(prompt[:20], taught.strip()[:20])
                if row["task"] not in ("mgsm", "humaneval"):
                    self.assertEqual(prompt[-20:], taught.strip()[-20:])
        self.assertEqual(seen, set(TASKS))

    def gate(self, *arguments):
        result = subprocess.run([ROOT / "scripts/ci_regression", "--assay", ASSAY, *map(str, arguments)],
                                capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr

    def test_the_regression_suite_passes_whatever_the_batch_and_the_threads(self):
        code, text = self.gate("--threads", 1, "--max-batch", 7)
        self.assertEqual(code, 0, text)

    def test_the_regression_suite_fails_when_one_scale_is_wrong(self):
        weights.copy_with(MODEL, self.path / "broken", "model.layers.2.mlp.down_proj.weight",
                          lambda values: weights.scaled(values, 4))
        code, text = self.gate("--model", self.path / "broken")
        self.assertEqual(code, 1, text)

    def test_coarse_rounding_of_the_weights_scores_clearly_lower(self):
        coarse = self.path / "coarse"
        weights.copy_with(MODEL, coarse, "_proj.weight", lambda values: weights.rounded(values, 3))
        scores = []
        for model in (MODEL, coarse):
            text = assay("run", ROOT / "suites/ci-regression.jsonc", "--precision", "bf16", "--model", model, "--db",
                         self.path / "c.db", "--json")
            tasks = json.loads(text)["runs"][0]["tasks"]
            scores.append([next(iter(t["metrics"].values()))["value"] for t in tasks])
        lost = [a - b for a, b in zip(*scores)]
        self.assertGreater(sum(lost) / len(lost), 0.1, scores)


class DryRun(WithFolder):
    def test_it_counts_what_the_run_then_asks_and_stores_nothing(self):
        folder = self.path
        common = ("run", ROOT / "suites/demo.jsonc", "--task", "gsm8k", "--task", "mgsm", "--precision", "bf16", "--limit", "20",
                  "--db", folder / "r.db", "--json")
        (model,) = json.loads(assay(*common, "--dry-run"))["models"]
        self.assertEqual(list(folder.iterdir()), [])
        run = json.loads(assay(*common))["runs"][0]["run"]
        prompts = {}
        for line in assay("runs", "export", run, "--db", folder / "r.db").splitlines():
            row = json.loads(line)
            prompts.setdefault(row["task"], []).append(row["prompt_ids"])
        self.assertEqual([task["task"] for task in model["tasks"]], ["gsm8k@assay-0shot", "mgsm@assay"])
        for task in model["tasks"]:
            ids = prompts[task["task"].split("@")[0]]
            self.assertEqual(task["responses"], len(ids))
            self.assertEqual(task["prompt_tokens"], sum(map(len, ids)))
            self.assertEqual(task["longest_prompt"], max(map(len, ids)))
            self.assertEqual(task["shared_tokens"], sum(len(os.path.commonprefix(pair)) for pair in itertools.pairwise(ids)))
            self.assertEqual((task["too_long"], task["refused"]), (0, ""))


if __name__ == "__main__":
    os.environ.pop("ASSAY_DB", None)
    unittest.main(argv=[sys.argv[0]], verbosity=2)
