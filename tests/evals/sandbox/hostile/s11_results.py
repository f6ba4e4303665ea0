#== links_in_circles_and_outwards: passed once
def f(x):
    posix.symlink("loop", "loop")
    posix.symlink(".", "here")
    posix.symlink("@FOLDER@", "folder")
    posix.symlink("@WRITABLE@", "file")
    posix.symlink("@OPEN@", "open")
    posix.mkdir("dir")
    posix.symlink("..", "dir/up")
    return x + 1

#== modules_for_others: passed once
def f(x):
    # Had another process this folder as its working directory, it would import these.
    for name in ("sitecustomize", "usercustomize", "random", "json", "struct", "builtins"):
        with open(name + ".py", "w") as file:
            file.write("raise SystemExit('assay-hostile')\n")
    posix.mkdir("__pycache__")
    return x + 1

#== files_named_like_results: passed once
def f(x):
    for name in ("result", "verdict", "result.json", "passed", "1", "3", "output", "core"):
        posix.symlink("@WRITABLE@", name)
    return x + 1

#== pipes_to_wait_on: passed once
def f(x):
    # Who opened such a file outside would wait for ever.
    refused(posix.mkfifo, "result")
    refused(posix.mkfifo, "verdict", 0o666)
    return x + 1

#== programs_for_others: passed once
def f(x):
    for name in ("python3", "sh", "ls", ".bashrc", ".profile", ".pythonrc", "conftest.py", "setup.py", "Makefile"):
        with open(name, "w") as file:
            file.write("#!/bin/sh\ntouch @OPEN@/assay-hostile\n")
        try:
            posix.chmod(name, 0o755)
        except PermissionError:  # where the scratch folder lies outside
            pass
    return x + 1
