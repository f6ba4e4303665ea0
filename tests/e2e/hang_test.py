#!/usr/bin/env python3
"""A thread of the engine that never comes back is noticed, and costs the step it hangs in alone.

usage: hang_test.py ASSAY      ASSAY_HANG_SHIM: what makes threads hang once a file is there
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import small_run  # noqa: E402
from small_run import WithModel, assay, preloaded  # noqa: E402

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

    def test_a_wrong_time_is_refused_before_the_run(self):
        result = assay("run", self.model_suite(), "--db", self.db, codes=None, env={**os.environ, "ASSAY_STALL_SECONDS": "0"})
        self.assert_refused(result, 2, "ASSAY_STALL_SECONDS=0")


if __name__ == "__main__":
    small_run.main()
