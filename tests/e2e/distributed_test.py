#!/usr/bin/env python3
"""One model over several processes on this machine, started as each launcher starts them; processes killed at random
moments; shards merged; replicas. The demonstration model and its suites lie in this repository.

usage: distributed_test.py ASSAY ROOT [unittest options]      ASSAY_TEST_SEED and ASSAY_TEST_KILLS choose the kills
"""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

ASSAY, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
MINI = ROOT / "datasets/mini"
SEED = int(os.environ.get("ASSAY_TEST_SEED", "20261126"))
KILLS = int(os.environ.get("ASSAY_TEST_KILLS", "8"))
SECONDS = 20  # in which a job has to end after a loss; it takes far less on a quiet machine
PATIENCE = 300 * int(os.environ.get("ASSAY_TEST_SLOWDOWN", "1"))
MOST_DELAY = 10  # seconds before a kill, also where the machine is slow
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("ASSAY_", "SLURM_", "OMPI_", "PMI", "MASTER_", "RANK", "WORLD_"))}


def free_port():
    """A port below those that systems give to clients."""
    while True:
        port = random.randint(10000, 29999)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def fnv1a(text):
    value = 0xcbf29ce484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001b3 % 2**64
    return value


def free_job(form):
    """A job number whose port nobody listens at; `form` makes what the port is made of."""
    while True:
        job = random.randint(1, 10**6)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", 20000 + fnv1a(form.format(job)) % 10000))
                return job
            except OSError:
                continue


def torchrun(size):
    port = free_port()
    return [{"RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1",
             "MASTER_PORT": port} for rank in range(size)]


def slurm(size):
    job = free_job("{}.0")
    return [{"SLURM_JOB_ID": job, "SLURM_STEP_ID": 0, "SLURM_PROCID": rank, "SLURM_NTASKS": size, "SLURM_LOCALID": rank,
             "SLURM_NODELIST": socket.gethostname(), "SLURM_STEP_NUM_TASKS": size} for rank in range(size)]


def open_mpi(size):
    job = free_job("prterun-host-{}@1")
    return [{"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_SIZE": size, "OMPI_COMM_WORLD_LOCAL_RANK": rank,
             "OMPI_COMM_WORLD_LOCAL_SIZE": size, "PMIX_NAMESPACE": f"prterun-host-{job}@1"} for rank in range(size)]


def mpich(size):
    port = free_port()
    return [{"PMI_RANK": rank, "PMI_SIZE": size, "MPI_LOCALRANKID": rank, "MPI_LOCALNRANKS": size, "MASTER_PORT": port}
            for rank in range(size)]


def by_hand(size):
    port = free_port()
    return [{"ASSAY_RANK": rank, "ASSAY_WORLD_SIZE": size, "ASSAY_MASTER": f"127.0.0.1:{port}", "ASSAY_TOKEN": "secret"}
            for rank in range(size)]


LAUNCHERS = [torchrun, slurm, open_mpi, mpich, by_hand]


def start(ranks, arguments):
    return [subprocess.Popen([ASSAY, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=CLEAN | {name: str(value) for name, value in rank.items()}) for rank in ranks]


def finish(processes, patience=PATIENCE):
    """Exit code, stdout and stderr of each; whatever does not end in time is killed and fails the test."""
    results = [None] * len(processes)

    def wait(number):
        out, error = processes[number].communicate()
        results[number] = (processes[number].returncode, out, error)

    threads = [threading.Thread(target=wait, args=[number]) for number in range(len(processes))]
    for thread in threads:
        thread.start()
    end = time.monotonic() + patience
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    late = [number for number, thread in enumerate(threads) if thread.is_alive()]
    for number in late:
        processes[number].kill()
    for thread in threads:
        thread.join()
    if late:
        raise AssertionError(f"processes {late} did not end within {patience} s: {results}")
    return results


def assay(*arguments, codes=(0,)):
    result = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, text=True, env=CLEAN)
    if result.returncode not in codes:
        raise AssertionError(f"assay {arguments} ended with {result.returncode}: {result.stderr}")
    return result.stdout


