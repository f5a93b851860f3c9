# SPDX-License-Identifier: GPL-2.0-or-later
"""Every directive that natd.service may have, and what it means where no systemd is.

A directive that is not in TABLE, or a value that is not understood, is Unknown: the test
fails until somebody has said here how it is applied, or why it need not be.
"""
import os
import re
import shlex

import filters
import mounts
from unit_file import Unknown

SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600}


class Plan:
    """What the directives come to.

    commands      {"ExecStart" or "ExecReload": words}
    capabilities  {"bounding" or "ambient": names as setpriv(1) has them}
    unshare       options of unshare(1)
    tree          the file system
    filters       lines for launcher, of all system call filters
    directories   (folder of the machine, name, mode): made for the user, and writable
    """

    def __init__(self):
        self.commands, self.capabilities, self.environment = {}, {}, {}
        self.user = self.group = None
        self.umask, self.no_new_privileges = 0o022, False
        self.unshare, self.conditions, self.directories = ["--mount"], [], []
        self.filters, self.system_calls, self.refusal = [], [], "kill"
        self.modes, self.tree = {}, mounts.Tree()

    def finished(self):
        if self.system_calls:
            self.filters += filters.system_calls(self.system_calls, self.refusal)
        self.directories = [(folder, name, self.modes.get(folder, 0o755))
                            for folder, name in self.directories]
        return self


# ------------------------------------------------------------------- kinds of directives

def nothing(_why):
    """It needs nothing outside of systemd."""
    return lambda plan, values: None


def last(apply):
    """The last assignment counts."""
    return lambda plan, values: apply(plan, values[-1])


def each_word(apply):
    def directive(plan, values):
        for word in " ".join(values).split():
            apply(plan, word)
    return directive


def one_of(**known):
    """One of these words, with what each does."""
    def directive(plan, values):
        if values[-1] not in known:
            raise Unknown(f"the value {values[-1]}")
        known[values[-1]](plan)
    return directive


def switch(apply):
    return one_of(yes=apply, no=lambda plan: None)


def refusing(*groups):
    return lambda plan: plan.filters.extend(filters.refuse(filters.calls(groups)))


def filtering(make):
    return lambda plan: plan.filters.extend(make())


def together(*parts):
    def apply(plan):
        for part in parts:
            part(plan)
    return apply


def attribute(name):
    """Of a plan."""
    return last(lambda plan, value: setattr(plan, name, value))


# ------------------------------------------------------------------------- what they do

def octal(value):
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise Unknown(f"the mode {value}")
    return int(value, 8)


def seconds(value):
    match = re.fullmatch(r"(\d+)(\w*)", value)
    if not match or match[2] not in SECONDS:
        raise Unknown(f"the time {value}")
    return int(match[1]) * SECONDS[match[2]]


def command(name):
    def apply(plan, value):
        if not value.startswith("/") or "$" in value:
            raise Unknown(f"the command line {value}")
        plan.commands[name] = shlex.split(value)
    return last(apply)


def condition(plan, path):
    if not path.startswith("/"):
        raise Unknown(f"the condition {path}")
    plan.conditions.append(path)


def capabilities(kind):
    def directive(plan, values):
        names = " ".join(values).split()
        if not all(re.fullmatch(r"CAP_[A-Z_]+", name) for name in names):
            raise Unknown(f"the capabilities {' '.join(values)}")
        plan.capabilities[kind] = [name.removeprefix("CAP_").lower() for name in names]
    return directive


def directory(folder, variable):
    def apply(plan, name):
        if not re.fullmatch(r"[\w-]+", name):
            raise Unknown(f"the directory {name}")
        plan.directories.append((folder, name))
        plan.environment[variable] = f"{folder}/{name}"
        plan.tree.read_only[f"{folder}/{name}"] = False
    return last(apply)


def mode_of(folder):
    return last(lambda plan, value: plan.modes.update({folder: octal(value)}))


def paths(rules, value):
    """@rules: the tree's read_only or no_exec."""
    def apply(plan, word):
        path = word.removeprefix("-")
        if not path.startswith("/"):
            raise Unknown(f"the path {word}")
        getattr(plan.tree, rules)[os.path.realpath(path)] = value
    return each_word(apply)


def read_only(*wanted):
    return lambda plan: plan.tree.read_only.update(dict.fromkeys(wanted, True))


def strict(plan):
    plan.tree.read_only |= {"/": True, "/dev": False, "/proc": False, "/sys": False}


def closed(*wanted):
    return lambda plan: plan.tree.closed.extend(wanted)


def private_tmp(plan):
    plan.tree.places.append(mounts.private_tmp)
    plan.tree.read_only |= {"/tmp": False, "/var/tmp": False}


def private_devices(plan):
    plan.tree.places.append(mounts.private_devices)
    plan.tree.read_only |= {"/dev": True, "/dev/shm": False, "/dev/pts": False}
    plan.tree.no_exec["/dev"] = True
    refusing("@raw-io")(plan)


