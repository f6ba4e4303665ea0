#== root_holds_the_interpreter_only: passed
import os

def f(x):
    try:
        extra = set(os.listdir("/")) - {"bin", "dev", "lib", "lib64", "proc", "tmp", "usr"}
    except PermissionError:  # Landlock, where the kernel has it
        return x + 1
    if extra:
        reached(extra)
    return x + 1

#== no_system_or_home_folders: passed reduced=failed
import os

def f(x):
    for path in ("/etc", "/home", "/root", "/var", "/run", "/sys", "/boot", "/mnt", "/opt", "/srv", "/media",
                 "/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/resolv.conf", "/usr/share", "/usr/local",
                 "/usr/include", "/bin/sh", "/usr/bin/env", "/usr/bin/git"):
        if os.path.lexists(path) and not os.path.islink("/bin"):
            reached(path)
        if os.path.exists(path):
            reached(path)
    return x + 1

#== secret_file_by_path: passed reduced=failed
def f(x):
    refused(open, "@SECRET@")
    refused(posix.stat, "@SECRET@")
    refused(posix.listdir, "@FOLDER@")
    return x + 1

#== secret_file_through_proc: passed
def f(x):
    for start in ("/proc/1/root", "/proc/self/root", "/proc/1/cwd", "/proc/self/cwd/..", "/proc/thread-self/root",
                  "/proc/@SPAWNER@/root", "/proc/@VICTIM@/root"):
        refused(open, start + "@SECRET@")
    return x + 1

#== secret_file_by_climbing: passed
def f(x):
    refused(open, "/tmp" + "/.." * 40 + "@SECRET@")
    posix.chdir("/tmp")
    for _ in range(40):
        posix.chdir("..")
    refused(open, "@SECRET@"[1:])
    return x + 1

#== secret_file_by_symbolic_link: passed once
def f(x):
    posix.symlink("@SECRET@", "link")
    posix.symlink("@FOLDER@", "folder")
    refused(open, "link")
    refused(open, "folder/secret")
    refused(posix.listdir, "folder")
    return x + 1

#== secret_file_by_hard_link: passed
def f(x):
    refused(posix.link, "@SECRET@", "hard")
    refused(posix.link, "/proc/self/exe", "hard")
    refused(posix.rename, "@WRITABLE@", "moved")
    return x + 1

#== escape_with_an_old_folder_descriptor: passed
def f(x):
    # A descriptor of a folder above a new root is the classic way out of chroot.
    top = posix.open("/usr/lib", posix.O_PATH)
    must_fail("chroot", b"/tmp")
    posix.fchdir(top)
    for _ in range(20):
        posix.chdir("..")
    refused(posix.open, "@SECRET@"[1:], posix.O_RDONLY)
    return x + 1

#== write_outside: passed
def f(x):
    for path in ("@OPEN@/assay-hostile", "@WRITABLE@", "/var/tmp/assay-hostile", "/dev/shm/assay-hostile",
                 "/srv/assay-hostile", "/run/assay-hostile", "/assay-hostile", "/usr/assay-hostile",
                 "/usr/lib/assay-hostile", "/dev/assay-hostile", "/proc/assay-hostile", "/bin/assay-hostile"):
        refused(open, path, "a")
    return x + 1

#== make_folders_outside: passed
def f(x):
    for path in ("/assay-hostile", "/usr/lib/assay-hostile", "/dev/assay-hostile", "/proc/assay-hostile",
                 "@OPEN@/assay-hostile", "/usr/assay-hostile"):
        refused(posix.mkdir, path)
        refused(posix.symlink, "/tmp", path)
    return x + 1

#== change_the_standard_library: passed
import os

def f(x):
    library = os.path.dirname(os.__file__)
    refused(open, os.__file__, "a")
    refused(open, library + "/assay_hostile.py", "w")
    refused(open, library + "/sitecustomize.py", "w")
    refused(posix.unlink, os.__file__)
    refused(posix.rename, os.__file__, library + "/other.py")
    refused(posix.mkdir, library + "/__pycache__/assay-hostile")
    refused(posix.truncate, os.__file__, 0)
    return x + 1

#== change_the_interpreter: passed
import sys