class Job(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="assay-distributed-")
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)

    def suite(self, limit=10, settings=("fp8",), tokens=24, repeats=1):
        text = {"assay_suite": 1, "name": "distributed", "model": str(MINI / "model"), "settings": list(settings),
                "data": str(MINI), "engine": {"threads": 1, "device": "cpu"},
                "tasks": [{"task": "gsm8k@assay-0shot", "custom_data": True, "limit": limit, "repeats": repeats,
                           "sampling": {"max_tokens": tokens, "temperature": 0.7}},
                          {"task": "mmlu", "custom_data": True, "limit": limit}]}
        path = self.path / "suite.jsonc"
        path.write_text(json.dumps(text))
        return path

    def long_suite(self, repeats=20):
        """Some seconds of work on a quiet machine, nearly all of it generation."""
        return self.suite(limit=60, tokens=64, repeats=repeats)

    def wait_for_samples(self, process, db):
        """Until the run has stored more than now, or has ended."""
        before = len(self.stored(db))
        while process.poll() is None and len(self.stored(db)) <= before:
            time.sleep(0.02)

    def is_done(self, db):
        if not (self.path / db).exists():
            return False
        listed = assay("runs", "list", "--db", self.path / db, "--json", codes=(0, 2, 6))
        return bool(listed) and any(run["status"] == "done" for run in json.loads(listed))

    def stored(self, db):
        """The first run's samples; "" where there are none yet."""
        if not (self.path / db).exists():
            return ""
        listed = assay("runs", "list", "--db", self.path / db, "--json", codes=(0, 2, 6))
        runs = json.loads(listed) if listed else []
        return assay("runs", "export", runs[0]["run"], "--db", self.path / db, "--no-times") if runs else ""

    def run_arguments(self, suite, db, *more):
        return ["run", suite, "--db", self.path / db, "--progress", "none", *more]

    def exports(self, db):
        runs = json.loads(assay("runs", "list", "--db", self.path / db, "--json"))
        by_setting = sorted(runs, key=lambda run: run["setting"])
        return [assay("runs", "export", run["run"], "--db", self.path / db, "--no-times") for run in by_setting]

    def whole(self, suite):
        assay(*self.run_arguments(suite, "whole.db"))
        return self.exports("whole.db")


class Launchers(Job):
    def test_several_processes_store_what_one_stores(self):
        suite = self.suite(limit=6)
        whole = self.whole(suite)
        self.assertEqual(len(whole), 1)
        for launcher in LAUNCHERS:
            for size in (2, 4):
                db = f"{launcher.__name__}{size}.db"
                results = finish(start(launcher(size), self.run_arguments(suite, db, "--json")))
                for rank, (code, out, error) in enumerate(results):
                    self.assertEqual(code, 0, f"{db} rank {rank}: {error}")
                    self.assertEqual(out != "", rank == 0, "rank 0 alone prints results")
                self.assertEqual(self.exports(db), whole, db)

    def test_two_processes_of_two_ranks_each(self):
        suite = self.suite(limit=4, settings=("bf16", "fp8"))
        whole = self.whole(suite)
        self.assertEqual(len(whole), 2)
        for result in finish(start(torchrun(2), self.run_arguments(suite, "hybrid.db", "--tp", 4))):
            self.assertEqual(result[0], 0, result)
        self.assertEqual(self.exports("hybrid.db"), whole)

    def test_generate(self):
        arguments = ["generate", "--model", MINI / "model", "--device", "cpu", "--prompt", "Tom has 3 apples.", "--max-tokens",
                     12, "--logprobs", 2, "--threads", 1, "--json"]
        one = json.loads(assay(*arguments))
        results = finish(start(slurm(4), arguments))
        self.assertEqual([code for code, _, _ in results], [0] * 4, results)
        several = json.loads(results[0][1])
        for answer in (one, several):
            del answer["times_ns"]
        self.assertEqual(several, one)

    def test_what_ends_before_anything_runs_ends_everywhere_with_its_code(self):
        arguments = ["generate", "--model", self.path / "missing", "--prompt", "x"]
        results = finish(start(torchrun(2), arguments))
        self.assertEqual([code for code, _, _ in results], [2, 2], results)
        self.assertIn("missing", results[0][2])
        # Eight query heads are not cut into three; the message is rank 0's alone.
        results = finish(start(torchrun(3), arguments))
        self.assertEqual({code for code, _, _ in results}, {2}, results)


