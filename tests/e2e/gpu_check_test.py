"""scripts/gpu_check with programs that stand in for the device: crashes, hangs, wrong kernels, no device.

usage: gpu_check_test.py REPOSITORY
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(sys.argv.pop(1)).resolve()

NVIDIA_SMI = """#!/bin/sh
[ -n "$FAKE_NO_DEVICE" ] && { echo "no devices were found"; exit 6; }
echo "NVIDIA H200, 580.1, 143771, 143000, 345, 1980, 700, 30, 9.0, Disabled"
"""
# Prints what GoogleTest prints; FAKE says what goes wrong, as in {"Wgmma": "crash", "WholeModel": "fail early"}.
TEST = """#!/usr/bin/env python3
import json, os, signal, sys, time
pattern = sys.argv[1].split("=")[1]
for word, what in json.loads(os.environ.get("FAKE", "{}")).items():
    if word not in pattern:
        continue
    if " " in what and os.environ.get("ASSAY_CUDA_" + what.split()[1].upper()) == "0":
        continue
    what = what.split()[0]
    print("[ RUN      ] Fake.Begun/0", flush=True)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        time.sleep(600)
    print("Failure: values differ\\n[  FAILED  ] Fake.Begun/0 (1 ms)")
    sys.exit(1)
print("[ RUN      ] Fake.Fine\\n[       OK ] Fake.Fine (1 ms)")
"""
BENCH = """#!/usr/bin/env python3
import json, os, sys, time
if "load" in sys.argv and os.environ.get("FAKE_BENCH") == "broken":
    print("gpu_bench: CUDA: out of memory", file=sys.stderr)
    sys.exit(6)
if sys.argv[1] == "load":
    print(json.dumps({"bench": "load", "requests": int(sys.argv[5]), "output": int(sys.argv[4]), "decode_s": 2.0,
                      "weight_bytes": 72000000000, "kernels": os.environ.get("ASSAY_CUDA_KERNELS", ""),
                      "pairs": os.environ.get("ASSAY_CUDA_PAIRS", ""), "early": os.environ.get("ASSAY_CUDA_EARLY", "")}))
elif os.environ.get("FAKE_BENCH") == "held":
    time.sleep(600)
