#== ignore_every_signal: timed_out seconds=0.6
import signal, time

def f(x):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(100)

#== block_every_signal: timed_out seconds=0.6
import signal

def f(x):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        signal.sigwait({signal.SIGUSR1})

#== folders_without_permissions: passed once
def f(x):
    posix.mkdir("closed")
    for name in ("closed/a", "closed/a/b", "closed/a/b/c"):
        posix.mkdir(name)
        open(name + "/assay-hostile", "w").close()
    for name in ("closed/a/b/c", "closed/a/b", "closed/a", "closed"):
        try:
            posix.chmod(name, 0)
        except OSError:  # refused where the scratch folder lies outside
            pass
    return x + 1

#== deep_folders: passed reduced=passed/timed_out
def f(x):
    try:
        for _ in range(3000):
            posix.mkdir("d" * 100)
            posix.chdir("d" * 100)
    except OSError:
        pass
    return x + 1

#== names_that_are_no_text: passed
def f(x):
    for name in (b"\xff\xfe", b"new\nline", b"\x1b[31mred", b"-rf", b"*", b"a" * 255, b" ", b"\xed\xa0\x80"):
        posix.close(posix.open(name, posix.O_CREAT | posix.O_WRONLY))
    return x + 1

#== own_scratch_removed: passed once
def f(x):
    for path in ("/tmp", "."):
        refused(posix.rmdir, path)
    posix.mkdir("a")
    posix.chdir("a")
    posix.rmdir("../a")
    return x + 1

#== deleted_but_open: passed
import mmap

def f(x):
    global kept
    file = open("gone", "w+b")
    file.truncate(4 << 20)
    posix.unlink("gone")
    kept = mmap.mmap(file.fileno(), 4 << 20)
    kept[:] = b"x" * (4 << 20)
    return x + 1

#== work_after_the_end: passed
import atexit, threading, time

def forever():
    while True:
        time.sleep(0.01)

atexit.register(forever)

class Undying:
    def __del__(self):
        forever()

keep = Undying()

def f(x):
    threading.Thread(target=forever).start()
    threading.Thread(target=forever, daemon=True).start()
    return x + 1

#== own_session_left: passed
def f(x):
    must_fail("setsid")
    must_fail("setpgid", 0, 0)
    refused(posix.setsid)
    return x + 1

#== locks_left: passed
import fcntl

def f(x):
    global kept
    kept = open("lock", "w")
    fcntl.lockf(kept, fcntl.LOCK_EX)
    return x + 1

#== nothing_of_the_others_is_here: passed once
import os

def f(x):
    if os.listdir(os.environ["HOME"]):
        reached(os.listdir(os.environ["HOME"]))
    return x + 1
