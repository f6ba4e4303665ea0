#!/usr/bin/env python3
"""A machine that forbids user namespaces: HumanEval is refused with what is missing and how to get it, all else runs.

The machine is made so in two ways: by the kernel's own setting, in a user namespace where it is 0, and by a system-call
filter as containers have it.

usage: forbidden_namespaces_test.py ASSAY SHARED      exits 77 (skipped) when the shared data is missing
"""
import ctypes
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ASSAY = Path(sys.argv[1]).resolve()
SHARED = Path(sys.argv[2]).resolve()
MODEL = SHARED / "models" / "stories260K"
CLONE_NEWUSER = 0x10000000
libc = ctypes.CDLL(None, use_errno=True)


def forbid_by_setting():
    """In a child before it executes: an ordinary user of a new namespace in which no other may be made."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        os._exit(99)
    for name, text in (("setgroups", "deny"), ("uid_map", f"1000 {uid} 1"), ("gid_map", f"1000 {gid} 1")):
        Path("/proc/self", name).write_text(text)
    Path("/proc/sys/user/max_user_namespaces").write_text("0")


def forbid_by_filter():
    """As above: clone and unshare with CLONE_NEWUSER fail, clone3 is absent."""
    clone, unshare, clone3 = {"x86_64": (56, 272, 435), "aarch64": (220, 97, 435)}[os.uname().machine]
    allow, eperm, enosys = 0x7fff0000, 0x00050001, 0x00050026
    code = [(0x20, 0, 0, 0),                                     # load the call's number
            (0x15, 0, 1, clone3), (0x06, 0, 0, enosys),
            (0x15, 1, 0, clone), (0x15, 0, 3, unshare),
            (0x20, 0, 0, 16),                                    # load the low half of the first argument
            (0x45, 0, 1, CLONE_NEWUSER), (0x06, 0, 0, eperm),
            (0x06, 0, 0, allow)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in code))
    head = struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(program))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, head, 0, 0) != 0:
        os._exit(99)


def assay(*arguments, forbid):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, preexec_fn=forbid)
    if result.returncode == 99 and not result.stderr:
        raise unittest.SkipTest("this machine cannot be made to forbid namespaces: it does already")
    return result


class Forbidden(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="assay-e2e-")
        self.path = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def test_doctor_says_what_is_missing(self):
        for forbid, words in ((forbid_by_setting, "sysctl user.max_user_namespaces="), (forbid_by_filter, "seccomp")):
            sandbox = json.loads(assay("doctor", "--json", forbid=forbid).stdout)["sandbox"]
            self.assertEqual(sandbox["strength"], "none")
            self.assertIn("the kernel refuses new namespaces", sandbox["problem"])
            self.assertIn(words, sandbox["advice"])
            self.assertFalse(any(sandbox["checks"].values()), "a check that was not made does not hold")

    def test_humaneval_is_refused(self):
        responses = self.path / "responses.jsonl"
        responses.write_text(json.dumps({"id": "HumanEval/0", "response": "    return False\n"}) + "\n")
        for forbid, words in ((forbid_by_setting, "sysctl user.max_user_namespaces="), (forbid_by_filter, "seccomp")):
            result = assay("score", "humaneval", "--data", SHARED / "datasets", "--responses", responses, forbid=forbid)
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
            for text in ("the kernel refuses new namespaces", words, "--unsafe-exec", "--sandbox reduced"):
                self.assertIn(text, result.stderr)

    def suite(self, tasks):
        text = {"assay_suite": 1, "name": "e2e", "model": str(MODEL), "settings": ["bf16"],
                "data": str(SHARED / "datasets"),
                "engine": {"threads": 2, "chat_format": "plain", "long_prompts": "truncate"},
                "tasks": [{"task": task, "limit": 1, "sampling": {"max_tokens": 8}} for task in tasks],
                "allowed_errors": 8}
        path = self.path / "suite.jsonc"
        path.write_text(json.dumps(text))
        return path

    def test_the_other_tasks_run(self):
        others = ["mmlu", "gpqa", "math", "math500", "gsm8k", "mgsm", "ifeval"]
        suite = self.suite(["humaneval"] + others)
        for number, forbid in enumerate((forbid_by_setting, forbid_by_filter)):
            db = self.path / f"{number}.db"
            result = assay("run", suite, "--db", db, "--json", forbid=forbid)
            self.assertEqual(result.returncode, 4, result.stderr)
            self.assertIn("humaneval is left out: sandbox: ", result.stderr)
            tasks = {task["task"]: task for task in json.loads(result.stdout)["runs"][0]["tasks"]}
            self.assertEqual(sorted(tasks), sorted(others))
            for task in tasks.values():
                self.assertGreater(task["samples"], 0, task)

    def test_a_suite_of_code_alone_is_refused(self):
        result = assay("run", self.suite(["humaneval"]), "--db", self.path / "x.db", forbid=forbid_by_setting)
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertFalse((self.path / "x.db").exists())

    def test_the_reduced_sandbox_needs_no_namespaces(self):
        sandbox = json.loads(assay("doctor", "--json", "--sandbox", "reduced", forbid=forbid_by_setting).stdout)["sandbox"]
        if "Landlock" in sandbox["advice"]:
            self.skipTest("this kernel has no Landlock")
        self.assertEqual(sandbox["problem"], "")
        self.assertTrue(sandbox["strength"].startswith("reduced"))
        self.assertEqual(len(sandbox["checks"]), 9)
        self.assertTrue(all(sandbox["checks"].values()))

    def test_the_strength_is_stored_and_shown(self):
        doctor = subprocess.run([ASSAY, "doctor", "--json"], capture_output=True, text=True)
        if json.loads(doctor.stdout)["sandbox"]["problem"]:
            self.skipTest("this machine allows no sandbox")
        for level in ("full", "reduced"):
            db, page = self.path / f"{level}.db", self.path / f"{level}.html"
            ran = subprocess.run([ASSAY, "run", self.suite(["humaneval"]), "--db", db, "--json", "--sandbox", level],
                                 capture_output=True, text=True)
            if level == "reduced" and "Landlock" in ran.stderr:
                continue
            self.assertEqual(ran.returncode, 0, ran.stderr)
            run = json.loads(ran.stdout)["runs"][0]["run"]
            shown = subprocess.run([ASSAY, "runs", "show", run, "--json", "--db", db], capture_output=True, text=True)
            subprocess.run([ASSAY, "report", "--db", db, "--html", page], check=True, capture_output=True)
            for text in (shown.stdout, page.read_text()):
                self.assertIn(f"{level} (", text)
                self.assertIn("system-call filter", text)


if __name__ == "__main__":
    if not MODEL.exists():
        print(f"skipped: shared data is missing: {MODEL}")
        sys.exit(77)
    for name in ("ASSAY_DB", "ASSAY_DATA"):
        os.environ.pop(name, None)
    unittest.main(argv=[sys.argv[0]], verbosity=2)
