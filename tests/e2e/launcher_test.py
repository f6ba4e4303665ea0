#!/usr/bin/env python3
"""The launchers themselves: mpirun, srun and torchrun start the processes of one model on this machine, and the store gets
what one process stores. What is not installed is skipped and said; Slurm's daemons are started for the test, on ports of
their own, and need root.

usage: launcher_test.py ASSAY ROOT [unittest options]
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ASSAY, ROOT = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
MINI = ROOT / "datasets/mini"
PATIENCE = 240 * int(os.environ.get("ASSAY_TEST_SLOWDOWN", "1"))
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith(("ASSAY_", "SLURM_", "OMPI_", "PMI", "MASTER_", "RANK", "WORLD_"))}


def free_port():
    """Below those that systems give to clients; the next one, where rank 0 listens under torchrun, is free too."""
    while True:
        port = random.randint(10000, 29998)
        with socket.socket() as probe, socket.socket() as following:
            try:
                probe.bind(("127.0.0.1", port))
                following.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue


def run(command, env=None):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=CLEAN | (env or {}),
                            timeout=PATIENCE)
    return result.returncode, result.stdout, result.stderr


class Launched(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="assay-launcher-")
        cls.path = Path(cls.folder.name)
        cls.suite = cls.path / "suite.jsonc"
        cls.suite.write_text(json.dumps({
            "assay_suite": 1, "name": "launched", "model": str(MINI / "model"), "settings": ["fp8"], "data": str(MINI),
            "engine": {"threads": 1, "device": "cpu"},
            "tasks": [{"task": "gsm8k@assay-0shot", "custom_data": True, "limit": 6, "sampling": {"max_tokens": 24}}]}))
        cls.whole = cls.export(cls.path / "one.db", [])

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def export(cls, db, launcher, env=None):
        code, _, error = run([*launcher, ASSAY, "run", cls.suite, "--db", db, "--progress", "none"], env)
        if code != 0:
            raise AssertionError(f"{launcher} ended with {code}: {error}")
        runs = json.loads(run([ASSAY, "runs", "list", "--db", db, "--json"])[1])
        return run([ASSAY, "runs", "export", runs[0]["run"], "--db", db, "--no-times"])[1]

    def check(self, name, launcher, env=None):
        self.assertEqual(self.export(self.path / f"{name}.db", launcher, env), self.whole, name)

    def check_kill(self, launcher, env=None):
        """One process is killed in the middle of a long run: all end, with a code that is not success."""
        text = json.loads(self.suite.read_text())
        text["tasks"][0] |= {"limit": 60, "repeats": 40}
        suite = self.path / "long.jsonc"
        suite.write_text(json.dumps(text))
        db = self.path / f"killed-{Path(launcher[0]).name}.db"
        command = [*launcher, ASSAY, "run", suite, "--db", db, "--progress", "none"]
        with subprocess.Popen([str(part) for part in command], env=CLEAN | (env or {}), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as job:
            try:
                ranks = self.wait_for_ranks(job, db, 2)
                os.kill(ranks[-1], signal.SIGKILL)
                at = time.monotonic()
                _, error = job.communicate(timeout=60)
            finally:
                job.kill()
        print(f"{Path(launcher[0]).name}: ended {time.monotonic() - at:.2f} s after the kill with {job.returncode}",
              file=sys.stderr)
        self.assertNotEqual(job.returncode, 0)
        for rank in ranks:
            self.assertFalse(Path(f"/proc/{rank}").exists() and f"{db}" in command_line(rank), error)

    def wait_for_ranks(self, job, db, count):
        """Process numbers of assay with this store, once they are there and the store is made."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = sorted(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                           if command_line(pid).startswith(f"{ASSAY}\0run") and str(db) in command_line(pid))
            if len(found) == count and db.exists():
                time.sleep(1)
                return found
            if job.poll() is not None:
                raise AssertionError(f"the job ended with {job.returncode}: {job.stderr.read()}")
            time.sleep(0.05)
        raise AssertionError(f"{count} processes did not start, but {found}: {list(map(command_line, found))}")


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


