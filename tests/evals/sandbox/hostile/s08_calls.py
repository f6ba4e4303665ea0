#== fork_bomb: passed
def f(x):
    for _ in range(2000):
        refused(posix.fork)
    return x + 1

#== double_forked_daemon: passed
def f(x):
    try:
        if posix.fork() == 0:
            posix.setsid()
            if posix.fork() == 0:
                while True:
                    pass
            posix._exit(0)
        reached("a process")
    except OSError:
        return x + 1

#== new_processes_by_every_call: passed
def f(x):
    must_fail("fork")
    must_fail("vfork")
    must_fail("clone", 17, 0, 0, 0, 0)                  # SIGCHLD
    must_fail("clone", 0x00000100 | 17, 0, 0, 0, 0)     # CLONE_VM
    must_fail("clone", 0x00004111, 0, 0, 0, 0)          # as vfork
    must_fail("clone", 0x00008000 | 17, 0, 0, 0, 0)     # CLONE_PARENT
    must_fail("clone", 0x00001000, 0, 0, 0, 0)          # CLONE_PIDFD
    must_fail("clone3", b"\0" * 88, 88)
    return x + 1

#== new_namespaces: passed
def f(x):
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        must_fail("unshare", flag)
        if flag != 0x80:  # in clone the low byte is the signal
            must_fail("clone", flag | 17, 0, 0, 0, 0)
            must_fail("clone", flag | 0x10900, 0, 0, 0, 0)  # with CLONE_THREAD
    for number in range(5):
        must_fail("setns", number, 0)
    return x + 1

#== execute_a_program: passed
import os

def f(x):
    for path in ("/bin/sh", "/usr/bin/python3", "/usr/bin/env", "/nowhere", "/proc/self/exe", "/lib64/ld-linux-x86-64.so.2"):
        refused(posix.execv, path, [path, "-c", "print(1)"])
        refused(posix.execve, path, [path], {})
    must_fail("execveat", -100, b"/proc/self/exe", 0, 0, 0)
    must_fail("execveat", 3, b"", 0, 0, 0x1000)
    return x + 1

#== spawn_and_subprocess: passed
import _posixsubprocess

def f(x):
    refused(posix.posix_spawn, "/usr/bin/python3", ["python3"], {})
    end, start = posix.pipe()
    arguments = [[b"x"], [b"/usr/bin/python3"], True, (), None, None, -1, -1, -1, -1, -1, -1, end, start, False, False]
    for count in range(4, 10):  # their number differs between versions
        try:
            pid = _posixsubprocess.fork_exec(*(arguments + [0, None, None, None, -1, None, True][:count]))
        except (OSError, TypeError):
            continue
        reached("process %d" % pid)
    return x + 1

#== multiprocessing: failed/refused
import multiprocessing

def g(x):
    return x + 1

def f(x):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(g, [x])[0]

#== sockets_of_every_family: passed
import ctypes

def f(x):
    pair = (ctypes.c_int * 2)()
    for family in range(48):
        for kind in (1, 2, 3, 5):
            must_fail("socket", family, kind, 0)
        must_fail("socketpair", family, 1, 0, pair)
    return x + 1

#== reach_listening_sockets: passed
import _socket

def _try(family, kind, address):
    connection = _socket.socket(family, kind)
    connection.connect(address)
    connection.send(b"assay-hostile")

def f(x):
    refused(_try, _socket.AF_INET, _socket.SOCK_STREAM, ("127.0.0.1", int("@TCP@")))
    refused(_try, _socket.AF_INET, _socket.SOCK_DGRAM, ("127.0.0.1", int("@UDP@")))
    refused(_try, _socket.AF_UNIX, _socket.SOCK_STREAM, "\0@ABSTRACT@")
    refused(_try, _socket.AF_UNIX, _socket.SOCK_STREAM, "@FOLDER@/socket")
    refused(_try, _socket.AF_INET, _socket.SOCK_STREAM, ("169.254.169.254", 80))
    refused(_try, _socket.AF_INET6, _socket.SOCK_STREAM, ("::1", int("@TCP@")))
    return x + 1

#== refused_socket_in_try: passed
import socket

def f(x):
    try:
        socket.create_connection(("127.0.0.1", int("@TCP@")), 1)
    except OSError:
        return x + 1
    reached("a connection")

#== uncaught_refusal: refused
import socket

def f(x):
    socket.socket()
    return x + 1

#== trace_processes: passed
def f(x):
    must_fail("ptrace", 0, 0, 0, 0)  # TRACEME
    for pid in (1, posix.getpid(), posix.getppid(), int("@SPAWNER@"), int("@VICTIM@")):
        must_fail("ptrace", 16, pid, 0, 0)      # ATTACH
        must_fail("ptrace", 0x4206, pid, 0, 0)  # SEIZE
    return x + 1

#== memory_of_processes: passed
import ctypes

class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

