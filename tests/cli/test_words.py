#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is typed: help, and what is refused before natd is asked."""

import re
import sys

from harness import DIR, expect, main, natd, run, test


USAGE = {
    "add tcp 0 192.168.1.10": "port 0: automatic ports are not available in this version. "
                              "Give a number from 1 to 65535.",
    "add tcp 65536 192.168.1.10": "65536 is no port. Give a number from 1 to 65535.",
    "add tcp 99999999999999999999 192.168.1.10":
        "99999999999999999999 is no port. Give a number from 1 to 65535.",
    "add tcp https 192.168.1.10":
        "https is not a port number. Give a number from 1 to 65535.",
    "add tcp -1 192.168.1.10": "-1 is not a port number. Give a number from 1 to 65535.",
    "add tcp 9000-9003 192.168.1.10": "9000-9003: ranges of ports are not available in this "
                                      "version. Give a number from 1 to 65535.",
    "add tcp 80 192.168.1.10:0": "port 0: automatic ports are not available in this version. "
                                 "Give a number from 1 to 65535.",
    "add tcp 80 [2001:db8::1]:70000": "70000 is no port. Give a number from 1 to 65535.",
    "add sctp 80 192.168.1.10":
        "sctp is no protocol that is forwarded. Use tcp, udp or tcp,udp.",
    "add tcp 80 192.168.1.300": "192.168.1.300 is no address. Write 192.168.1.10:80, "
                                "192.168.1.10 or [2001:db8::10]:443.",
    "add tcp 80 [192.168.1.3]:80": "[192.168.1.3]:80 is no address. Write 192.168.1.10:80, "
                                   "192.168.1.10 or [2001:db8::10]:443.",
    "add tcp 80 127.0.0.1":
        "127.0.0.1 is a loopback address. Give the address of a host on the LAN.",
    "add tcp 80": "add: ADDRESS[:PORT] is missing. "
                  "Usage: natctl add PROTO PORT ADDRESS[:PORT] [--name NAME]",
    "add tcp 80 192.168.1.10 web": "add: web is one word too many. "
                                   "Usage: natctl add PROTO PORT ADDRESS[:PORT] [--name NAME]",
    "add tcp 80 192.168.1.10 --name": "--name needs a value: --name NAME",
    "add tcp 80 192.168.1.10 --nmae web": "unknown option --nmae. Did you mean --name?",
    "add tcp 80 192.168.1.10 --lease 1h": "unknown option --lease. See: natctl help",
    "add tcp 80 192.168.1.10 --all": "--all does not go with add. See: natctl help add",
    "--json --json list": "--json is given twice. Leave one out.",
    "list --json=yes": "--json takes no value. Write just --json.",
    "list -x": "unknown option -x. See: natctl help",
    "list --port 0": "port 0: automatic ports are not available in this version. "
                     "Give a number from 1 to 65535.",
    "list --proto tcp,udp": "--proto tcp,udp: give tcp or udp.",
    "list --to lan1": "lan1 is no address. Write 192.168.1.10:80, 192.168.1.10 or "
                      "[2001:db8::10]:443.",
    "list all": "list: all is one word too many. Usage: natctl list [--name NAME] "
                "[--to ADDRESS[:PORT]] [--proto PROTO] [--port PORT]",
    "lsit": "unknown verb lsit. Did you mean list?",
    "rm web": "unknown verb rm. Did you mean remove?",
    "frobnicate": "unknown verb frobnicate. See: natctl help",
    "help lst": "unknown verb lst. Did you mean list?",
    "remove": "remove: PROTO is missing. Usage: natctl remove PROTO PORT | ID|NAME...",
    "remove tcp": "remove tcp: the port is missing. Usage: natctl remove PROTO PORT",
    "remove tcp 80 81": "remove: 81 is one word too many. Usage: natctl remove PROTO PORT",
    "remove 0": "0 is no ID. See: natctl list",
    "remove 99999999999999999999": "99999999999999999999 is no ID. See: natctl list",
    "status --timeout 0": "--timeout 0: give a number of seconds from 1 to 86400.",
    "status -f x": "-f reads its commands from x. Leave out status.",
    "status --socket=": "--socket is empty. Leave it out for /run/natd/api.sock.",
    "--atomic": "--atomic goes with -f FILE only.",
    "-f /nonexistent/file": "cannot read /nonexistent/file: No such file or directory",
    f"-f {DIR}": f"cannot read {DIR}: Is a directory",
}


@test
def what_is_typed_wrongly_is_named_with_its_cure():
    for words, sentence in USAGE.items():
        expect(run(words), 2, "", f"natctl: {sentence}\n")


@test
def names_that_cannot_be_are_refused_here():
    for name in ("7web", "", "we b", "web\n", "x" * 64):
        got = run(["add", "tcp", "80", "192.168.1.10", "--name", name])
        expect(got, 2, "", re.compile(r'^natctl: ".*" cannot be a name: [^\n]+\n$'))


@test
def what_is_typed_wrongly_asks_nothing_of_natd():
    with natd() as fake:
        for words in USAGE:
            run(words)
        assert not fake.requests, fake.requests


@test
def without_words_the_overview_goes_to_stderr():
    expect(run(""), 2, "", re.compile("Usage: natctl .*VERB"))


@test
def help_is_there_for_all_and_for_each_verb():
    overview = run("help")
    expect(overview, 0, None, "")
    assert run("--help") == run("-h") == overview
    verbs = re.findall(r"^  ([a-z]+)  ", overview[1], re.M)
    assert len(verbs) == 10, verbs
    for verb in verbs:
        text = run(f"help {verb}")
        expect(text, 0, re.compile(rf"^natctl {verb} - [^\n]+\n\nUsage: natctl {verb}"), "")
        assert run(f"{verb} --help") == run(f"-h {verb}") == text
        assert all(len(line) <= 80 for line in text[1].splitlines()), verb


@test
def version_needs_no_natd():
    expect(run("--version", path="/nonexistent"), 0, "natctl 0.1.0\n", "")


if __name__ == "__main__":
    sys.exit(main())
