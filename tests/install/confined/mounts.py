# SPDX-License-Identifier: GPL-2.0-or-later
"""The file system that a unit's directives leave a service: a tree of mounts beside the
machine's, restricted when it is complete, and then moved into its place.
"""
import ctypes
import os
import re

LIBC = ctypes.CDLL(None, use_errno=True)
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_MOVE, MS_REC = 0x1000, 0x2000, 0x4000
ATTR_RDONLY, ATTR_NOEXEC = 1, 8
MOUNT_SETATTR = 442
AT_FDCWD = -100
# Where the tree grows, and an empty directory in it.
AT = "/mnt"
CLOSED = "/mnt/closed"


def checked(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind=None, flags=0, options=None):
    words = [word.encode() if word else None for word in (source, target, kind)]
    checked(LIBC.mount(*words, ctypes.c_ulong(flags), options.encode() if options else None),
            f"mount {source} on {target}")


def add_attributes(path, attributes):
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    checked(LIBC.syscall(ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, path.encode(), 0,
                         ctypes.byref(wanted), ctypes.c_size_t(ctypes.sizeof(wanted))),
            f"mount_setattr {path}")


def mount_points():
    """Those of the tree, as paths in it; others are hidden by what was mounted later."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        paths = [re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), line.split()[4])
                 for line in file]
    return [path.removeprefix(AT) or "/" for path in paths
            if f"{path}/".startswith(AT + "/") and os.path.lexists(path)]


def ancestors(path):
    while path != "/":
        path = os.path.dirname(path)
        yield path


def nearest(rules, path):
    """What the rule for @path, or else for the directory nearest above it, says."""
    return next((rules[p] for p in (path, *ancestors(path)) if p in rules), False)


class Tree:
    """
    layer       {path: descriptor}: what is there instead of the machine's
    read_only, no_exec  {path: bool}: for what is below, too; the longest path counts
    closed      paths that nobody gets into
    places      functions that mount more, each called with the tree
    proc        options of /proc
    """

    def __init__(self):
        self.layer, self.read_only, self.no_exec = {}, {}, {}
        self.closed, self.places, self.proc = [], [], None

    def build(self):
        mount("tmpfs", AT, "tmpfs", 0, "mode=755")
        self.fill("/", {p for path in self.layer for p in ancestors(path)})
        for path, fd in self.layer.items():
            bind(f"/proc/self/fd/{fd}", path)
        if self.proc:
            mount("proc", AT + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, self.proc)
        for place in self.places:
            place()
        for path in self.closed:
            close(path)
        self.restrict()

    def fill(self, directory, own):
        """With what the machine has there; those directories in @own are made anew."""
        for path in sorted(own):
            if os.path.dirname(path) == directory and path != "/":
                os.makedirs(AT + path, exist_ok=True)
                self.fill(path, own)
        for name in os.listdir(directory) if os.path.isdir(directory) else ():
            path = os.path.join(directory, name)
            if path == AT:
                os.mkdir(AT + path)
            elif path not in own and path not in self.layer:
                copy(path)

    def restrict(self):
        """Attributes are only ever added: what the machine forbids stays forbidden."""
        for path in sorted({*self.read_only, *self.no_exec}, key=len):
            if os.path.lexists(AT + path) and path not in mount_points():
                mount(AT + path, AT + path, None, MS_BIND | MS_REC)
        for path in mount_points():
            add_attributes(AT + path, ATTR_RDONLY * nearest(self.read_only, path)
                           | ATTR_NOEXEC * nearest(self.no_exec, path))

    def enter(self):
        os.chdir(AT)
        mount(".", "/", None, MS_MOVE)
        os.chroot(".")


def touch(path, mode=0o644):
    os.close(os.open(AT + path, os.O_CREAT | os.O_WRONLY, mode))


def bind(source, path):
    """A directory with the mounts below it, or a file."""
    if os.path.isdir(source):
        os.makedirs(AT + path, exist_ok=True)
    else:
        touch(path)
    mount(source, AT + path, None, MS_BIND | MS_REC)


def copy(path):
    """What is neither file, directory nor link stays away: nobody asked for it."""
    if os.path.islink(path):
        os.symlink(os.readlink(path), AT + path)
    elif os.path.isdir(path) or os.path.isfile(path):
        bind(path, path)


def close(path):
    if os.path.isdir(AT + path):
        mount("tmpfs", AT + path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=000")
    elif os.path.lexists(AT + path):
        touch(CLOSED, 0o000)
        mount(AT + CLOSED, AT + path, None, MS_BIND)
        os.unlink(AT + CLOSED)


def private_tmp():
    for path in ("/tmp", "/var/tmp"):
        mount("tmpfs", AT + path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")


def private_devices():
    mount("tmpfs", AT + "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        bind(f"/dev/{name}", f"/dev/{name}")
    for name in filter(lambda name: os.path.isdir(f"/dev/{name}"), ("pts", "shm", "mqueue")):
        bind(f"/dev/{name}", f"/dev/{name}")
    links = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
             "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
    for name, target in links.items():
        os.symlink(target, f"{AT}/dev/{name}")