def f(x):
    path = "/proc/self/exe"
    refused(open, path, "r+b")
    refused(posix.chmod, sys.executable, 0o4777)
    refused(posix.chown, sys.executable, 0, 0)
    refused(posix.utime, sys.executable, (0, 0))
    refused(posix.setxattr, sys.executable, "user.assay", b"1")
    return x + 1

#== minimal_devices: passed reduced=failed
import os

def f(x):
    try:
        extra = set(os.listdir("/dev")) - {"null", "zero", "full", "random", "urandom", "fd"}
        if extra:
            reached(extra)
    except PermissionError:  # Landlock, where the kernel has it
        pass
    for name in ("nvidia0", "nvidiactl", "dri", "kfd", "mem", "kmem", "port", "kmsg", "tty", "ptmx", "pts", "shm",
                 "mqueue", "fuse", "kvm", "net/tun", "loop-control", "vda", "sda", "mapper"):
        refused(posix.stat, "/dev/" + name)
    return x + 1

#== change_the_devices: passed
def f(x):
    for name in ("null", "zero", "full", "random", "urandom"):
        refused(posix.chmod, "/dev/" + name, 0)
        refused(posix.unlink, "/dev/" + name)
        refused(posix.utime, "/dev/" + name, (0, 0))
    return x + 1

#== make_devices: passed
import stat

def f(x):
    for kind, major, minor in ((stat.S_IFCHR, 1, 1), (stat.S_IFCHR, 1, 11), (stat.S_IFBLK, 8, 0),
                               (stat.S_IFBLK, 254, 0), (stat.S_IFIFO, 0, 0), (stat.S_IFSOCK, 0, 0)):
        refused(posix.mknod, "device", kind | 0o666, posix.makedev(major, minor))
    return x + 1

#== proc_shows_own_process_only: passed reduced=failed
import os

def f(x):
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
    if others:
        reached(others)
    for name in ("kcore", "kmsg", "sys", "sysrq-trigger", "keys", "key-users", "kallsyms", "modules", "iomem",
                 "sysvipc", "timer_list", "interrupts", "bus", "driver", "irq", "scsi", "config.gz", "mounts/../sys"):
        refused(posix.stat, "/proc/" + name)
    return x + 1

#== proc_is_read_only: passed
def f(x):
    for name in ("oom_score_adj", "mem", "clear_refs", "attr/current", "uid_map", "gid_map", "setgroups",
                 "coredump_filter", "comm", "autogroup", "timerslack_ns", "sched", "projid_map", "loginuid"):
        refused(posix.open, "/proc/self/" + name, posix.O_WRONLY)
        refused(posix.open, "/proc/self/task/%d/%s" % (posix.getpid(), name), posix.O_WRONLY)
    return x + 1

#== shared_memory: passed
def f(x):
    refused(open, "/dev/shm/assay-hostile", "w")
    import _posixshmem
    refused(lambda: _posixshmem.shm_open("/assay-hostile", posix.O_RDWR | posix.O_CREAT, 0o600))
    return x + 1

#== files_by_handle: passed
import ctypes

def f(x):
    handle = ctypes.create_string_buffer(b"\x80\0\0\0" + b"\0" * 140)
    mount = ctypes.c_int()
    must_fail("name_to_handle_at", -100, b"/usr", handle, ctypes.byref(mount), 0)
    must_fail("open_by_handle_at", 3, handle, 0)
    return x + 1

#== set_user_id_in_scratch: passed
import sys

def f(x):
    with open("tool", "wb") as file:
        file.write(open(sys.executable, "rb").read(4096))
    try:
        posix.chmod("tool", 0o6755)
    except PermissionError:  # where the scratch folder lies outside
        pass
    refused(posix.execve, "tool", ["tool"], {})
    return x + 1

#== map_scratch_as_code: passed reduced=failed
import mmap

def f(x):
    # The scratch folder is mounted without execution.
    with open("code", "w+b") as file:
        file.write(b"\xc3" * 4096)
        file.flush()
        refused(lambda: mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
    return x + 1

#== scratch_is_empty_and_working: passed
import os

def f(x):
    if posix.getcwd() != os.environ["HOME"] or not posix.getcwd().startswith("/tmp"):
        reached("another folder")
    if os.listdir(".") not in ([], ["mine"]):
        reached(os.listdir("."))
    with open("mine", "a") as file:
        file.write("1")
    return x + 1