class Losses(Job):
    def check_loss(self, results, victim):
        """Everyone else ended with 6; rank 0, or all when it was killed, name the rank that is lost."""
        for rank, (code, _, error) in enumerate(results):
            if rank == victim:
                continue
            self.assertEqual(code, 6, f"rank {rank} of {len(results)}, victim {victim}: {error}")
            if rank == 0 or victim == 0:
                self.assertRegex(error, rf"rank {victim}\b", error)

    def assert_part_of(self, line, lines):
        """A stored sample is one of the whole run; its score may still be missing."""
        if line in lines:
            return
        sample = json.loads(line)
        self.assertNotIn("verdict", sample)
        twins = [other for other in map(json.loads, lines)
                 if all(other.get(name) == value for name, value in sample.items())]
        self.assertEqual(len(twins), 1, line)

    def test_killed_at_random_moments_it_ends_and_continues(self):
        suite = self.long_suite(repeats=4)
        began = time.monotonic()
        whole = self.whole(suite)
        one_run = time.monotonic() - began
        lines = set(whole[0].splitlines())
        db = "cut.db"
        chance = random.Random(SEED)
        killed = 0
        for attempt in range(KILLS):
            size = chance.choice((2, 4))
            victim = chance.randrange(size)
            launcher = chance.choice(LAUNCHERS)
            # The first moments belong to joining and loading; later ones to steps.
            delay = min(chance.uniform(0, 1.5 * one_run), MOST_DELAY)
            ranks = [rank | {"ASSAY_JOIN_SECONDS": 8} for rank in launcher(size)]
            # One identity for all sizes, so that each attempt continues the last one.
            processes = start(ranks, self.run_arguments(suite, db, "--tp", 4))
            time.sleep(delay)
            processes[victim].send_signal(signal.SIGKILL)
            at = time.monotonic()
            results = finish(processes, SECONDS + 8)
            print(f"attempt {attempt}: {launcher.__name__}, rank {victim} of {size} killed after {delay:.2f} s, "
                  f"ended {time.monotonic() - at:.2f} s later: {[code for code, _, _ in results]}", file=sys.stderr)
            if self.is_done(db):  # everything was stored before the kill: nothing is left to be cut
                if killed > 0:
                    break
                for file in self.path.glob(f"{db}*"):
                    file.unlink()
                continue
            killed += 1
            self.check_loss(results, victim)
            for line in self.stored(db).splitlines():
                self.assert_part_of(line, lines)
        self.assertGreater(killed, 0)
        if not self.is_done(db):  # a command whose run is done would measure anew
            for result in finish(start(torchrun(2), self.run_arguments(suite, db, "--tp", 4))):
                self.assertEqual(result[0], 0, result)
        self.assertEqual(self.exports(db), whole)
        assay("runs", "verify", "--db", self.path / db)

    def test_a_rank_that_hangs_is_lost_too(self):
        suite = self.long_suite()
        ranks = [rank | {"ASSAY_SILENCE_SECONDS": 2} for rank in torchrun(2)]
        processes = start(ranks, self.run_arguments(suite, "hung.db"))
        self.wait_for_samples(processes[0], "hung.db")
        processes[1].send_signal(signal.SIGSTOP)
        results = finish(processes[:1], SECONDS)
        self.assertEqual(results[0][0], 6, results)
        self.assertIn("rank 1 (", results[0][2])
        self.assertIn("silent for 2 s", results[0][2])
        processes[1].send_signal(signal.SIGCONT)
        self.assertEqual(finish(processes[1:], SECONDS)[0][0], 6)

    def test_a_rank_that_never_comes_is_named(self):
        ranks = [rank | {"ASSAY_JOIN_SECONDS": 2} for rank in torchrun(4)]
        arguments = self.run_arguments(self.suite(), "never.db")
        results = finish(start([ranks[0], ranks[2], ranks[3]], arguments), SECONDS)
        self.assertEqual([code for code, _, _ in results], [6, 6, 6], results)
        for _, _, error in results:
            self.assertIn("rank 1 of 4 did not come", error)
        results = finish(start([ranks[1]], arguments), SECONDS)
        self.assertEqual(results[0][0], 6)
        self.assertIn("rank 1 of 4 found no rank 0 at 127.0.0.1", results[0][2])

    def test_another_token_is_refused_and_none_is_printed(self):
        ranks = [rank | {"ASSAY_JOIN_SECONDS": 3} for rank in by_hand(2)]
        ranks[1]["ASSAY_TOKEN"] = "another-marker"
        results = finish(start(ranks, self.run_arguments(self.suite(), "token.db")), SECONDS)
        self.assertEqual([code for code, _, _ in results], [6, 2], results)
        for _, _, error in results:
            self.assertIn("ASSAY_TOKEN", error)
            self.assertNotIn("marker", error)
            self.assertNotIn("secret ", error)

    def test_an_interrupt_of_all_stops_all_and_the_run_continues(self):
        suite = self.long_suite()
        whole = self.whole(suite)
        for number, wanted in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            processes = start(torchrun(2), self.run_arguments(suite, "stopped.db"))
            self.wait_for_samples(processes[0], "stopped.db")
            for process in processes:
                process.send_signal(number)
            results = finish(processes, SECONDS)
            for code, _, error in results:
                self.assertEqual(code, wanted, error)
        for result in finish(start(torchrun(2), self.run_arguments(suite, "stopped.db"))):
            self.assertEqual(result[0], 0, result)
        self.assertEqual(self.exports("stopped.db"), whole)


