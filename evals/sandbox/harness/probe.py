# What a confined program can reach. Run as a completion at the start of each use of the sandbox;
# every attempt must fail. The same script run unconfined succeeds in them, which a test shows.
import posix


def _attempt(action):
    try:
        action()
    except BaseException:
        return False
    return True


def _connect(port):
    import _socket
    _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).connect(("127.0.0.1", port))


def _open_socket():
    import _socket
    _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)


def _fork():
    if posix.fork() == 0:
        posix._exit(0)


def _write(path):
    posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT, 0o600))


def probe(marker, port, pid):
    return {
        "read a file outside": _attempt(lambda: posix.open(marker, posix.O_RDONLY)),
        "write outside": _attempt(lambda: _write(marker + ".written")),
        "change permissions outside": _attempt(lambda: posix.chmod(marker, 0o640)),
        "connect to loopback": _attempt(lambda: _connect(port)),
        "open a socket": _attempt(_open_socket),
        "see a foreign process": _attempt(lambda: posix.listdir("/proc/%d" % pid)),
        "signal a foreign process": _attempt(lambda: posix.kill(pid, 0)),
        "start a process": _attempt(_fork),
        "execute a program": not _attempt_exec_fails(),
    }


def _attempt_exec_fails():
    # An exec that worked would end this process; a path that is missing tells "forbidden" from
    # "not found" without that.
    try:
        posix.execve("/nowhere/at/all", ["x"], {})
    except FileNotFoundError:
        return False
    except BaseException:
        return True
