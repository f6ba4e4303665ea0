"""Small runs for tests of crashes and faults: recorded right answers to the small suites, or the demonstration model.

The program may be a sanitized build; `SANITIZED` says so where a limit on memory cannot hold.
"""
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parent.parent.parent
ASSAY = Path(sys.argv[1]).resolve()
MINI = ROOT / "datasets/mini"
MODEL = MINI / "model"
THREAD_SANITIZED = b"__tsan_init" in ASSAY.read_bytes()
SANITIZED = THREAD_SANITIZED or b"__asan_init" in ASSAY.read_bytes()
PROTOCOLS = {"gsm8k": "assay-0shot", "mgsm": "assay", "math": "assay", "humaneval": "assay", "ifeval": "assay"}
os.environ.pop("ASSAY_DB", None)


def preloaded(shim, **variables):
    """The environment of a program that `shim` comes before."""
    return {**os.environ, "LD_PRELOAD": shim, **variables,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def assay(*arguments, codes=(0,), **options):
    """The finished process; an exit code outside `codes` is a failure that shows what it said."""
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, **options)
    # Not as text: that would make line ends of carriage returns.
    result.stdout, result.stderr = (out.decode(errors="replace") for out in (result.stdout, result.stderr))
    if codes is not None and result.returncode not in codes:
        raise AssertionError(f"assay {' '.join(map(str, arguments))}: exit code {result.returncode}: {result.stderr}")
    return result


def no_sandbox():
    return bool(json.loads(assay("doctor", "--json").stdout)["sandbox"]["problem"])


# Among the answers to questions for programs: they must cost their own sample alone.
HOSTILE = (
    "import os\nwhile True:\n    os.fork()\n",
    "import os\nos.kill(-1, 9)\nos._exit(0)\n",
    "import os, sys\nfor n in range(3, 64):\n    try:\n        os.write(n, b'P' * 100)\n    except OSError:\n        pass\n"
    "sys.exit(0)\n",
    "import os\nopen('/tmp/left', 'w').write('x' * 100000)\nos.chmod('/tmp', 0)\nraise SystemExit\n",
)


def write_answers(path, wrong_every=3):
    """The recorded answers as a model; every third one of a task is spoilt."""
    with open(path, "w") as out:
        for number, line in enumerate(gzip.decompress((MINI / "gold.jsonl.gz").read_bytes()).splitlines()):
            row = json.loads(line)
            if number % wrong_every == 0:
                hostile = row["task"] == "humaneval"
                row["response"] = f"```python\n{HOSTILE[number // 3 % len(HOSTILE)]}```" if hostile else "I do not know."
            out.write(json.dumps({"id": row["id"], "response": row["response"]}) + "\n")


class SmallRunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assay-e2e-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.db = self.path / "results.db"

    def suite(self, tasks=("gsm8k",), limit=0, model=None, data=MINI, name="suite", **more):
        answers = self.path / "answers.jsonl"
        if model is None and not answers.exists():
            write_answers(answers)
        text = {"assay_suite": 1, "name": name, "model": model or f"replay:{answers}", "settings": ["bf16"],
                "data": str(data), "allowed_errors": 1000,
                "tasks": [{"task": t, "protocol": PROTOCOLS[t], "custom_data": True, "limit": limit} for t in tasks], **more}
        path = self.path / f"{name}.jsonc"
        path.write_text(json.dumps(text))
        return path

    def run_whole(self, suite, db=None, *arguments, **options):
        """The id of a run that nothing disturbed."""
        result = assay("run", suite, "--db", db or self.db, "--json", *arguments, **options)
        return json.loads(result.stdout)["runs"][0]["run"]

    def runs(self, db=None):
        return json.loads(assay("runs", "list", "--db", db or self.db, "--json").stdout)

    def export(self, db=None, run=None):
        run = run or self.runs(db)[0]["run"]
        return assay("runs", "export", run, "--db", db or self.db, "--no-times").stdout

    def verify(self, db=None):
        assay("runs", "verify", "--db", db or self.db)

    def assert_refused(self, result, code, *names):
        """One line on stderr (progress and notes aside) that names all of `names`."""
        lines = [line for line in result.stderr.splitlines() if line.startswith("assay: ")]
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertLess(len(lines[0]), 4096)
        for name in names:
            self.assertIn(name, lines[0])


class WithModel(SmallRunTest):
    """Runs of the demonstration model: responses come one after the other."""

    def model_suite(self, limit=60, tokens=24, **more):
        path = self.suite(limit=limit, model=more.pop("model", str(MODEL)), **more)
        document = json.loads(path.read_text())
        document["tasks"][0]["sampling"] = {"max_tokens": tokens}
        document.setdefault("engine", {})["threads"] = 1
        path.write_text(json.dumps(document))
        return path

    def start(self, suite, db=None, *arguments, **options):
        process = subprocess.Popen([ASSAY, "run", suite, "--db", db or self.db, "--progress", "none", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

        def end():
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stderr.close()

        self.addCleanup(end)
        return process

    def stored_responses(self, db=None):
        try:
            with sqlite3.connect(f"file:{db or self.db}?mode=ro", uri=True) as connection:
                return connection.execute("select count(*) from generation").fetchone()[0]
        except sqlite3.Error:  # not there yet
            return 0

    def wait_for_responses(self, process, count=1):
        while self.stored_responses() < count:
            self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
            time.sleep(0.005)

    def assert_ends_as(self, whole, suite, db=None):
        """The same command continues the one run there is, and ends with the bytes of `whole`."""
        listed = assay("runs", "list", "--db", db or self.db, "--json", codes=(0, 2))  # 2: its making was cut short
        if listed.returncode == 2 or json.loads(listed.stdout)[0]["status"] != "done":
            assay("run", suite, "--db", db or self.db)
        self.assertEqual(len(self.runs(db)), 1)
        self.assertEqual(self.export(db), whole)
        self.verify(db)


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
