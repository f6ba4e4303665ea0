# Prints what the interpreter needs to see of the file system: V version, X executable, D folders,
# F files, L symbolic links (path, tab, target). Run once, outside, before any completion.
import os
import sys

LINES = set()


def follow(path):
    """Reports `path`: each symbolic link on the way, and the file at its end."""
    real, rest, hops = "", path.strip("/").split("/"), 0
    while rest:
        name = rest.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            real = os.path.dirname(real)
            continue
        here = real + "/" + name
        if os.path.islink(here) and hops < 40:
            hops += 1
            target = os.readlink(here)
            LINES.add("L %s\t%s" % (here, target))
            if target.startswith("/"):
                real = ""
            rest = target.strip("/").split("/") + rest
        else:
            real = here
    if os.path.isfile(real):
        LINES.add("F " + real)


def loader(executable):
    """The path of the dynamic loader that the executable names (ELF64, PT_INTERP)."""
    with open(executable, "rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            return None
        number = lambda data, at, size: int.from_bytes(data[at:at + size], "little")
        file.seek(number(head, 32, 8))
        size, count = number(head, 54, 2), number(head, 56, 2)
        table = file.read(size * count)
        for at in range(0, size * count, size):
            if number(table, at, 4) == 3:
                file.seek(number(table, at + 8, 8))
                return file.read(number(table, at + 32, 8)).rstrip(b"\0").decode()
    return None


def load_extensions(folder):
    """Imports the standard library's compiled modules, so that their libraries are mapped."""
    for name in sorted(os.listdir(folder)):
        module = name.split(".")[0]
        if name.endswith(".so") and not module.lstrip("_").startswith(
                ("test", "xx", "tkinter", "dbm", "gdbm", "readline", "curses")):
            try:
                __import__(module)
            except Exception:
                pass


def main():
    executable = os.path.realpath(sys.executable)
    folders = [p for p in sys.path if os.path.isdir(p)]
    library = os.path.dirname(os.path.realpath(os.__file__))
    for folder in folders:
        if os.path.basename(folder) == "lib-dynload":
            load_extensions(folder)
    for folder in {os.path.realpath(folder) for folder in folders + [library]}:
        inside = folder.startswith(library + "/")
        if not inside:
            LINES.add("D " + folder)
    follow(executable)
    if loader(executable):
        follow(loader(executable))
    with open("/proc/self/maps") as maps:
        mapped = {line.split(None, 5)[5].strip() for line in maps if len(line.split(None, 5)) == 6}
    for path in mapped:
        if not path.startswith("/") or ".so" not in os.path.basename(path):
            continue
        if path.startswith(library + "/"):
            continue
        folder = os.path.dirname(path)
        stem = os.path.basename(path).split(".so")[0]
        for name in os.listdir(folder):
            other = os.path.join(folder, name)
            if name.startswith(stem) and os.path.realpath(other) == os.path.realpath(path):
                follow(other)
    for name in ("/lib", "/lib64", "/bin"):
        if os.path.islink(name):
            LINES.add("L %s\t%s" % (name, os.readlink(name)))
    print("V %d.%d.%d" % sys.version_info[:3])
    print("X " + executable)
    print("\n".join(sorted(LINES)))


main()
