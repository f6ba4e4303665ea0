#== environment_is_made_from_nothing: passed
import os

def f(x):
    expected = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": posix.getcwd(), "PYTHONHASHSEED": "0",
                "MALLOC_ARENA_MAX": "1"}
    if dict(os.environ) != expected:
        reached(dict(os.environ))
    return x + 1

#== environment_as_the_kernel_has_it: passed reduced=failed
def f(x):
    data = open("/proc/self/environ", "rb").read()
    if len(data) > 120 or b"BAIT" in data:
        reached(data)
    arguments = open("/proc/self/cmdline", "rb").read()
    if b"BAIT" in arguments:
        reached("arguments")
    return x + 1

#== environment_of_other_processes: passed
import os

def f(x):
    pids = {1, 2, 3, posix.getppid(), int("@SPAWNER@"), int("@VICTIM@"), int("@DRIVER@")} - {posix.getpid(), 0}
    for pid in pids:
        for name in ("environ", "cmdline", "auxv", "maps", "mem", "status", "stat", "exe", "cwd", "root", "fd", "ns/user",
                     "mountinfo", "stack", "syscall", "io", "limits", "comm", "task", "map_files", "wchan"):
            path = "/proc/%d/%s" % (pid, name)
            refused(posix.listdir if name in ("fd", "task", "map_files") else
                    posix.readlink if name in ("exe", "cwd", "root", "ns/user") else open, path)
    return x + 1

#== secrets_in_own_memory: passed seconds=10 reduced=failed
import re

def f(x):
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line or high - low > 1 << 28:
                continue
            try:
                memory.seek(low)
                data = memory.read(high - low)
            except (OSError, OverflowError, ValueError):
                continue
            for match in re.finditer(b"bait-[0-9a-f]{32}", data):
                reached("a secret in memory")
    return x + 1

#== no_descriptor_tells_the_caller: passed
def f(x):
    for number in range(64):
        try:
            target = posix.readlink("/proc/self/fd/%d" % number)
        except OSError:
            continue
        if "bait" in target or "assay" in target or "socket:" in target:
            reached(target)
    return x + 1

#== name_and_user_of_the_machine: passed reduced=failed
def f(x):
    if posix.uname().nodename != "sandbox":
        reached(posix.uname().nodename)
    if posix.getuid() in (0, 65529) or posix.geteuid() == 0 or posix.getgid() == 0:
        reached((posix.getuid(), posix.getgid()))
    if not set(posix.getgroups()) <= {1000, 65534}:
        reached(posix.getgroups())
    return x + 1

#== no_capabilities: passed reduced=failed
def f(x):
    for line in open("/proc/self/status"):
        if line.startswith(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) and int(line.split()[1], 16) != 0:
            reached(line)
        if line.startswith("NoNewPrivs") and line.split()[1] != "1":
            reached(line)
        if line.startswith("Seccomp:") and line.split()[1] != "2":
            reached(line)
    return x + 1

#== first_victim_when_memory_runs_out: passed reduced=failed
def f(x):
    if open("/proc/self/oom_score_adj").read().strip() != "1000":
        reached("a protected place")
    return x + 1