def f(x):
    buffer = ctypes.create_string_buffer(64)
    local = Vector(ctypes.addressof(buffer), 64)
    remote = Vector(0x400000, 64)
    for pid in (1, posix.getpid(), posix.getppid(), int("@SPAWNER@"), int("@VICTIM@")):
        for name in ("process_vm_readv", "process_vm_writev"):
            must_fail(name, pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
        must_fail("kcmp", pid, posix.getpid(), 0, 0, 0)
    must_fail("process_madvise", 3, ctypes.byref(local), 1, 4, 0)
    must_fail("process_mrelease", 3, 0)
    return x + 1

#== signal_everybody: passed
def f(x):
    # os.kill is taken away as in the original harness; posix has it still.
    for pid in (1, -1, 0, posix.getppid(), int("@VICTIM@"), int("@SPAWNER@"), int("@DRIVER@"), -int("@VICTIM@")):
        if pid == posix.getpid():
            continue
        for number in (9, 15, 19, 2, 1):
            refused(posix.kill, pid, number)
    for pid in (1, int("@VICTIM@"), int("@SPAWNER@")):
        must_fail("tkill", pid, 9)
        must_fail("tgkill", pid, pid, 9)
        must_fail("rt_sigqueueinfo", pid, 9, b"\0" * 128)
        must_fail("pidfd_send_signal", 3, 9, 0, 0)
    return x + 1

#== key_rings: passed
def f(x):
    must_fail("add_key", b"user", b"assay-hostile", b"1", 1, -4)
    must_fail("request_key", b"user", b"assay-hostile", 0, -4)
    for operation in range(0, 33):
        must_fail("keyctl", operation, -4, 0, 0, 0)
    return x + 1

#== io_uring: passed
def f(x):
    must_fail("io_uring_setup", 8, b"\0" * 120)
    must_fail("io_uring_enter", 3, 1, 0, 0, 0, 0)
    must_fail("io_uring_register", 3, 0, 0, 0)
    must_fail("io_setup", 8, b"\0" * 8)
    return x + 1

#== kernel_programs_and_counters: passed
def f(x):
    for command in range(0, 37):
        must_fail("bpf", command, b"\0" * 120, 120)
    must_fail("perf_event_open", b"\0" * 120, 0, -1, -1, 0)
    must_fail("userfaultfd", 0)
    must_fail("userfaultfd", 1)
    must_fail("lookup_dcookie", 0, 0, 0)
    return x + 1

#== memory_files: passed
def f(x):
    must_fail("memfd_create", b"assay-hostile", 0)
    must_fail("memfd_create", b"assay-hostile", 4)
    must_fail("memfd_secret", 0)
    return x + 1

#== system_v_objects: passed
import ctypes

def f(x):
    buffer = ctypes.create_string_buffer(4096)
    must_fail("shmget", 0x5ec4e7, 4096, 0o1666)
    must_fail("shmat", int("@SHM@"), 0, 0)
    must_fail("shmctl", int("@SHM@"), 0, 0)
    must_fail("semget", 0x5ec4e7, 1, 0o1666)
    must_fail("msgget", 0x5ec4e7, 0o1666)
    must_fail("msgrcv", int("@MSG@"), buffer, 4096, 0, 0o4000)
    must_fail("msgsnd", int("@MSG@"), buffer, 1, 0o4000)
    return x + 1

#== message_queues: passed
def f(x):
    must_fail("mq_open", b"assay-hostile", 0o102, 0o600, 0)
    must_fail("mq_unlink", b"assay-hostile")
    return x + 1

#== mounts: passed
def f(x):
    must_fail("mount", b"none", b"/tmp", b"tmpfs", 0, 0)
    must_fail("mount", b"/usr", b"/tmp", 0, 4096, 0)
    must_fail("mount", 0, b"/usr/lib", 0, 32 | 4096, 0)  # read-only taken away
    must_fail("mount", b"proc", b"/tmp", b"proc", 0, 0)
    for path in (b"/", b"/tmp", b"/proc", b"/usr/lib"):
        must_fail("umount2", path, 2)
    must_fail("pivot_root", b"/tmp", b"/tmp")
    must_fail("chroot", b"/tmp")
    must_fail("open_tree", -100, b"/usr", 1)
    must_fail("move_mount", 3, b"", -100, b"/tmp", 4)
    must_fail("fsopen", b"tmpfs", 0)
    must_fail("fsconfig", 3, 0, 0, 0, 0)
    must_fail("fsmount", 3, 0, 0)
    must_fail("fspick", -100, b"/usr", 0)
    must_fail("mount_setattr", -100, b"/", 0x8000, b"\0" * 32, 32)
    return x + 1

#== the_machine: passed
def f(x):
    must_fail("reboot", 0xfee1dead, 672274793, 0, 0)
    must_fail("init_module", 0, 0, 0)
    must_fail("finit_module", 3, b"", 0)
    must_fail("delete_module", b"assay", 0)
    must_fail("kexec_load", 0, 0, 0, 0)
    must_fail("kexec_file_load", 3, 3, 0, 0, 0)
    must_fail("swapon", b"/tmp/swap", 0)
    must_fail("swapoff", b"/tmp/swap")
    must_fail("acct", 0)
    must_fail("iopl", 3)
    must_fail("ioperm", 0, 1, 1)
    must_fail("modify_ldt", 0, 0, 0)
    must_fail("syslog", 2, 0, 0)
    must_fail("quotactl", 0, 0, 0, 0)
    must_fail("vhangup")
    must_fail("sethostname", b"assay-hostile", 13)
    must_fail("setdomainname", b"assay-hostile", 13)
    return x + 1

#== the_clock: passed
def f(x):
    import time
    refused(time.clock_settime, time.CLOCK_REALTIME, 0.0)
    must_fail("clock_settime", 0, b"\0" * 16)
    must_fail("settimeofday", b"\0" * 16, 0)
    must_fail("adjtimex", b"\xff" * 208)
    must_fail("clock_adjtime", 0, b"\xff" * 208)
    return x + 1

#== more_rights: passed
def f(x):
    must_fail("setuid", 0)
    must_fail("setgid", 0)
    must_fail("setresuid", 0, 0, 0)
    must_fail("setresgid", 0, 0, 0)
    must_fail("setgroups", 0, 0)
    must_fail("capset", b"\x22\x05\x08\x20\0\0\0\0", b"\xff" * 24)
    must_fail("personality", 0x0040000)  # no address randomisation
    must_fail("prctl", 4, 1, 0, 0, 0)    # dumpable
    must_fail("prctl", 8, 1, 0, 0, 0)    # keep capabilities
    must_fail("prctl", 47, 2, 21, 0, 0)  # ambient capabilities
    must_fail("prctl", 0x59616d61, -1, 0, 0, 0)  # any tracer
    must_fail("prctl", 35, 8, 0, 0, 0)   # memory layout as /proc shows it
    return x + 1

#== another_filter: passed
def f(x):
    must_fail("seccomp", 1, 0, b"\0" * 16)
    must_fail("seccomp", 1, 8, b"\0" * 16)
    must_fail("seccomp", 3, 0, b"\0" * 16)
    must_fail("prctl", 22, 1, 0, 0, 0)
    must_fail("landlock_create_ruleset", 0, 0, 1)
    must_fail("landlock_restrict_self", 3, 0)
    return x + 1

#== priority_and_placement: passed
def f(x):
    must_fail("setpriority", 0, 0, -20)
    must_fail("setpriority", 2, 1000, 19)
    must_fail("sched_setscheduler", 0, 1, b"\x01\0\0\0")
    must_fail("sched_setparam", 0, b"\0\0\0\0")
    must_fail("sched_setattr", 0, b"\0" * 48, 0)
    must_fail("sched_setaffinity", 0, 8, b"\1" + b"\0" * 7)
    must_fail("ioprio_set", 1, 0, 0)
    must_fail("mlock", 0x1000, 4096)
    must_fail("mlockall", 3)
    must_fail("mbind", 0, 4096, 0, 0, 0, 0)
    must_fail("set_mempolicy", 0, 0, 0)
    must_fail("migrate_pages", 0, 0, 0, 0)
    must_fail("move_pages", 0, 0, 0, 0, 0, 0)
    return x + 1

#== watch_files: passed
def f(x):
    must_fail("inotify_init")
    must_fail("inotify_init1", 0)
    must_fail("fanotify_init", 0, 0)
    return x + 1

#== odd_pipes_and_descriptors: passed
def f(x):
    must_fail("splice", 3, 0, 4, 0, 4096, 0)
    must_fail("tee", 3, 4, 4096, 0)
    must_fail("vmsplice", 4, 0, 0, 0)
    must_fail("signalfd", -1, b"\0" * 8, 8)
    must_fail("timerfd_create", 0, 0)
    must_fail("remap_file_pages", 0, 0, 0, 0, 0)
    return x + 1

#== numbers_that_name_no_call: passed
def f(x):
    for number in list(range(449, 1024)) + [4096, 65535, 0x3fffffff]:
        must_fail(number, 0, 0, 0, 0, 0, 0)
    return x + 1

#== foreign_table_32_bit: refused/killed
import ctypes, mmap

def f(x):
    if not on_x86():
        posix.kill(posix.getpid(), 9)
    # mov eax, 20 (getpid); int 0x80; ret
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    reached("the 32-bit table: %d" % result)

#== foreign_table_x32: refused/killed
def f(x):
    if not on_x86():
        posix.kill(posix.getpid(), 9)
    reached("the x32 table: %d" % call(0x40000000 | 39))

#== own_signal_handlers: passed
import signal, time

def f(x):
    caught = []
    signal.signal(signal.SIGALRM, lambda number, frame: caught.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(0.1)
    return x + len(caught)

#== interrupt_oneself: failed
import signal

def f(x):
    # As in the original harness an interrupt raises, also when the caller ignores it (nohup).
    signal.raise_signal(signal.SIGINT)
    return x + 1
