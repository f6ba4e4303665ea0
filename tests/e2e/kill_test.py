#!/usr/bin/env python3
"""A run killed at random moments: nothing stored is lost or changed, and its end equals an undisturbed run's.

usage: kill_test.py ASSAY [--kills N] [--seed N]      25 kills; the seed is printed
Two models (recorded answers, the demonstration model) and three tasks, one of them code in a sandbox.
"""
import argparse
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import small_run  # noqa: E402
from small_run import ASSAY, MODEL, assay  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("assay")
parser.add_argument("--kills", type=int, default=25)
parser.add_argument("--seed", type=int, default=int(os.environ.get("ASSAY_TEST_SEED", time.time_ns() % 10**9)))
OPTIONS = parser.parse_args()

SCORE_FIELDS = ("verdict", "value", "answer", "reason", "detail", "parts")
PR_SET_CHILD_SUBREAPER = 36


def wait_for_orphans(seconds=20):
    """What the killed process left becomes ours (we are its subreaper) and must end by itself."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return
    raise AssertionError(f"processes outlive the killed run by {seconds} s")


class Kill(small_run.SmallRunTest):
    def command(self, db):
        return [ASSAY, "run", self.file, "--db", db, "--progress", "none"]

    def stored(self, db):
        """run -> {(task, id, repeat): response and score}, of what the file holds now."""
        if not db.exists():
            return {}
        found = {}
        listed = assay("runs", "list", "--db", db, "--json", codes=(0, 2))
        if listed.returncode == 2:  # killed while the file was being made
            self.assertRegex(listed.stderr, "empty|not finished")
            return {}
        self.verify(db)
        for run in json.loads(listed.stdout):
            rows = [json.loads(line) for line in self.export(db, run["run"]).splitlines()]
            found[run["run"]] = {(r["task"], r["id"], r["repeat"]): r for r in rows}
        return found

    def assert_kept(self, before, after):
        for run, rows in before.items():
            for key, row in rows.items():
                now = after[run][key]
                if row.get("verdict", "unscored") == "unscored":
                    row, now = ({k: v for k, v in r.items() if k not in SCORE_FIELDS} for r in (row, now))
                self.assertEqual(row, now)

    def exports(self, db):
        return {run["setting"]: self.export(db, run["run"]) for run in self.runs(db)}

    def test_nothing_is_lost_and_the_end_is_the_same(self):
        print(f"{OPTIONS.kills} kills, seed {OPTIONS.seed}", flush=True)
        randoms = random.Random(OPTIONS.seed)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        tasks = ["gsm8k", "math"] if small_run.no_sandbox() else ["gsm8k", "math", "humaneval"]
        self.file = self.suite(tasks, limit=24)
        document = json.loads(self.file.read_text())
        document["models"] = [document.pop("model"), {"path": str(MODEL), "settings": ["bf16"]}]
        for task in document["tasks"]:
            task["sampling"] = {"max_tokens": 12}
        self.file.write_text(json.dumps(document))
        began = time.monotonic()
        subprocess.run(self.command(self.path / "whole.db"), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        whole = self.exports(self.path / "whole.db")

        finished = kills = terminated = early = 0
        db = self.path / "killed-0.db"
        before = {}
        while kills < OPTIONS.kills:
            is_early = randoms.random() < 0.25
            delay = randoms.uniform(0, 0.1) if is_early else randoms.uniform(0, seconds)
            sent = signal.SIGTERM if randoms.random() < 0.2 else signal.SIGKILL
            process = subprocess.Popen(self.command(db), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.send_signal(sent)
            error = process.communicate(timeout=60)[1]
            self.assertIn(process.returncode, (0, 143, -sent), error)
            wait_for_orphans()
            after = self.stored(db)
            self.assert_kept(before, after)
            before = after
            if process.returncode == 0:  # it was quicker than the kill
                self.assertEqual(self.exports(db), whole)
                finished += 1
                db, before = self.path / f"killed-{finished}.db", {}
            else:
                kills += 1
                early += is_early
                terminated += sent == signal.SIGTERM
        subprocess.run(self.command(db), check=True, stdout=subprocess.DEVNULL)
        self.assertEqual(self.exports(db), whole)
        print(f"{kills} kills survived ({terminated} SIGTERM, {early} within 100 ms) over {finished + 1} runs of "
              f"{seconds:.1f} s; every run ended with the bytes of an undisturbed one", flush=True)


if __name__ == "__main__":
    sys.argv[2:] = []
    small_run.main()
