#!/usr/bin/env python3
"""The main job as a user runs it: real checkpoint and data in; scores, store and report out.

usage: main_job_test.py ASSAY SHARED      exits 77 (skipped) when the shared data is missing
"""
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ASSAY = Path(sys.argv[1]).resolve()
SHARED = Path(sys.argv[2]).resolve()
MODEL = SHARED / "models" / "stories260K"


def assay(*arguments, check=True, **options):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"assay {arguments} ended with {result.returncode}: {result.stderr}")
    return result


class MainJob(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="assay-e2e-")
        self.path = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def suite(self, tasks, settings=("bf16", "fp8"), model=MODEL, **more):
        text = {"assay_suite": 1, "name": "e2e", "model": str(model), "settings": list(settings),
                "data": str(SHARED / "datasets"),
                "engine": {"threads": 2, "chat_format": "plain", "long_prompts": "truncate"},
                "tasks": tasks, **more}
        path = self.path / "suite.jsonc"
        path.write_text(json.dumps(text))
        return path

    def export(self, db, run):
        return assay("runs", "export", run, "--db", db, "--no-times").stdout

    def run_suite(self, suite, db, *arguments):
        return json.loads(assay("run", suite, "--db", db, "--json", *arguments).stdout)

    def published(self, form, count=6):
        """Published answers to GSM8K in one of the two forms; every second one is right."""
        questions = [json.loads(line) for line in
                     (SHARED / "datasets/gsm8k/test.jsonl").read_text().splitlines()[:count]]
        path = self.path / f"{form}.jsonl"
        with open(path, "w") as out:
            for number, row in enumerate(questions):
                gold = row["answer"].split("#### ")[1]
                response = f"The final answer is {gold if number % 2 == 0 else 999999}."
                prompt = f"Once upon a time. {row['question']}\nAnswer:"
                if form == "meta":
                    line = {"task_name": "gsm8k", "input_question": row["question"],
                            "input_final_prompts": [prompt],
                            "input_final_prompts_hash": [hashlib.sha256(prompt.encode()).hexdigest()],
                            "output_prediction_text": [response], "output_parsed_answer": "",
                            "is_correct": number % 2 == 0}
                else:
                    line = {"doc_id": number, "doc": {"question": row["question"]}, "target": gold,
                            "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": []}}},
                            "resps": [[response]], "filtered_resps": [gold],
                            "exact_match": float(number % 2 == 0)}
                out.write(json.dumps(line) + "\n")
        return path

    def test_published_answers_are_compared_item_by_item_with_a_run_on_their_prompts(self):
        for form in ("meta", "lm_eval"):
            db = self.path / f"{form}.db"
            prompts = self.published(form)
            scored = json.loads(assay(
                "score", "gsm8k@assay-0shot", "--data", SHARED / "datasets", "--prompts", prompts,
                "--db", db, "--model", "theirs", "--json").stdout)
            self.assertEqual(scored["published"], {"compared": 6, "agree": 6, "only_ours": 0,
                                                   "only_theirs": 0})
            suite = self.suite([{"task": "gsm8k", "protocol": "assay-0shot", "limit": 6,
                                 "prompts": str(prompts)}], settings=("bf16",))
            ours = self.run_suite(suite, db)["runs"][0]["run"]
            runs = json.loads(assay("runs", "list", "--db", db, "--json").stdout)
            theirs = next(run["run"] for run in runs if run["run"] != ours)
            compared = json.loads(assay("compare", theirs, ours, "--db", db, "--json").stdout)
            task = compared["tasks"][0]
            self.assertEqual(task["items"], 6)
            self.assertEqual(task["right_to_wrong"], 3)
            self.assertEqual(len(task["flips"]), 3)
            self.assertIn("final answer", task["flips"][0]["baseline_response"])

    def test_two_settings_side_by_side_and_a_second_run_gives_the_same_bytes(self):
        suite = self.suite([{"task": "gsm8k", "protocol": "assay-0shot", "limit": 100,
                             "sampling": {"max_tokens": 24}},
                            {"task": "mmlu", "limit_per_group": 1}])
        exports = []
        for name in ("a.db", "b.db"):
            result = self.run_suite(suite, self.path / name)
            self.assertEqual([r["setting"] for r in result["runs"]], ["bf16", "fp8"])
            for run in result["runs"]:
                tasks = {t["task"]: t for t in run["tasks"]}
                self.assertEqual(tasks["gsm8k"]["samples"], 100)
                self.assertEqual(tasks["mmlu"]["samples"], 57)
                self.assertIn("accuracy", tasks["mmlu"]["metrics"])
            exports.append([self.export(self.path / name, r["run"]) for r in result["runs"]])
        self.assertEqual(exports[0], exports[1])
        self.assertNotEqual(exports[0][0], exports[0][1])
        page = self.path / "report.html"
        assay("report", "--db", self.path / "a.db", "--html", page)
        text = page.read_text()
        for word in ("bf16", "fp8", "gsm8k", "mmlu", "Content-Security-Policy"):
            self.assertIn(word, text)

    def test_every_benchmark_runs_is_scored_and_shown(self):
        short = {"max_tokens": 16}
        names = ["gpqa", "math", "math500", "humaneval", "gsm8k", "mgsm", "ifeval"]
        if json.loads(assay("doctor", "--json").stdout)["sandbox"]["problem"]:
            names.remove("humaneval")  # refused here; tests/e2e/forbidden_namespaces_test.py
        suite = self.suite(["mmlu"] + [{"task": task, "sampling": short} for task in names],
                           settings=["fp8"], allowed_errors=3)
        db = self.path / "all.db"
        run = self.run_suite(suite, db, "--limit", 3)["runs"][0]
        self.assertEqual(len(run["tasks"]), 1 + len(names))
        for task in run["tasks"]:
            self.assertEqual(task["samples"], 3, task)
            self.assertTrue(task["metrics"], task)
            # IFEval's language checks need data that may be missing.
            if task["task"] != "ifeval":
                self.assertEqual(task["unscored"], 0, task)
        page = self.path / "all.html"
        assay("report", "--db", db, "--html", page)
        self.assertIn("withheld", page.read_text())

    def test_an_interrupted_run_continues_and_equals_an_uninterrupted_one(self):
        suite = self.suite([{"task": "gsm8k", "protocol": "assay-0shot", "limit": 60,
                             "sampling": {"max_tokens": 200}}], settings=["bf16"])
        whole = self.run_suite(suite, self.path / "whole.db")["runs"][0]["run"]
        db = self.path / "cut.db"
        codes = []
        for number, delay in enumerate((0.15, 0.3, 0.6)):
            process = subprocess.Popen([ASSAY, "run", suite, "--db", db], stderr=subprocess.PIPE, text=True)
            time.sleep(delay)
            sent = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL][number]
            process.send_signal(sent)
            message = process.communicate(timeout=20)[1]
            codes.append(process.returncode)
            if process.returncode == 130:
                self.assertIn("continues", message)
        result = self.run_suite(suite, db)["runs"][0]
        self.assertEqual(self.export(self.path / "whole.db", whole), self.export(db, result["run"]))
        for code in codes:
            self.assertIn(code, (0, 130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGKILL))

    def assert_refused(self, *arguments, names):
        result = assay(*arguments, check=False)
        self.assertEqual(result.returncode, 2, result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for name in names:
            self.assertIn(name, lines[0])

    def test_unusable_input_is_one_line_and_exit_code_2(self):
        db = self.path / "x.db"
        good = [{"task": "gsm8k", "protocol": "assay-0shot", "limit": 1}]
        self.assert_refused("run", self.path / "none.jsonc", "--db", db, names=["none.jsonc"])
        self.assert_refused("run", self.suite([{"task": "gsm8k", "limt": 1}]), "--db", db,
                            names=["suite.jsonc:1:", "limt", "limit"])
        self.assert_refused("run", self.suite(good, settings=["fp9"]), "--db", db, names=["fp9", "fp8"])
        self.assert_refused("run", self.suite(good, model=self.path / "nowhere"), "--db", db, names=["nowhere"])
        broken = self.path / "broken"
        broken.mkdir()
        for file in MODEL.iterdir():
            data = file.read_bytes()
            (broken / file.name).write_bytes(data[:-1000] if file.name == "model.safetensors" else data)
        self.assert_refused("run", self.suite(good, model=broken), "--db", db,
                            names=["model.safetensors"])
        self.assert_refused("frobnicate", names=["frobnicate"])
        self.assertFalse(db.exists(), "a refused run made a store")


if __name__ == "__main__":
    if not MODEL.exists():
        print(f"skipped: shared data is missing: {MODEL}")
        sys.exit(77)
    os.environ.pop("ASSAY_DB", None)
    unittest.main(argv=[sys.argv[0]], verbosity=2)
