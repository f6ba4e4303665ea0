#!/usr/bin/env python3
"""assay bench as a user runs it, on the demonstration model: store, compare, gate, page, exchange with other tools.

usage: bench_test.py ASSAY REPOSITORY
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ASSAY, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
MODEL = ROOT / "datasets/mini/model"
# A sanitizer slows the loops that measure the machine otherwise than it slows the engine: no bound is one then.
BOUNDS_HOLD = os.environ.get("ASSAY_TEST_SLOWDOWN", "1") == "1"
ANY_NOISE = ["--allowed-noise", "1000", "--allowed-drift", "1", "--quiet"]


def assay(*words, expected=0):
    # Time that a hypervisor took makes repetitions invalid, whatever noise is allowed: measured again.
    for _ in range(5):
        done = subprocess.run([ASSAY, *map(str, words)], capture_output=True, text=True, timeout=300)
        if "the hypervisor took" not in done.stderr:
            break
    assert done.returncode == expected, f"{words}: exit code {done.returncode}, wanted {expected}\n{done.stderr[-2000:]}"
    return done.stdout


def cases(text):
    return {entry["case"]: entry for entry in map(json.loads, text.splitlines())}


def check_latency(db):
    words = ["bench", "latency", "--model", MODEL, "--batch", "1,2", "--input", 16, "--output", 8, "--iterations", 2,
             "--min-time", 0, "--starts", 1, "--reps", 4, "--warm-up", 1, "--db", db, "--json", *ANY_NOISE]
    first, second = cases(assay(*words)), cases(assay(*words))
    case = first["latency/batch:2/in:16/out:8"]
    metrics = case["metrics"]
    for name in ("ttft_ms_p50", "tpot_ms_p50", "itl_ms_p99", "e2e_ms_p90", "output_tokens_per_s", "tpot_bound_ms"):
        assert metrics[name]["mean"] > 0 and metrics[name]["reps"] == 4, name
        assert metrics[name]["ci95"][0] <= metrics[name]["mean"] <= metrics[name]["ci95"][1], name
    assert 0 < metrics["tpot_share_of_bound"]["mean"] and (metrics["tpot_share_of_bound"]["mean"] < 1 or not BOUNDS_HOLD)
    assert any(name.startswith("roofline/cpu") for name in first)
    return case["run"], second["latency/batch:2/in:16/out:8"]["run"]


def check_compare_and_gate(db, folder, a, b):
    text = assay("compare", a, b, "--db", db)
    assert "tpot_ms_p50" in text and "rank test" in text, text
    document = json.loads(assay("compare", a, b, "--db", db, "--json"))
    assert {s["case"] for s in document["speeds"]} == {"latency/batch:1/in:16/out:8", "latency/batch:2/in:16/out:8"}
    policy = folder / "policy.jsonc"
    rule = {"speed": "latency/*", "metric": "tpot_ms_p50", "better": "lower", "margin_percent": 99, "alpha": 0.01}
    policy.write_text(json.dumps({"gates": [rule]}))
    assert "latency/batch:1" in assay("gate", "--baseline", a, "--candidate", b, "--db", db, "--policy", policy)
    rule["metric"] = "no_such_metric"
    policy.write_text(json.dumps({"gates": [rule]}))
    assay("gate", "--baseline", a, "--candidate", b, "--db", db, "--policy", policy, expected=5)


def check_serve(db, folder):
    timings = folder / "timings.jsonl"
    found = cases(assay("bench", "serve", "--model", MODEL, "--rate", 20, "--duration", 3, "--warm-up", 1, "--input", 8,
                        "--output", 4, "--starts", 1, "--reps", 2, "--slo-ttft", 10000, "--db", db, "--timings", timings, "--json", *ANY_NOISE))
    metrics = found["serve/poisson/rate:20/in:8/out:4"]["metrics"]
    assert metrics["slo_attainment"]["mean"] == 1 and metrics["goodput_requests_per_s"]["mean"] > 5
    lines = [json.loads(line) for line in timings.read_text().splitlines()]
    assert {line["rep"] for line in lines} == {0, 1}
    assert all(line["scheduled_ns"] <= line["sent_ns"] <= line["first_ns"] <= line["last_ns"] for line in lines)
    closed = cases(assay("bench", "serve", "--model", MODEL, "--concurrency", 2, "--requests", 12, "--input", 8, "--output",
                         4, "--starts", 1, "--reps", 1, "--scenario", "single-stream", "--db", db, "--json", *ANY_NOISE))
    (name,) = closed
    assert closed[name]["metrics"]["mlperf_valid"]["mean"] == 0  # 12 queries are too few
    assay("bench", "serve", "--model", MODEL, "--db", db, expected=2)  # an open loop needs a rate
    assay("bench", "serve", "--model", "http://127.0.0.1:1/v1", "--rate", 1, "--db", db, expected=6)


def check_throughput(db, folder):
    lengths = folder / "lengths.jsonl"
    lengths.write_text('{"input": 8, "output": 4}\n{"input": 16, "output": 8}\n')
    found = cases(assay("bench", "throughput", "--model", MODEL, "--lengths", lengths, "--requests", 8, "--starts", 2, "--reps", 2,
                        "--min-time", 0.2, "--warm-up", 1, "--db", db, "--json", *ANY_NOISE))
    metrics = found["throughput/in:drawn/out:drawn/requests:8"]["metrics"]
    assert 0 < metrics["share_of_bound"]["mean"] and (metrics["share_of_bound"]["mean"] < 1 or not BOUNDS_HOLD)
    assert metrics["output_tokens_per_s"]["mean"] > 0
    assert (metrics["output_tokens_per_s"]["starts"], metrics["output_tokens_per_s"]["reps"]) == (2, 4)


def check_usage():
    for words, reason in (
            (["bench", "latency", "--bacth", "1"], 'bench latency: unknown option --bacth (did you mean "--batch"?)'),
            (["bench", "latency", "--wrong"], "bench latency: unknown option --wrong; see assay bench latency --help"),
            (["bench", "latncy"], 'unknown command "bench latncy" (did you mean "latency"?); see assay bench --help'),
            (["runs", "lst"], 'unknown command "runs lst" (did you mean "list"?)'),
            (["bench", "serve", "--model", "http://127.0.0.1:1/v1", "--starts", "2", "--rate", "1"], "--starts 2: a server")):
        done = subprocess.run([ASSAY, *words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and reason in done.stderr, done.stderr


def check_noise(db):
    """A noisy machine is said, and its repetitions are no result."""
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        done = subprocess.run([ASSAY, "bench", "latency", "--model", MODEL, "--input", "64", "--output", "32", "--iterations",
                               "4", "--starts", "1", "--reps", "2", "--warm-up", "0", "--allowed-noise", "0.05", "--db", db, "--quiet"],
                              capture_output=True, text=True, timeout=300)
    finally:
        hog.kill()
        hog.wait()
    assert done.returncode == 4, done.stderr
    assert "other processes used" in done.stderr and "4 repetitions, 4 left out" in done.stdout, done.stdout + done.stderr


def check_suite(db, folder):
    suite = folder / "speed.jsonc"
    suite.write_text(json.dumps({
        "assay_suite": 1, "name": "speed", "model": str(MODEL), "settings": ["bf16", "fp8"],
        "bench": {"starts": 2, "reps": 2, "allowed_noise": 1000, "allowed_drift": 1, "cases": [
            {"bench": "throughput", "input": 8, "output": 4, "requests": 4, "warm_up_s": 0.1, "min_time_s": 0.1},
            {"bench": "latency", "input": 8, "output": 4, "iterations": 1, "warm_up_s": 0.1, "min_time_s": 0}]}}))
    runs = json.loads(assay("run", suite, "--db", db, "--json"))["runs"]
    assert len(runs) == 2
    names = {case["case"] for case in runs[0]["benches"]}
    assert {"throughput/in:8/out:4/requests:4", "latency/batch:1/in:8/out:4"} <= names, names
    page = folder / "report.html"
    assay("report", "--db", db, "--html", page, *[run["run"] for run in runs])
    assert "throughput/in:8/out:4/requests:4" in page.read_text()


def check_exchange(db, folder, run):
    document = json.loads(assay("bench", "export", run, "--db", db))
    entry = [b for b in document["benchmarks"] if b["run_name"] == "latency/batch:1/in:16/out:8"]
    assert len(entry) == 4 and all(b["run_type"] == "iteration" and b["time_unit"] == "ns" for b in entry)
    result = folder / "llama.json"
    result.write_text(json.dumps([{"model_filename": "m.gguf", "cpu_info": "cpu", "gpu_info": "", "n_prompt": 0, "n_gen": 10,
                                   "n_depth": 0, "samples_ns": [10**9, 2 * 10**9]}]))
    assert "llama-bench/pp:0/tg:10" in assay("bench", "import", result, "--db", db)
    result.write_text("{}")
    assay("bench", "import", result, "--db", db, expected=2)


def check_interrupt(db):
    """What is finished when a signal comes is stored."""
    process = subprocess.Popen([ASSAY, "bench", "serve", "--model", MODEL, "--rate", "5", "--duration", "1", "--warm-up", "0",
                                "--input", "8", "--output", "2", "--starts", "1", "--reps", "1000", "--db", db, *ANY_NOISE],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, (process.returncode, errors)


def interrupted(words, ready, group=False):
    """Runs assay until `ready` is seen on its standard error, sends SIGINT and returns what it printed as cases."""
    process = subprocess.Popen([ASSAY, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    errors = ""
    for line in process.stderr:
        errors += line
        if ready in line:
            break
    time.sleep(0.5)
    if group:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the programs it runs get it too
    else:
        process.send_signal(signal.SIGINT)
    output, rest = process.communicate(timeout=60)
    errors += rest
    assert process.returncode == 130, (process.returncode, errors)
    assert "what was finished is stored as run" in errors, errors
    return cases(output)


def check_interrupted_sweep(db):
    """The rates that were finished are stored; a search that was cut short names no peak."""
    found = interrupted(["bench", "serve", "--model", MODEL, "--rate", 4, "--sweep", "--duration", 2, "--warm-up", 0, "--input",
                         8, "--output", 2, "--slo-ttft", 60000, "--starts", 1, "--reps", 1, "--db", db, "--json", "--allowed-noise", 1000, "--allowed-drift", 1], "8 requests/s: ")
    assert "serve/sweep/poisson/rate:4/in:8/out:2" in found, found
    assert "serve/sweep/poisson/rate:8/in:8/out:2" in found, found
    assert "serve/sweep" not in found, found
    run = found["serve/sweep/poisson/rate:4/in:8/out:2"]["run"]
    assert "rate:8" in assay("bench", "export", run, "--db", db)


PROGRAM = """#!/usr/bin/env python3
import json, sys, time
if "slow" in sys.argv[0]:
    time.sleep(600)
