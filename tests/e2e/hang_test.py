#!/usr/bin/env python3
"""A thread of the engine that never comes back is noticed, and costs the step it hangs in alone.

usage: hang_test.py ASSAY      ASSAY_HANG_SHIM: what makes threads hang once a file is there
"""
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import small_run  # noqa: E402
from small_run import MODEL, WithModel, assay, preloaded  # noqa: E402

SHIM = os.environ["ASSAY_HANG_SHIM"]
SECONDS = 2  # without progress; 900 unless this is set


class Hang(WithModel):
    def setUp(self):
        super().setUp()
        self.hang = self.path / "hang"
        self.environment = preloaded(SHIM, ASSAY_TEST_HANG_FILE=str(self.hang), ASSAY_STALL_SECONDS=str(SECONDS))

    def test_a_run_ends_with_what_is_finished_and_can_be_continued(self):
        suite = self.model_suite(limit=200, tokens=200)
        self.run_whole(suite, self.path / "whole.db")
        process = self.start(suite, env=self.environment)
        self.wait_for_responses(process, 3)
        self.hang.touch()
        began = time.monotonic()
        message = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 6, message)
        self.assertGreater(time.monotonic() - began, SECONDS / 2)
        lines = [line for line in message.splitlines() if line.startswith("assay: ")]
        self.assertEqual(len(lines), 1, message)
        self.assertIn(f"no progress for {SECONDS} s", lines[0])
        stored = self.stored_responses()
        self.assertTrue(3 <= stored < 200, stored)
        self.assert_ends_as(self.export(self.path / "whole.db"), suite)
        self.assertEqual(self.runs()[0]["attempts"], 2)

    def test_at_the_end_of_a_run_it_is_noticed_too(self):
        suite = self.model_suite(limit=3)
        process = self.start(suite, env=self.environment)
        self.wait_for_responses(process, 3)
        self.hang.touch()
        message = process.communicate(timeout=60)[1]
        self.assertIn(process.returncode, (0, 6), message)  # 0: it had ended by then
        self.assertEqual(len(self.export().splitlines()), 3)

    def assert_noticed(self, result, where):
        self.assert_refused(result, 6, f"no progress for {SECONDS} s {where}")

    def test_weights_that_are_quantized_are_watched_too(self):
        self.hang.touch()
        result = assay("quantize", "--model", MODEL, "--to", "fp8", "--out", self.path / "fp8", "--threads", "2", codes=None,
                       env=self.environment)
        self.assert_noticed(result, "while it read weights")

    def test_passes_over_a_text_are_watched_too(self):
        text = self.path / "text.txt"
        text.write_text("Once upon a time there was a small model. " * 20)
        command = ("quantize", "--model", MODEL, "--to", "fp8-static", "--calibrate", text, "--threads", "1", "--window", "64")
        suite = self.model_suite(limit=3, settings=["fp8", "bf16"], numerics={"text": str(text), "tokens": 64, "window": 64})
        self.run_whole(suite)
        with sqlite3.connect(self.db) as store:  # so that the same command begins with them
            store.execute("delete from numerics")
            store.execute("update run set status='interrupted' where setting='bf16'")
        self.hang.touch()
        self.assert_noticed(assay(*command, "--out", self.path / "fp8", codes=None, env=self.environment), "in a step of 64 rows")
        self.assert_noticed(assay("run", suite, "--db", self.db, codes=None, env=self.environment), "in a step of 64 rows")

    def test_a_wrong_time_is_refused_before_the_run(self):
        result = assay("run", self.model_suite(), "--db", self.db, codes=None, env={**os.environ, "ASSAY_STALL_SECONDS": "0"})
        self.assert_refused(result, 2, "ASSAY_STALL_SECONDS=0")


if __name__ == "__main__":
    small_run.main()