def system_call_filter(plan, values):
    for value in values:
        filters.calls(value.removeprefix("~").split())
    plan.system_calls = values


def unshare(option):
    return lambda plan: plan.unshare.append(option)


KERNEL_TUNABLES = [f"/proc/{name}" for name in (
    "acpi", "apm", "asound", "bus", "fs", "irq", "latency_stats", "mttr", "scsi", "sys",
    "sysrq-trigger", "timer_stats")] + ["/sys"]

ORDER = nothing("when systemd starts it")
AGAIN = nothing("whether systemd starts it again")
FOR_PEOPLE = nothing("words for people")

TABLE = {
    "Unit": {
        "Description": FOR_PEOPLE,
        "Documentation": FOR_PEOPLE,
        "ConditionPathExists": last(condition),
        "DefaultDependencies": ORDER,
        "Wants": ORDER,
        "Before": ORDER,
        "After": ORDER,
        "Conflicts": ORDER,
        "StartLimitIntervalSec": AGAIN,
        "StartLimitBurst": AGAIN,
    },
    "Install": {"WantedBy": nothing("what systemctl enable does")},
    "Service": {
        # launcher's caller waits for READY=1 on the socket that the environment names
        "Type": one_of(notify=lambda plan: None),
        "ExecStart": command("ExecStart"),
        "ExecReload": command("ExecReload"),
        "Restart": AGAIN,
        "RestartSec": AGAIN,
        "RestartPreventExitStatus": AGAIN,
        "WatchdogSec": last(lambda plan, value: plan.environment.update(
            WATCHDOG_USEC=str(seconds(value) * 1000000))),
        "User": attribute("user"),
        "Group": attribute("group"),
        "AmbientCapabilities": capabilities("ambient"),
        "CapabilityBoundingSet": capabilities("bounding"),
        "NoNewPrivileges": switch(lambda plan: setattr(plan, "no_new_privileges", True)),
        "UMask": last(lambda plan, value: setattr(plan, "umask", octal(value))),
        "RuntimeDirectory": directory("/run", "RUNTIME_DIRECTORY"),
        "StateDirectory": directory("/var/lib", "STATE_DIRECTORY"),
        "StateDirectoryMode": mode_of("/var/lib"),
        "ProtectSystem": one_of(strict=strict),
        "ProtectHome": switch(closed("/home", "/root", "/run/user")),
        "PrivateMounts": switch(unshare("--mount")),
        "PrivateTmp": switch(private_tmp),
        "PrivateDevices": switch(private_devices),
        "ProtectKernelTunables": switch(together(
            read_only(*KERNEL_TUNABLES), closed("/proc/kallsyms", "/proc/kcore"),
            refusing("_sysctl"))),
        "ReadWritePaths": paths("read_only", False),
        "ProtectKernelLogs": switch(together(
            closed("/proc/kmsg", "/dev/kmsg"), refusing("syslog"))),
        "ProtectKernelModules": switch(together(
            closed("/usr/lib/modules"), refusing("@module"))),
        "ProtectControlGroups": switch(read_only("/sys/fs/cgroup")),
        "ProtectClock": switch(refusing("@clock")),
        "ProtectHostname": switch(together(
            unshare("--uts"), refusing("sethostname", "setdomainname"))),
        "ProtectProc": one_of(invisible=lambda plan: setattr(plan.tree, "proc", "hidepid=2")),
        "NoExecPaths": paths("no_exec", True),
        "ExecPaths": paths("no_exec", False),
        "RestrictAddressFamilies": lambda plan, values: plan.filters.extend(
            filters.address_families(" ".join(values).split())),
        "RestrictNamespaces": switch(filtering(filters.namespaces)),
        "RestrictRealtime": switch(filtering(filters.realtime)),
        "RestrictSUIDSGID": switch(filtering(filters.set_id_files)),
        "LockPersonality": switch(filtering(filters.personality)),
        "MemoryDenyWriteExecute": switch(filtering(filters.write_and_execute)),
        "RemoveIPC": nothing("what systemd does once it has ended"),
        "SystemCallArchitectures": one_of(native=filtering(filters.native)),
        "SystemCallFilter": system_call_filter,
        "SystemCallErrorNumber": one_of(
            EPERM=lambda plan: setattr(plan, "refusal", filters.EPERM)),
    },
}


def plan_of(sections):
    """@sections: of unit_file.assignments()"""
    plan = Plan()
    for section, names in sections.items():
        for name, values in names.items():
            if name not in TABLE.get(section, {}):
                raise Unknown(f"the directive {name}= in [{section}]")
            try:
                if values:
                    TABLE[section][name](plan, values)
            except Unknown as why:
                raise Unknown(f"{why} of {name}=") from None
    return plan.finished()
