# SPDX-License-Identifier: GPL-2.0-or-later
"""System call filters, as systemd makes them of a unit's directives, in launcher's words:

    filter ACTION                           one more; what happens to a call that no rule takes
    ACTION CALL [INDEX OPERATOR A [B]]...   a rule; masked: argument & A == B
"""
import errno
import functools
import mmap
import os
import pathlib
import socket
import stat
import subprocess

from unit_file import Unknown

EPERM, ENOSYS = f"errno:{errno.EPERM}", f"errno:{errno.ENOSYS}"
NAMESPACES = {"CLONE_NEWNS": 0x20000, "CLONE_NEWCGROUP": 0x2000000, "CLONE_NEWUTS": 0x4000000,
              "CLONE_NEWIPC": 0x8000000, "CLONE_NEWUSER": 0x10000000, "CLONE_NEWPID": 0x20000000,
              "CLONE_NEWNET": 0x40000000}
SHM_EXEC = 0o100000


@functools.cache
def groups():
    """{"@name": [call or "@name", ...]}, as the systemd of this machine has them."""
    said = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True,
                          stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout
    found, members = {}, []
    for line in said.splitlines():
        word = line.strip()
        if line.startswith("@"):
            members = found.setdefault(word, [])
        elif line.startswith("#"):
            members = []
        elif word and not word.startswith("#"):
            members.append(word)
    return found


def calls(words):
    """All that they name, themselves or as members of a group."""
    names = set()
    for word in words:
        if not word.startswith("@"):
            names.add(word)
        elif word in groups():
            names |= calls(groups()[word])
        else:
            raise Unknown(f"the group of system calls {word}")
    return names


def refuse(names):
    """One filter: these are not permitted, everything else is."""
    return ["filter allow"] + [f"{EPERM} {name}" for name in sorted(names)]


def system_calls(values, action):
    """SystemCallFilter=: the first word decides that all that is not allowed is refused."""
    if not values or values[0].startswith("~"):
        raise Unknown("SystemCallFilter= that is no list of what is allowed")
    allowed = calls(["@default"])
    for value in values:
        names = calls(value.removeprefix("~").split())
        allowed = allowed - names if value.startswith("~") else allowed | names
    return [f"filter {action}"] + [f"allow {name}" for name in sorted(allowed)]


def address_families(names):
    if names[0] == "none" or names[0].startswith("~"):
        raise Unknown("RestrictAddressFamilies= that is no list of what is allowed")
    families = {int(getattr(socket, name)) for name in names}
    first, last = min(families), max(families)
    refused = f"errno:{errno.EAFNOSUPPORT} socket 0"
    between = [f"{refused} eq {family}" for family in range(first, last)
               if family not in families]
    return ["filter allow", f"{refused} lt {first}", f"{refused} gt {last}", *between]


def namespaces():
    rules = ["filter allow", f"{EPERM} setns", f"{ENOSYS} clone3"]
    for flag in NAMESPACES.values():
        rules += [f"{EPERM} {call} 0 masked {flag} {flag}" for call in ("unshare", "clone")]
    return rules


def realtime():
    policies = {os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE}
    refused = f"{EPERM} sched_setscheduler 1"
    return (["filter allow", f"{refused} gt {max(policies)}"]
            + [f"{refused} eq {policy}" for policy in range(max(policies))
               if policy not in policies])


def set_id_files():
    rules = ["filter allow", f"{ENOSYS} openat2"]
    modes = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "mknod": 1, "mknodat": 2, "creat": 1}
    for bit in (stat.S_ISUID, stat.S_ISGID):
        rules += [f"{EPERM} {call} {index} masked {bit} {bit}" for call, index in modes.items()]
        rules += [f"{EPERM} {call} {index} masked {os.O_CREAT} {os.O_CREAT} "
                  f"{index + 1} masked {bit} {bit}" for call, index in (("open", 1), ("openat", 2))]
    return rules


def write_and_execute():
    executable = f"2 masked {mmap.PROT_EXEC} {mmap.PROT_EXEC}"
    both = mmap.PROT_EXEC | mmap.PROT_WRITE
    return ["filter allow", f"{EPERM} mmap 2 masked {both} {both}",
            f"{EPERM} mprotect {executable}", f"{EPERM} pkey_mprotect {executable}",
            f"{EPERM} shmat 2 masked {SHM_EXEC} {SHM_EXEC}"]


def personality():
    now = int(pathlib.Path("/proc/self/personality").read_text(), 16)
    return ["filter allow", f"{EPERM} personality 0 ne {now}"]


def native():
    """A filter of libseccomp kills who calls by another architecture's numbers."""
    return ["filter allow"]
