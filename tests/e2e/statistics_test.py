#!/usr/bin/env python3
"""Comparison, gates and early stopping on published model outputs, against figures computed here.

usage: statistics_test.py ASSAY SHARED      exits 77 (skipped) when the shared data is missing
"""
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

ASSAY = Path(sys.argv[1]).resolve()
SHARED = Path(sys.argv[2]).resolve()
CONVERT = Path(__file__).resolve().parents[2] / "scripts/convert_labelled.py"
MODELS = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]


def assay(*arguments, codes=(0,)):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ASSAY_")}
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, env=environment)
    if result.returncode not in codes:
        raise AssertionError(f"assay {arguments} ended with {result.returncode}: {result.stderr}{result.stdout}")
    return result


def document(*arguments, codes=(0,)):
    return json.loads(assay(*arguments, "--json", codes=codes).stdout)


# An independent computation: sums as in the definitions, Student's t by numerical integration.

def t_below(t, degrees):
    """P(T <= t) by Simpson's rule on the density."""
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    panels = 4000
    width = abs(t) / panels
    total = 0.0
    for i in range(panels + 1):
        weight = 1 if i in (0, panels) else (4 if i % 2 else 2)
        total += weight * scale * (1 + (i * width) ** 2 / degrees) ** (-(degrees + 1) / 2)
    half = total * width / 3
    return 0.5 + half if t > 0 else 0.5 - half


def t_quantile(p, degrees):
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, degrees) < p else (low, middle)
    return (low + high) / 2


def mcnemar(up, down):
    n, fewer = up + down, min(up, down)
    return 1.0 if n == 0 else min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2 ** n)


def ratio(rows):
    """sum(value) / sum(count) and how far each item moves it."""
    count = sum(c for _, c in rows)
    value = sum(v for v, _ in rows) / count
    return value, [(v - c * value) / count for v, c in rows]


def paired(before, after):
    """{"baseline", "candidate", "difference", "standard_error"} from (value, count) of each item."""
    n = len(before)
    a, moves_a = ratio(before)
    b, moves_b = ratio(after)
    error = math.sqrt(n / (n - 1) * sum((y - x) ** 2 for x, y in zip(moves_a, moves_b)))
    return {"baseline": a, "candidate": b, "difference": b - a, "standard_error": error}, \
        [y - x for x, y in zip(moves_a, moves_b)]


