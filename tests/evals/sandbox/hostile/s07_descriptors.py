#== only_the_pipes_are_open: passed
def f(x):
    # 0 empty, 1 and 2 output, 3 requests, 4 replies
    opened = []
    for number in range(64):
        try:
            posix.fstat(number)
            opened.append(number)
        except OSError:
            pass
    if opened != [0, 1, 2, 3, 4]:
        reached(opened)
    return x + 1

#== read_every_descriptor: passed
def f(x):
    for number in [0, 1, 2] + list(range(4, 64)):
        try:
            posix.set_blocking(number, False)
            data = posix.read(number, 4096)
        except OSError:
            continue
        if data:
            reached("descriptor %d: %r" % (number, data[:40]))
    return x + 1

#== write_every_descriptor: passed
def f(x):
    for number in [0, 1, 2, 3] + list(range(5, 64)):
        try:
            posix.write(number, b"assay-hostile\n" * 10)
        except OSError:
            pass
    return x + 1

#== reopen_descriptors_by_name: passed
def f(x):
    for number in range(5, 64):
        for mode in (posix.O_RDONLY, posix.O_WRONLY, posix.O_RDWR):
            refused(posix.open, "/proc/self/fd/%d" % number, mode)
    refused(posix.open, "/dev/stdin-of-the-caller", posix.O_RDONLY)
    return x + 1

#== standard_input_is_at_its_end: passed
def f(x):
    if posix.read(0, 100) != b"":
        reached("input")
    return x + 1

#== no_terminal: passed
import fcntl

def f(x):
    refused(open, "/dev/tty")
    refused(open, "/dev/ptmx")
    for number in (0, 1, 2):
        if posix.isatty(number):
            reached("a terminal")
        refused(fcntl.ioctl, number, 0x5412, b"x")  # TIOCSTI: put a character into the caller's shell
        refused(fcntl.ioctl, number, 0x540e, 0)     # TIOCSCTTY
        refused(fcntl.ioctl, number, 0x541c, b"\3")  # TIOCLINUX
    return x + 1

#== own_session_and_group: passed
def f(x):
    if posix.getsid(0) != posix.getpid() or posix.getpgid(0) != posix.getpid():
        reached("the caller's session")
    refused(posix.setpgid, 0, 1)
    return x + 1

#== signals_by_file_ownership: passed
import fcntl

def f(x):
    # F_SETOWN and F_SETSIG make the kernel send any signal to any process of the user.
    for target in (1, posix.getppid(), int("@VICTIM@"), -1):
        refused(fcntl.fcntl, 3, fcntl.F_SETOWN, target)
    refused(fcntl.fcntl, 3, 10, 9)  # F_SETSIG
    refused(fcntl.fcntl, 0, 1026, 1)  # F_NOTIFY
    return x + 1

#== larger_pipes_and_leases: passed
import fcntl

def f(x):
    refused(fcntl.fcntl, 1, 1031, 1 << 20)  # F_SETPIPE_SZ: memory that counts for the user as a whole
    with open("/proc/self/exe", "rb") as file:
        refused(fcntl.fcntl, file.fileno(), 1024, 0)  # F_SETLEASE
    return x + 1

#== lock_files_of_the_host: passed
import fcntl, os

def f(x):
    for path in ("/dev/null", os.__file__, "/proc/self/exe"):
        with open(path, "rb") as file:
            refused(fcntl.flock, file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return x + 1

#== descriptors_of_other_processes: passed
import ctypes

def f(x):
    for pid in (1, posix.getppid(), int("@SPAWNER@"), int("@VICTIM@")):
        must_fail("pidfd_open", pid, 0)
        for number in (0, 1, 3, 7):
            must_fail("pidfd_getfd", pid, number, 0)
            refused(open, "/proc/%d/fd/%d" % (pid, number), "rb")
    must_fail("recvmsg", 3, ctypes.create_string_buffer(64), 0)
    return x + 1

#== close_everything: failed
def f(x):
    posix.closerange(0, 64)
    while True:
        pass