else:
    print(json.dumps({"bench": "gemm", "gb_per_s": 3000.0}))
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.build = Path(self.folder.name)
        for name, text in {"bin/nvidia-smi": NVIDIA_SMI, "tests/engine_gpu_test": TEST, "bench/gpu_bench": BENCH}.items():
            path = self.build / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)

    def tearDown(self):
        self.folder.cleanup()

    def start(self, fake, minutes, only, earlier, environment):
        words = [sys.executable, REPOSITORY / "scripts/gpu_check", "--build-dir", self.build, "--out", self.build / "record.json",
                 "--minutes", str(minutes), "--bundle", self.build / "none"] + (["--only", only] if only else [])
        words += ["--continue", earlier] if earlier else []
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={
            **os.environ, "PATH": f"{self.build / 'bin'}:{os.environ['PATH']}", "FAKE": json.dumps(fake or {}), **environment})

    def record(self):
        record = json.loads((self.build / "record.json").read_text())
        steps = {step["step"]: step for step in record["steps"]}
        self.assertEqual(len(steps), len(record["steps"]), "a step stands twice")
        return record, steps

    def run_check(self, fake=None, minutes=2.0, only="tests,load: 70b decode", earlier=None, **environment):
        child = self.start(fake, minutes, only, earlier, environment)
        self.text, _ = child.communicate(timeout=300)
        return child.returncode, *self.record()

    def load(self, steps):
        return steps["load: 70b decode, batch 1"]["figures"]

    def test_all_well(self):
        code, record, steps = self.run_check(only="")
        self.assertEqual(record["device"]["name"], "NVIDIA H200")
        self.assertEqual(record["measured_with"], {"kernels": "wgmma", "environment": {}})
        self.assertEqual(self.load(steps)["decode_tokens_per_s"], 63.5)
        names = list(steps)
        self.assertLess(names.index("tests: whole models, wgmma"), names.index("load: 70b decode, batch 1"))
        self.assertLess(names.index("load: 70b decode, batch 1"), names.index("sanitizer: memcheck"))
        for way in ("early starts", "steps ahead", "wide tiles", "pairs", "fold", "fast"):
            self.assertTrue(any(way in name for name in names), f"nothing shows what {way} is worth")
        # What is not on this machine (cuobjdump, compute-sanitizer) is recorded, whatever it is.
        self.assertEqual(code, 0 if all(step["ok"] for step in steps.values()) else 1)

    def test_crash_of_pairs_falls_back_to_single_blocks(self):
        code, record, steps = self.run_check({"PairsOfBlocks": "crash"})
        self.assertEqual(code, 1)
        self.assertEqual(steps["tests: products, pairs"]["reason"], "ended by SIGSEGV")
        self.assertEqual(steps["tests: products, pairs"]["last_begun"], "Fake.Begun/0")
        self.assertEqual(record["measured_with"]["kernels"], "wgmma without pairs")
        self.assertEqual(self.load(steps)["pairs"], "0")
        _, record, _ = self.run_check({"PairsOfBlocks": "crash", "ClustersFold": "fail"})
        self.assertEqual(record["measured_with"]["environment"], {"ASSAY_CUDA_PAIRS": "0", "ASSAY_CUDA_FOLD": "0"})
        _, record, _ = self.run_check({"WideTiles": "hang"}, minutes=0.2)
        self.assertEqual(record["measured_with"]["environment"]["ASSAY_CUDA_WIDE"], "0")

    def test_steps_ahead_and_graphs_are_given_up_when_they_alone_fail(self):
        _, record, _ = self.run_check({"ExactModel": "crash ahead"})
        self.assertEqual(record["measured_with"], {"kernels": "wgmma", "environment": {"ASSAY_CUDA_AHEAD": "0"}})
        _, record, steps = self.run_check({"ExactModel": "fail graphs"})
        self.assertFalse(steps["tests: whole models, exact, no steps ahead"]["ok"])
        self.assertEqual(record["measured_with"], {"kernels": "wgmma", "environment": {"ASSAY_CUDA_GRAPHS": "0"}})

    def test_the_speed_of_wrong_kernels_is_told(self):
        _, _, steps = self.run_check({"Wgmma": "fail"}, only="tests,gemm: 70b gate_up, 1 ")
        self.assertTrue(steps["gemm: 70b gate_up, 1 tokens, wgmma"]["ok"])
        self.assertTrue(steps["gemm: 70b gate_up, 1 tokens, mma"]["ok"])

    def test_a_second_call_goes_on_where_the_first_was_cut_off(self):
        child = self.start({}, 2.0, "", None, {"FAKE_BENCH": "held"})
        for line in child.stdout:
            if "demonstration" in line:
                break
        child.kill()  # the machine is taken away
        child.communicate()
        record, steps = self.record()
        self.assertIn("load: 70b decode, batch 1", steps)
        self.assertFalse(any(name.startswith("gemm") for name in steps))
        first = self.build / "first.json"
        first.write_text(json.dumps(record))
        _, record, steps = self.run_check({"Wgmma": "crash"}, only="", earlier=first)
        self.assertEqual(record["measured_with"], {"kernels": "wgmma", "environment": {}})
        self.assertNotIn("tests: products", self.text)
        self.assertNotIn("load: 70b decode", self.text)
        self.assertTrue(steps["gemm: 70b qkv, 1 tokens, wgmma"]["ok"])

    def test_wrong_wgmma_falls_back_to_mma_and_then_to_exact(self):
        _, record, steps = self.run_check({"Wgmma": "fail"})
        self.assertEqual(steps["tests: products, wgmma"]["failures"], ["Fake.Begun/0"])
        self.assertEqual(self.load(steps)["kernels"], "mma")
        _, record, steps = self.run_check({"Wgmma": "fail", "Mma": "fail"})
        self.assertEqual(record["measured_with"]["kernels"], "exact")
        self.assertEqual(self.load(steps)["kernels"], "exact")

    def test_early_starts_are_given_up_when_they_alone_fail(self):
        _, record, steps = self.run_check({"WholeModel": "fail early"})
        self.assertTrue(steps["tests: whole models, wgmma, no early starts"]["ok"])
        self.assertEqual(record["measured_with"], {"kernels": "wgmma", "environment": {"ASSAY_CUDA_EARLY": "0"}})
        self.assertEqual(self.load(steps)["early"], "0")

    def test_models_that_end_the_program_fall_back_and_those_that_are_off_do_not(self):
        _, record, _ = self.run_check({"WholeModel*_wgmma": "crash"})
        self.assertEqual(record["measured_with"], {"kernels": "mma", "environment": {"ASSAY_CUDA_KERNELS": "mma"}})
        code, record, _ = self.run_check({"WholeModel*_wgmma": "fail"})
        self.assertEqual((code, record["measured_with"]), (1, {"kernels": "wgmma", "environment": {}}))

    def test_tests_that_hang_end_at_their_limit_and_leave_time_for_speed(self):
        code, record, steps = self.run_check({"Wgmma": "hang"}, minutes=0.1)
        self.assertEqual(code, 1)
        self.assertEqual(steps["tests: products, wgmma"]["reason"], "out of time")
        self.assertEqual(steps["tests: row kernels"]["reason"], "no time left")
        self.assertTrue(steps["load: 70b decode, batch 1"]["ok"])
        self.assertEqual(record["measured_with"]["kernels"], "mma")

    def test_a_broken_load_is_recorded(self):
        code, _, steps = self.run_check(FAKE_BENCH="broken")
        self.assertEqual(code, 1)
        self.assertIn("out of memory", steps["load: 70b decode, batch 1"]["reason"])

    def test_no_device(self):
        code, record, _ = self.run_check(FAKE_NO_DEVICE="1")
        self.assertEqual(code, 6)
        self.assertEqual(record["result"], "no device")


if __name__ == "__main__":
    unittest.main()