class Shards(Job):
    def test_shards_put_together_are_the_whole_run(self):
        suite = self.suite(limit=11, settings=("bf16", "fp8"))
        whole = self.whole(suite)
        for count in (2, 3):
            shards = []
            for index in range(1, count + 1):
                db = f"shard{count}-{index}.db"
                assay(*self.run_arguments(suite, db, "--shard", f"{index}/{count}"))
                shards.append(self.path / db)
                for part in self.exports(db):
                    self.assertLess(len(part.splitlines()), 22)
            random.Random(SEED).shuffle(shards)
            db = f"merged{count}.db"
            assay("runs", "import", *shards[:-1], "--db", self.path / db)
            runs = json.loads(assay("runs", "list", "--db", self.path / db, "--json"))
            self.assertTrue(all("shard" in run["inputs"] for run in runs), "one is missing")
            assay("runs", "import", *shards, "--db", self.path / db)  # again, with the last one
            self.assertEqual(self.exports(db), whole)
            assay("runs", "verify", "--db", self.path / db)
            of_whole = {run["setting"]: run for run in json.loads(assay("runs", "list", "--db", self.path / "whole.db", "--json"))}
            for run in json.loads(assay("runs", "list", "--db", self.path / db, "--json")):
                for key in ("status", "suite_digest", "model", "setting", "kv", "arithmetic", "inputs", "tasks", "seed"):
                    self.assertEqual(run[key], of_whole[run["setting"]][key], key)
            # The command without --shard finds its run done, as if it had run it.
            listed = assay("runs", "list", "--db", self.path / db)
            self.assertEqual(len(listed.splitlines()), 2, listed)

    def test_what_is_no_shard_is_refused(self):
        suite = self.suite(limit=3)
        for shard, words in (("0/2", "i/n"), ("3/2", "i/n"), ("x", "i/n"), ("1/4", "cannot be cut into 4 shards")):
            process = start([{}], self.run_arguments(suite, "x.db", "--shard", shard))
            (code, _, error), = finish(process)
            self.assertEqual(code, 2)
            self.assertIn(words, error)

    def test_a_shard_that_is_not_finished_is_not_merged(self):
        suite = self.long_suite()
        process, = start([{}], self.run_arguments(suite, "cut.db", "--shard", "1/2"))
        self.wait_for_samples(process, "cut.db")
        process.kill()
        process.communicate()
        (code, _, error), = finish(start([{}], ["runs", "import", self.path / "cut.db", "--db", self.path / "m.db"]))
        self.assertEqual(code, 2, error)
        self.assertIn("not finished", error)


class Replicas(Job):
    def test_replicas_store_what_one_stores(self):
        suite = self.suite(limit=40, settings=("fp8",))
        whole = self.whole(suite)
        for number, options in enumerate((["--dp", 2], ["--dp", 3, "--threads", 3], ["--dp", 2, "--tp", 2])):
            db = f"dp{number}.db"
            assay(*self.run_arguments(suite, db, *options))
            self.assertEqual(self.exports(db), whole, options)

    def answer(self, ranks, *more):
        """What a server of these processes says; then all are told to stop."""
        processes = start(ranks, ["serve", "--model", MINI / "model", "--device", "cpu", "--threads", 1, "--port", 0, *more])
        try:
            url = processes[0].stdout.readline().strip()
            body = {"prompt": ["Tom has 3 apples.", "Q: 2 + 3?", "One"], "max_tokens": 8, "temperature": 0, "logprobs": 2}
            request = urllib.request.Request(f"{url}/completions", json.dumps(body).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                choices = json.load(reply)["choices"]
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            results = finish(processes)
        self.assertEqual([code for code, _, _ in results], [143] * len(ranks), results)
        return choices

    def test_a_server_of_copies_or_processes_answers_as_one(self):
        one = self.answer([{}])
        self.assertEqual(len(one), 3)
        self.assertEqual(self.answer([{}], "--dp", 2), one)
        self.assertEqual(self.answer(torchrun(2)), one)

    def test_benchmarks_of_copies_and_processes(self):
        arguments = ["bench", "throughput", "--model", MINI / "model", "--device", "cpu", "--threads", 1, "--input", 16,
                     "--output", 4, "--requests", 4, "--reps", 1, "--warm-up", 0, "--allowed-noise", 1000, "--allowed-drift", 1, "--json", "--db",
                     self.path / "bench.db"]
        for ranks, more in (([{}], ["--dp", 2]), (torchrun(2), [])):
            results = finish(start(ranks, arguments + more))
            self.assertEqual([code for code, _, _ in results], [0] * len(ranks), results)
            self.assertTrue(json.loads(results[0][1].splitlines()[0]))

    def test_replicas_and_processes_do_not_mix(self):
        results = finish(start(torchrun(2), self.run_arguments(self.suite(), "mixed.db", "--dp", 2)))
        self.assertEqual([code for code, _, _ in results], [2, 2], results)
        self.assertIn("--dp", results[0][2])


if __name__ == "__main__":
    print(f"seed {SEED}, {KILLS} kills", file=sys.stderr)
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