class Mpirun(Launched):
    def launcher(self, count):
        if shutil.which("mpirun") is None:
            self.skipTest("mpirun is not installed (Debian: openmpi-bin)")
        root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
        return ["mpirun", *root, "--oversubscribe", "-n", count]

    def test_two_and_four_processes(self):
        for count in (2, 4):
            self.check(f"mpirun{count}", self.launcher(count))

    def test_a_process_is_killed(self):
        self.check_kill(self.launcher(2))


class Torchrun(Launched):
    def launcher(self, count):
        if shutil.which("torchrun") is None:
            self.skipTest("torchrun is not installed (Debian: python3-torch)")
        # Debian's torch 1.13 on Python 3.11 fails with its own defaults for -r and -t.
        command = ["torchrun", "-r", 1, "-t", 1, "--log_dir", self.path / "torch", "--no_python"]
        code, _, error = run([*command, "--nproc_per_node", 1, "--master_port", free_port(), "true"])
        if code != 0:
            self.skipTest(f"torchrun starts nothing here: {error.strip().splitlines()[-1:]}")
        return [*command, "--nproc_per_node", count, "--master_port", free_port()]

    def test_two_and_four_processes(self):
        for count in (2, 4):
            self.check(f"torchrun{count}", self.launcher(count))

    def test_a_process_is_killed(self):
        self.check_kill(self.launcher(2))


SLURM = """
ClusterName=assay
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={d}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
"""


class Srun(Launched):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemons = []
        cls.missing = [name for name in ("munged", "slurmctld", "slurmd", "srun") if shutil.which(name) is None]
        if cls.missing or os.geteuid() != 0:
            return
        folder = cls.path / "slurm"
        for part in ("state", "spool"):
            (folder / part).mkdir(parents=True)
        folder.chmod(0o755)
        cls.path.chmod(0o755)
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        host = socket.gethostname().split(".")[0]
        (folder / "slurm.conf").write_text(SLURM.format(host=host, ctld=free_port(), d=free_port(), folder=folder,
                                                        cpus=os.cpu_count()))
        cls.env = {"SLURM_CONF": str(folder / "slurm.conf")}
        cls.start(folder, "munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}",
                  f"--pid-file={folder}/munged.pid", f"--seed-file={folder}/seed", f"--log-file={folder}/munged.log")
        cls.wait_for(lambda: (folder / "munge.socket").exists())
        cls.start(folder, "slurmctld", "-D", "-i")
        cls.start(folder, "slurmd", "-D", "-N", host)
        cls.wait_for(lambda: "idle" in run(["sinfo", "-h", "-o", "%t"], cls.env)[1])

    @classmethod
    def start(cls, folder, *command):
        with (folder / f"{command[0]}.out").open("w") as log:
            cls.daemons.append(subprocess.Popen(command, env=CLEAN | cls.env, stdout=log, stderr=log))

    @classmethod
    def wait_for(cls, condition):
        end = time.monotonic() + 60
        while not condition():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in cls.daemons):
                logs = "\n".join(f"{log}: {log.read_text()[-1000:]}" for log in (cls.path / "slurm").glob("*.*o*"))
                cls.tearDownClass()
                raise AssertionError(f"Slurm did not start: {logs}")
            time.sleep(0.2)

    @classmethod
    def tearDownClass(cls):
        for daemon in reversed(cls.daemons):
            daemon.terminate()
            daemon.wait(30)
        cls.daemons = []
        super().tearDownClass()

    def launcher(self, count):
        if self.missing:
            self.skipTest(f"{', '.join(self.missing)} not installed (Debian: slurm-wlm, munge)")
        if os.geteuid() != 0:
            self.skipTest("Slurm's daemons need root")
        return ["srun", "--overcommit", "--kill-on-bad-exit=1", "-n", count]

    def test_two_and_four_processes(self):
        for count in (2, 4):
            self.check(f"srun{count}", self.launcher(count), self.env)

    def test_a_process_is_killed(self):
        self.check_kill(self.launcher(2), self.env)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
