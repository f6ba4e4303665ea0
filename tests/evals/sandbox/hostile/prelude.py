import posix


def reached(what):
    raise RuntimeError("reached: %s" % (what,))


def refused(action, *args):
    """The action must end in an error of the operating system."""
    try:
        result = action(*args)
    except (OSError, EOFError):
        return
    reached("%s%r gave %r" % (getattr(action, "__name__", action), args, result))


_NUMBERS = {
    "socket": 41, "connect": 42, "accept": 43, "sendto": 44, "sendmsg": 46, "recvmsg": 47, "bind": 49,
    "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "shmget": 29, "shmat": 30, "shmctl": 31,
    "semget": 64, "semop": 65, "msgget": 68, "msgsnd": 69, "msgrcv": 70, "fcntl": 72, "flock": 73, "ptrace": 101,
    "syslog": 103, "setuid": 105, "setgid": 106, "setpgid": 109, "setsid": 112, "setgroups": 116, "setresuid": 117,
    "setresgid": 119, "capset": 126, "rt_sigqueueinfo": 129, "mknod": 133, "personality": 135, "setpriority": 141,
    "sched_setparam": 142, "sched_setscheduler": 144, "mlock": 149, "mlockall": 151, "vhangup": 153,
    "modify_ldt": 154, "pivot_root": 155, "prctl": 157, "adjtimex": 159, "setrlimit": 160, "chroot": 161,
    "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
    "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173, "init_module": 175, "delete_module": 176,
    "quotactl": 179, "setxattr": 188, "tkill": 200, "sched_setaffinity": 203, "io_setup": 206,
    "lookup_dcookie": 212, "remap_file_pages": 216, "clock_settime": 227, "tgkill": 234, "mbind": 237,
    "set_mempolicy": 238, "mq_open": 240, "mq_unlink": 241, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "ioprio_set": 251, "inotify_init": 253, "migrate_pages": 256, "unshare": 272, "splice": 275,
    "tee": 276, "vmsplice": 278, "move_pages": 279, "signalfd": 282, "timerfd_create": 283, "accept4": 288,
    "inotify_init1": 294, "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "sched_setattr": 314,
    "seccomp": 317, "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "execveat": 322, "userfaultfd": 323,
    "pkey_mprotect": 329, "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "process_madvise": 440,
    "mount_setattr": 442, "quotactl_fd": 443, "landlock_create_ruleset": 444, "landlock_restrict_self": 446,
    "memfd_secret": 447, "process_mrelease": 448}


def on_x86():
    return posix.uname().machine == "x86_64"


def call(name, *args):
    """A system call past every library: its result, or minus the error number."""
    import ctypes
    number = _NUMBERS[name] if isinstance(name, str) else name
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    arguments = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = libc.syscall(ctypes.c_long(number), *arguments)
    return result if result >= 0 else -ctypes.get_errno()


def must_fail(name, *args):
    """EPERM, or ENOSYS where the C library has an older way: never done, never looked at further."""
    if not on_x86():
        return
    result = call(name, *args)
    if result not in (-1, -38):
        reached("%s%r gave %d" % (name, args, result))