class Statistics(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assay-statistics-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.db = self.path / "r.db"

    def convert_gsm8k(self):
        subprocess.run([sys.executable, CONVERT, "gsm8k", SHARED / "labelled/gsm8k/example_model_solutions.jsonl.gz",
                        SHARED / "datasets/gsm8k/test.jsonl", self.path], check=True, capture_output=True)

    def score(self, task, responses, tag, *arguments):
        assay("score", task, "--data", SHARED / "datasets", "--responses", responses, "--db", self.db, *arguments)
        run = document("runs", "list", "--db", self.db)[0]["run"]
        assay("runs", "tag", run, tag, "--db", self.db)
        return run

    def samples(self, run):
        lines = assay("runs", "export", run, "--db", self.db, "--no-times").stdout.splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}

    def check(self, found, expected):
        for key, value in expected.items():
            self.assertAlmostEqual(found[key], value, delta=1e-9 * max(1, abs(value)), msg=key)

    def test_gsm8k_outputs_pairwise(self):
        self.convert_gsm8k()
        for model in MODELS:
            self.score("gsm8k", self.path / f"{model}.jsonl", model, "--answer-after", "A:")
        samples = {model: self.samples(model) for model in MODELS}
        for first, second in itertools.combinations(MODELS, 2):
            with self.subTest(first=first, second=second):
                a, b = samples[first], samples[second]
                self.assertEqual(len(a), 1319)
                before = [(float(a[key]["verdict"] == "correct"), 1) for key in sorted(a)]
                after = [(float(b[key]["verdict"] == "correct"), 1) for key in sorted(a)]
                task = document("compare", first, second, "--db", self.db)["tasks"][0]
                metric = task["metrics"][0]
                expected, _ = paired(before, after)
                changes = [y[0] - x[0] for x, y in zip(before, after)]
                up, down = changes.count(1), changes.count(-1)
                self.assertEqual((task["wrong_to_right"], task["right_to_wrong"]), (up, down))
                t = t_quantile(0.975, 1318)
                self.assertEqual(metric["method"], "exact McNemar")
                self.check(metric, {**expected, "p": mcnemar(up, down), "p_adjusted": mcnemar(up, down)})
                for bound, side in zip(metric["interval"], (-1, 1)):
                    self.assertAlmostEqual(bound, expected["difference"] + side * t * expected["standard_error"], places=8)
                kinds = [flip["flip"] for flip in task["flips"]]
                self.assertEqual(kinds, sorted(kinds), "right to wrong first")

    def test_ifeval_outputs_and_a_worse_copy(self):
        subprocess.run([sys.executable, CONVERT, "ifeval", SHARED / "labelled/ifeval",
                        SHARED / "datasets/ifeval/input_data.jsonl", self.path], check=True, capture_output=True)
        published = self.path / "responses.jsonl"
        worse = self.path / "worse.jsonl"
        with open(worse, "w") as out:
            for number, line in enumerate(published.read_text().splitlines()):
                row = json.loads(line)
                if number % 7 == 0:
                    row["response"] = row["response"].lower()[: len(row["response"]) // 2] + ","
                out.write(json.dumps(row) + "\n")
        runs = [self.score("ifeval", file, file.stem) for file in (published, worse)]
        a, b = map(self.samples, runs)
        scored = [key for key in sorted(a) if "unscored" not in (a[key]["verdict"], b[key]["verdict"])]
        self.assertGreater(len(scored), 500)
        task = document("compare", *runs, "--db", self.db, "--common-items")["tasks"][0]
        metrics = {metric["metric"]: metric for metric in task["metrics"]}
        moves, means = [], {"baseline": 0, "candidate": 0, "difference": 0}
        for name in ("prompt_strict", "prompt_loose", "instruction_strict", "instruction_loose"):
            def part(run, key):
                return next((p["value"], p["count"]) for p in run[key]["parts"] if p["metric"] == name)
            expected, influence = paired([part(a, key) for key in scored], [part(b, key) for key in scored])
            with self.subTest(metric=name):
                self.check(metrics[name], expected)
                if name.startswith("instruction"):
                    t = expected["difference"] / expected["standard_error"]
                    self.assertAlmostEqual(metrics[name]["p"], 2 * t_below(-abs(t), len(scored) - 1), places=9)
            moves.append(influence)
            for key in means:
                means[key] += expected[key] / 4
        n = len(scored)
        means["standard_error"] = math.sqrt(n / (n - 1) * sum((sum(row) / 4) ** 2 for row in zip(*moves)))
        self.check(metrics["mean_of_four"], means)

    def suite(self, model, **more):
        path = self.path / f"{model}.jsonc"
        path.write_text(json.dumps({
            "assay_suite": 1, "name": "gate", "data": str(SHARED / "datasets"), "settings": ["bf16"],
            "model": {"path": f"replay:{self.path / model}.jsonl", "label": "replayed"},
            "tasks": [{"task": "gsm8k", "answer_after": "A:"}], "gates": [{"task": "*", "margin_points": 2}], **more}))
        return path

    def run_suite(self, model, *arguments, codes=(0,), **more):
        return document("run", self.suite(model, **more), "--db", self.db, "--progress", "none", *arguments, codes=codes)

    def test_early_stopping_fails_a_clear_regression_and_saves_most_of_it(self):
        self.convert_gsm8k()
        base = self.run_suite("175b_verification", "--branch", "main", "--revision", "aaa")["runs"][0]["run"]
        files = [self.path / "run.xml", self.path / "run.md"]
        result = self.run_suite("6b_finetuning", "--gate", "branch:main", "--branch", "work",
                                "--junit", files[0], "--summary", files[1], codes=(1,))
        gate = result["gates"][0]
        self.assertEqual((gate["baseline"], gate["verdict"], gate["exit_code"]), (base, "fail", 1))
        task = gate["comparison"]["tasks"][0]
        self.assertTrue(task["stopped_early"])
        self.assertEqual(task["planned"], 1319)
        self.assertLess(task["responses"], 0.4 * 1319)
        run = result["runs"][0]["run"]
        self.assertEqual(len(self.samples(run)), task["responses"])
        # The verdict can be had again from the store, in every form.
        junit, summary = self.path / "gate.xml", self.path / "gate.md"
        again = document("gate", "--db", self.db, "--baseline", "branch:main", "--candidate", run,
                         "--junit", junit, "--summary", summary, codes=(1,))
        self.assertEqual(again, gate)
        self.assertEqual(xml.etree.ElementTree.parse(junit).getroot().get("failures"), "1")
        self.assertIn("saved", summary.read_text())
        self.assertEqual([file.read_text() for file in files], [junit.read_text(), summary.read_text()])
        # Whose truth is known: the whole candidate.
        full = self.run_suite("6b_finetuning", "--branch", "work")["runs"][0]["run"]
        truth = document("compare", base, full, "--db", self.db)["tasks"][0]["metrics"][0]["difference"]
        low, high = task["metrics"][0]["interval"]
        self.assertTrue(low <= truth <= high < 0, (low, truth, high))
        # A part of a run is nobody's baseline.
        message = assay("compare", run, full, "--db", self.db, codes=(5,)).stderr
        self.assertIn("stopped early", message)
        message = assay("run", self.suite("6b_finetuning"), "--db", self.db, "--gate", "branch:other", codes=(5,)).stderr
        self.assertIn("branch:other", message)

    def test_equal_answers_pass_early_and_always_after_the_same_samples(self):
        self.convert_gsm8k()
        model = "175b_finetuning"
        self.run_suite(model, "--branch", "main")
        result = self.run_suite(model, "--gate", "best:main")
        task = result["gates"][0]["comparison"]["tasks"][0]
        self.assertEqual(result["gates"][0]["verdict"], "pass")
        self.assertTrue(task["stopped_early"])
        self.assertEqual(task["identical"], task["responses"])
        again = self.run_suite(model, "--gate", "best:main", "--new")
        first, second = (set(self.samples(document["runs"][0]["run"])) for document in (result, again))
        self.assertEqual(first, second)

    def test_trend_follows_a_branch(self):
        self.convert_gsm8k()
        for revision, model in enumerate(["6b_finetuning", "175b_finetuning"]):
            last = self.run_suite(model, "--branch", "main", "--revision", f"r{revision}")["runs"][0]["run"]
        trend = document("runs", "trend", last, "--db", self.db)["runs"]
        self.assertEqual([point["revision"] for point in trend], ["r0", "r1"])
        self.assertIsNone(trend[0]["tasks"][0]["change"])
        self.assertGreater(trend[1]["tasks"][0]["change"]["interval"][0], 0)
        text = assay("runs", "trend", last, "--db", self.db).stdout
        self.assertIn("Holm p", text)


if __name__ == "__main__":
    if not (SHARED / "labelled/gsm8k").exists():
        print("skipped: no shared data at", SHARED)
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
