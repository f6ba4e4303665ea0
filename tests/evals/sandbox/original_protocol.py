#!/usr/bin/env python3
"""HumanEval's original way to run a completion, written from its description: prompt, completion, tests and the call
of check in one `exec` in a fresh process, three seconds, many functions taken away. No sandbox: for programs that are
known to be harmless only.

usage: original_protocol.py HumanEval.jsonl.gz < {"task_id", "completion"} a line > the same with "passed", "result"
"""
import builtins
import gzip
import io
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile

SECONDS = 3.0
TAKEN_AWAY = {
    os: ("kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate replace "
         "unlink fchmod fchown chmod chown chroot lchown getcwd chdir").split(),
    shutil: "rmtree move chown".split(),
    subprocess: ["Popen"],
    builtins: "exit quit help".split(),
}
ABSENT = "ipdb joblib resource psutil tkinter".split()


class OutOfTime(Exception):
    pass


class NoInput(io.StringIO):
    def read(self, *args, **kwargs):
        raise OSError

    readline = readlines = read

    def readable(self):
        return False


def execute(program):
    """"passed", "timed out" or "failed: ...", in this very process."""
    def out_of_time(number, frame):
        raise OutOfTime

    signal.signal(signal.SIGALRM, out_of_time)
    sys.stdin, sys.stdout, sys.stderr = NoInput(), io.StringIO(), io.StringIO()
    for module, names in TAKEN_AWAY.items():
        for name in names:
            setattr(module, name, None)
    for name in ABSENT:
        sys.modules[name] = None
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        exec(program, {})
        return "passed"
    except OutOfTime:
        return "timed out"
    except BaseException as error:
        return "failed: %s: %s" % (type(error).__name__, str(error)[:200])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def child(program, output):
    leave, write = os._exit, os.write
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    # Not part of the protocol: a mutant's endless list must not take the machine's memory.
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    try:
        result = execute(program)
    except BaseException as error:
        result = "failed: %s" % type(error).__name__
    write(output, result.encode("utf-8", "replace"))
    leave(0)


def run(program):
    """As `execute`, in a process of its own, which is killed a second after its time is over."""
    reader, writer = os.pipe()
    folder = tempfile.mkdtemp(prefix="assay-original-")
    os.chmod(folder, 0o777)
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.chdir(folder)
        child(program, writer)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], SECONDS + 1)
    result = os.read(reader, 4096).decode("utf-8", "replace") if ready else ""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    shutil.rmtree(folder, ignore_errors=True)
    return result or ("timed out" if not ready else "failed: ended itself")


def main():
    with gzip.open(sys.argv[1], "rt") as file:
        problems = {row["task_id"]: row for row in map(json.loads, file)}
    for line in sys.stdin:
        row = json.loads(line)
        problem = problems[row["task_id"]]
        program = "%s%s\n%s\ncheck(%s)" % (problem["prompt"], row["completion"], problem["test"], problem["entry_point"])
        row["result"] = run(program)
        row["passed"] = row["result"] == "passed"
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