path = next(w for w in sys.argv if w.startswith("--benchmark_out=")).split("=", 1)[1]
case = {"name": "BM_quick", "run_name": "BM_quick", "run_type": "iteration", "iterations": 1, "real_time": 2.0,
        "cpu_time": 2.0, "time_unit": "ns"}
json.dump({"context": {}, "benchmarks": [case]}, open(path, "w"))
"""


def check_interrupted_kernels(db, folder):
    """Finished programs are stored, the one that runs is ended, whether the signal reaches it or not."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("a_quick_kernels", "b_slow_kernels"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    for group in (False, True):
        found = interrupted(["bench", "kernels", "--programs", programs, "--reps", 1, "--db", db, "--json", "--allowed-noise",
                             1000], "b_slow_kernels", group)
        assert "BM_quick" in found and any(name.startswith("roofline/") for name in found), found
    left = subprocess.run(["pgrep", "-f", str(programs / "b_slow_kernels")], capture_output=True, check=False)
    assert left.returncode == 1, left.stdout


def main():
    os.environ.pop("ASSAY_DB", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "bench.db"
        a, b = check_latency(db)
        check_compare_and_gate(db, folder, a, b)
        check_serve(db, folder)
        check_throughput(db, folder)
        check_usage()
        check_noise(db)
        check_suite(db, folder)
        check_exchange(db, folder, a)
        check_interrupt(db)
        check_interrupted_sweep(db)
        check_interrupted_kernels(db, folder)
    print("bench: all good")


if __name__ == "__main__":
    main()
