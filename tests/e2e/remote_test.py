#!/usr/bin/env python3
"""A suite through `assay serve` gives what it gives in process: the same scores, samples and log-probabilities, bit by bit.

usage: remote_test.py ASSAY SOURCE_DIR
"""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ASSAY, SOURCE = (Path(argument).resolve() for argument in sys.argv[1:3])
MODEL = SOURCE / "datasets/mini/model"
ENVIRONMENT = {key: value for key, value in os.environ.items()
               if not key.lower().endswith("_proxy") and not key.startswith(("ASSAY_", "OPENAI_"))}
# Chats, plain texts with stop strings, choices by likelihood, drawn answers with repeats.
TASKS = [
    {"task": "gsm8k@assay-0shot", "custom_data": True, "limit": 12, "sampling": {"max_tokens": 96}},
    {"task": "mgsm@assay", "custom_data": True, "limit": 11, "repeats": 2,
     "sampling": {"max_tokens": 48, "temperature": 0.9, "top_p": 0.95}},
    {"task": "mmlu@assay", "custom_data": True, "limit": 24},
    {"task": "mmlu@helm", "custom_data": True, "limit": 12},
    {"task": "mmlu@assay-cot", "custom_data": True, "limit": 12, "sampling": {"max_tokens": 80}},
]


def assay(*arguments, check=0, **more):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True,
                            env={**ENVIRONMENT, **more})
    if check is not None and result.returncode != check:
        raise AssertionError(f"{arguments}: exit code {result.returncode}: {result.stderr}")
    return result


class Serving:
    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [ASSAY, "serve", "--model", str(MODEL), "--chat-format", "plain", "--threads", "1", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        self.base = self.process.stdout.readline().strip()
        if not self.base:
            raise AssertionError(f"it did not start: {self.process.communicate()[1]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Remote(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.suite = self.path / "suite.jsonc"
        self.suite.write_text(json.dumps({
            "assay_suite": 1, "name": "remote", "data": str(SOURCE / "datasets/mini"), "model": str(MODEL),
            "settings": ["fp8"], "seed": 7, "allowed_errors": 0, "engine": {"chat_format": "plain"}, "tasks": TASKS}))

    def run_suite(self, db, *more, check=0, **environment):
        return assay("run", self.suite, "--db", self.path / db, "--json", *more, check=check, **environment)

    def export(self, db, *more):
        run = json.loads(assay("runs", "list", "--db", self.path / db, "--json").stdout)[0]["run"]
        return assay("runs", "export", run, "--db", self.path / db, *more).stdout

    def test_a_served_model_gives_what_it_gives_in_process(self):
        here = json.loads(self.run_suite("here.db").stdout)["runs"][0]
        for stream in ([], ["--no-stream"]):
            with Serving("--port", 0) as server:
                db = f"there{len(stream)}.db"
                there = json.loads(self.run_suite(db, "--model", server.base, *stream).stdout)["runs"][0]
                self.assertEqual(here["tasks"], there["tasks"])
                mine, other = self.export("here.db", "--no-times"), self.export(db, "--no-times")
                for a, b in zip(mine.splitlines(), other.splitlines()):
                    self.assertEqual(a, b)
                self.assertEqual(mine, other)
                line = json.loads(self.export(db).splitlines()[0])
                self.assertEqual(line["served"]["endpoint"], server.base)
                self.assertEqual(line["served"]["attempts"], 1)

    def wait_for_samples(self, db, count):
        """Until a run under way has stored so many."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with sqlite3.connect(f"file:{self.path / db}?mode=ro", uri=True) as connection:
                    if connection.execute("SELECT count(*) FROM generation").fetchone()[0] >= count:
                        return
            except sqlite3.OperationalError:
                pass  # not made yet
            time.sleep(0.01)
        self.fail(f"{db} never had {count} samples")

    def test_two_servers_share_the_work_and_one_may_go(self):
        mine = self.run_suite("here.db")
        self.assertEqual(mine.returncode, 0)
        with Serving("--port", 0) as one, Serving("--port", 0) as two:
            arguments = [ASSAY, "run", self.suite, "--db", self.path / "both.db", "--model", f"{one.base},{two.base}",
                         "--max-batch", "2", "--progress", "none"]
            running = subprocess.Popen(list(map(str, arguments)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True, env=ENVIRONMENT)
            self.wait_for_samples("both.db", 5)
            two.process.send_signal(signal.SIGKILL)
            _, messages = running.communicate(timeout=300)
            self.assertEqual(running.returncode, 0, messages)
        self.assertEqual(self.export("here.db", "--no-times"), self.export("both.db", "--no-times"))

    def test_a_run_that_lost_its_server_goes_on_where_it_was(self):
        with Serving("--port", 0) as server:
            port = server.base.rsplit(":", 1)[1].split("/")[0]
            running = subprocess.Popen(
                list(map(str, [ASSAY, "run", self.suite, "--db", self.path / "lost.db", "--model", server.base,
                               "--max-batch", "2", "--give-up-after", "1", "--progress", "none"])),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
            self.wait_for_samples("lost.db", 5)
            server.process.kill()
            server.process.wait()
            _, messages = running.communicate(timeout=120)
            self.assertEqual(running.returncode, 6, messages)
            self.assertIn("the same command", messages)
        with Serving("--port", port) as server:
            self.run_suite("lost.db", "--model", server.base)
        self.run_suite("here.db")
        self.assertEqual(self.export("here.db", "--no-times"), self.export("lost.db", "--no-times"))

    def test_a_prompt_alone_and_its_likelihood_are_the_same(self):
        with Serving("--port", 0) as server:
            for more in (["--max-tokens", 12], ["--max-tokens", 12, "--logprobs", 3],
                         ["--chat", "--max-tokens", 12, "--logprobs", 3], ["--ids", "1,2,3,4", "--logprobs", 2],
                         ["--score", " five"], ["--score", "five and more"], ["--chat", "--temperature", 0.8]):
                arguments = ["generate", "--prompt", "Question: What is 2 + 3?\nAnswer: ", "--json", *more]
                here = json.loads(assay(*arguments, "--model", MODEL, "--chat-format", "plain", "--threads", 1).stdout)
                there = json.loads(assay(*arguments, "--model", server.base).stdout)
                here.pop("times_ns", None)
                there.pop("times_ns", None)
                self.assertEqual(here, there, more)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
