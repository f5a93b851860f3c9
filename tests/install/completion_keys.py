#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Presses keys, for the test "completion", beside a natd that has these forwards:

1, 2 game (tcp, udp 27015 to .11); 3 web (tcp 8080 to .10); 4 web6 (tcp 443 to IPv6);
5 without a name (udp 53 to .10)
"""
import pathlib
import re
import subprocess
import sys
import tempfile

from pty_bash import Bash

DEST = pathlib.Path(sys.argv[1])
NATCTL = next(DEST.rglob("bin/natctl"))
DATA = next(DEST.rglob("share/bash-completion")).parent
PATH = f"{NATCTL.parent}:/usr/bin:/bin"
COMMON = {"--json", "--quiet", "--socket", "--timeout", "--help"}
ALONE = {"--file", "--atomic", "--version"}
IDS, NAMES = list("12345"), ["game", "web", "web6"]
ONE_PROTOCOL = ["sctp", "tcp", "udp", "udplite"]
PROTOCOLS = sorted([*ONE_PROTOCOL, "tcp,udp"])
HOSTS = ["192.168.1.10", "192.168.1.11", "[2001:db8:1::10]"]

# what is typed, and what is then offered
OFFERED = {
    "natctl re": ["reload", "remove", "rename", "renew", "resync"],
    "natctl --": sorted(COMMON | ALONE),
    "natctl --json --": sorted(COMMON | ALONE),
    "natctl list --": sorted(COMMON | {"--name", "--to", "--proto", "--port", "--state",
                                       "--owner", "--problems", "--wide"}),
    "natctl lookup --w": ["--wait"],
    "natctl lookup ": NAMES,
    "natctl lookup --wait ": NAMES,
    "natctl move ": sorted(IDS + NAMES + PROTOCOLS),
    "natctl move web ": HOSTS,
    "natctl move tcp ": ["27015", "443", "8080"],
    "natctl move tcp 8080 ": HOSTS,
    "natctl rename ": sorted(IDS + NAMES + PROTOCOLS),
    "natctl rename web ": [],
    "natctl rename tcp ": ["27015", "443", "8080"],
    "natctl rename tcp 8080 ": [],
    "natctl comment web ": [],
    "natctl upstream ": sorted(IDS + NAMES + PROTOCOLS),
    "natctl upstream web ": ["default", "no", "required", "yes"],
    "natctl upstream tcp 8080 r": ["required"],
    "natctl add tcp 80 192.168.1.10 --upstream ": ["default", "no", "required", "yes"],
    "natctl lookup --g": ["--gateway"],
    "natctl disable web ": sorted([*IDS, "game", "web6"]),
    "natctl enable udp ": ["27015", "53"],
    "natctl renew --lease ": [],
    "natctl renew g": ["game"],
    "natctl connections ": sorted(IDS + NAMES),
    "natctl connections web ": [],
    "natctl connections --k": ["--kill"],
    "natctl list --state ": ["active", "disabled", "shadowed", "waiting"],
    "natctl add tcp 80 192.168.1.10 --at ": [],
    "natctl add tcp 80 192.168.1.10 --fr": ["--from"],
    "natctl flush --a": ["--all"],
    "natctl add ": PROTOCOLS,
    "natctl add tcp ": [],
    "natctl add tcp 80 ": HOSTS,
    "natctl add tcp 80 192.168.1.10 ": [],
    "natctl add tcp 80 192.168.1.10 --name ": [],
    "natctl remove ": sorted(IDS + NAMES + PROTOCOLS),
    "natctl remove we": ["web", "web6"],
    "natctl remove web ": sorted([*IDS, "game", "web6"]),
    "natctl remove web 5 game ": ["1", "2", "3", "4", "web6"],
    "natctl remove tcp ": ["27015", "443", "8080"],
    "natctl remove udp ": ["27015", "53"],
    "natctl remove tcp,udp 4": ["443"],
    "natctl remove -q tcp ": ["27015", "443", "8080"],
    "natctl remove tcp 80 ": [],
    "natctl --timeout 3 remove --json w": ["web", "web6"],
    "natctl --timeout ": [],
    "natctl list --proto ": ONE_PROTOCOL,
    "natctl list --proto=": ["--proto=sctp", "tcp", "udp", "udplite"],
    "natctl list --name ": NAMES,
    "natctl list --name=w": ["--name=web", "web6"],
    "natctl list --port ": ["27015", "443", "53", "8080"],
    "natctl list --to ": HOSTS,
    "natctl status ": [],
    "natctl nonsense ": [],
    "natctl --socket /nowhere/api.sock remove ": PROTOCOLS,
    "natctl --socket=/nowhere/api.sock remove ": PROTOCOLS,
    "natctl -f co": ["commands", "commands.txt"],
    "natctl --socket co": ["commands", "commands.txt"],
    f"{NATCTL} remove g": ["game"],
}
# what is typed, and the words in the line after Tab
COMPLETED = {
    "natctl ver": ["natctl", "version"],
    "natctl list --q": ["natctl", "list", "--quiet"],
    "natctl remove gam": ["natctl", "remove", "game"],
    "natctl remove w": ["natctl", "remove", "web"],
    "natctl remove tcp 80": ["natctl", "remove", "tcp", "8080"],
    "natctl list --name=ga": ["natctl", "list", "--name=game"],
    "natctl add tcp 80 [2001:d": ["natctl", "add", "tcp", "80", "[2001:db8:1::10]"],
    "natctl add tcp 80 [2001:db8:1:": ["natctl", "add", "tcp", "80", "[2001:db8:1::10]"],
}


def check(faults, typed, wanted, got):
    if got != wanted:
        faults.append(f"{typed!r}: wanted {wanted}, got {got}")


def verbs():
    text = subprocess.run([NATCTL, "help"], check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r"^  ([a-z]+) +\S", text.split("Usage:")[1], re.M))


def check_hostile(faults, folder):
    """A natd, or what stands in its place, cannot have the shell do anything."""
    natctl = folder / "natctl"
    natctl.write_text(rf"""#!/bin/sh
        case "$*" in *list\ --json) ;; *) exec {NATCTL} "$@" ;; esac
        cat <<'END'
        [{{"id":1,"name":"$(touch pwned)","protocol":"tcp","external":{{"address":null,"port":1}},
        END
        echo '{{"id":2,"name":"a$(touch${{IFS}}pwned)","protocol":"tcp","external":{{"address":null,"port":2}},"internal":{{"address":"192.168.1.9","port":2}}}}'
        echo '{{"id":3,"name":"b","protocol":"tcp","external":{{"address":null,"port":3}},"internal":{{"address":"`touch${{IFS}}pwned`","port":2}}}}'
        echo '{{"id":4,"name":"good","protocol":"tcp","external":{{"address":null,"port":4}},"internal":{{"address":"192.168.1.9","port":2}}}}'
        """)
    natctl.chmod(0o755)
    bash = Bash(f"{folder}:{PATH}", str(DATA), folder)
    check(faults, "hostile names", ["4", "good", *PROTOCOLS], bash.offered("natctl remove "))
    check(faults, "hostile hosts", ["192.168.1.9"], bash.offered("natctl list --to "))
    if (folder / "pwned").exists():
        faults.append("a name was carried out")
    bash.close()


def main():
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file in ("commands", "commands.txt"):
            (folder / file).touch()
        bash = Bash(PATH, str(DATA), folder)
        check(faults, "natctl ", verbs(), bash.offered("natctl "))
        check(faults, "natctl help ", verbs(), bash.offered("natctl help "))
        for typed, wanted in OFFERED.items():
            check(faults, typed, wanted, bash.offered(typed))
        for typed, wanted in COMPLETED.items():
            check(faults, typed, wanted, bash.tab(typed))
        bash.run("export NATD_SOCKET=/nowhere/api.sock")
        check(faults, "no natd", ["natctl", "remove", "ga"], bash.tab("natctl remove ga"))
        check(faults, "no natd", ["natctl", "remove"], bash.tab("natctl rem"))
        bash.close()
        check_hostile(faults, folder)
    print("\n".join(faults))
    sys.exit(bool(faults))


main()
