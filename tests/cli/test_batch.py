#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many commands over one connection: -f, and --atomic."""

import json
import pathlib
import re
import subprocess
import sys

from harness import DIR, NATCTL, SOCKET, WEB, WEB_ADDED, expect, main, natd, run, test
from natd_api import FAULTS


@test
def many_commands_share_one_connection():
    lines = f"""# the web server
add {WEB}

  add  tcp,udp '5000' "192.168.1.1"1 # two
list -q\r
remove web"""
    with natd() as fake:
        expect(run("-f -", stdin=lines), 0,
               WEB_ADDED + "added 8: tcp 5000 -> 192.168.1.11:5000\n"
               "added 9: udp 5000 -> 192.168.1.11:5000\n7\n8\n9\n"
               'removed 7: tcp 8080 "web" -> 192.168.1.10:80, 3 connections ended\n', "")
        assert fake.connections == 1, fake.connections


@test
def commands_are_read_from_a_file_as_well():
    path = f"{DIR}/commands"
    pathlib.Path(path).write_text(f"add {WEB}\n")
    for words in (f"-f {path}", f"-f{path}", f"--file={path}"):
        with natd():
            expect(run(words), 0, WEB_ADDED, "")
    with natd():
        expect(run(f"-qf {path}"), 0, "7\n", "")


@test
def a_refused_line_is_named_and_the_rest_goes_on():
    lines = "add tcp 1 10.0.0.1\nremove 99\nadd tcp 2 10.0.0.1\n"
    with natd() as fake:
        expect(run("-f -", stdin=lines), 1,
               "added 7: tcp 1 -> 10.0.0.1:1\nadded 8: tcp 2 -> 10.0.0.1:2\n",
               "natctl: line 2: No mapping fits. See: natctl list\n")
        assert len(fake.mappings) == 2


LINES = {
    "add tcp 0 10.0.0.1": "an automatic port needs the one inside. Write ADDRESS:PORT.",
    "add 'tcp": "a ' is not closed.",
    "add tcp \\": "a backslash ends the line. Write a command on one line.",
    "--json": "the verb is missing. See: natctl help",
    "list --socket x": "--socket cannot stand in a file of commands. Give it to natctl itself.",
    "-f x": "--file cannot stand in a file of commands. Give it to natctl itself.",
    "frob\x1b": "unknown verb frob?. See: natctl help",
    "list\0": "a NUL byte in the line. Is this a text file?",
}


@test
def a_wrong_line_is_named_and_the_rest_goes_on():
    with natd():
        for line, sentence in LINES.items():
            expect(run("-f -", stdin=f"\n{line}\nlist\nremove 9\n"), 2, "no forwards\n",
                   f"natctl: line 2: {sentence}\n"
                   "natctl: line 4: No mapping fits. See: natctl list\n")


@test
def a_fault_of_natd_ends_the_list():
    with natd(FAULTS["busy"]) as fake:
        expect(run("-f -", stdin="remove 1\nremove 2\n"), 3, "",
               "natctl: line 1: The outcome of another change is unknown. Try again later.\n")
        assert len(fake.requests) == 1


@test
def a_connection_that_natd_closed_between_commands_is_opened_anew():
    with natd(forgetful=True) as fake, subprocess.Popen(
            [NATCTL, "--socket", SOCKET, "-f", "-"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True) as process:
        for port in (1, 2, 3):
            process.stdin.write(f"add -q tcp {port} 10.0.0.1\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{port + 6}\n"
            assert fake.closed.acquire(timeout=10)
        process.stdin.close()
        assert process.wait(10) == 0
        assert fake.connections == 3, fake.connections


@test
def an_atomic_list_is_one_request():
    lines = f"add {WEB}\n\nadd tcp,udp 5000 10.0.0.1\nremove web\nadd {WEB}\nadd {WEB}\n"
    with natd() as fake:
        expect(run("-f - --atomic", stdin=lines), 0,
               WEB_ADDED + "added 8: tcp 5000 -> 10.0.0.1:5000\n"
               "added 9: udp 5000 -> 10.0.0.1:5000\n"
               'removed 7: "web"\n' + WEB_ADDED.replace("7", "10")
               + WEB_ADDED.replace("added 7", "already there 10")
               + "5 changes made together, 3 connections ended\n", "")
        assert len(fake.requests) == 1
        expect(run("-f - --atomic -q", stdin="add udp 7 10.0.0.1\nremove tcp 5000\n"), 0,
               "11\n", "")
        expect(run("-f - --atomic", stdin="remove udp 7\nremove 9\n"), 0,
               "removed 11: udp 7\nremoved 9\n"
               "2 changes made together, 6 connections ended\n", "")
        expect(run("-f - --atomic", stdin="# nothing\n"), 0, "", "")


@test
def an_atomic_list_takes_every_verb_that_changes():
    lines = ("add udp auto 10.0.0.1:5000 --name game --lease 1h\nrename game play\n"
             "renew play --lease 7d\ndisable udp 50000\nenable 7\ncomment play 'a b'\n"
             "move play 10.0.0.2\n")
    with natd() as fake:
        expect(run("-f - --atomic", stdin=lines), 0,
               'added 7: udp 50000 "game" -> 10.0.0.1:5000, for 1h\n'
               'changed 7: "game"\nchanged 7: "play"\nchanged 7: udp 50000\nchanged 7\n'
               'changed 7: "play"\nchanged 7: "play"\n7 changes made together\n', "")
        assert [r[0] for r in fake.requests] == ["POST", "GET"], fake.requests
        m = fake.mappings[0]
        assert (m["name"], m["lease"]["lifetime"], m["comment"]) == ("play", 604800, "a b"), m
        assert m["internal"]["host"] == "10.0.0.2", m
        expect(run("-f - --atomic -q", stdin="add tcp auto 10.0.0.1:5000\nenable play\n"), 0,
               "50000\n", "")
        expect(run("-f - --atomic", stdin="enable play\n"), 0, re.compile("^already so 7: "))


@test
def an_atomic_list_is_all_or_nothing_and_names_the_line():
    lines = "# two for one port\nadd tcp 1 10.0.0.1\nadd tcp 1 10.0.0.2\n"
    with natd() as fake:
        got = run("-f - --atomic", stdin=lines)
        expect(got, 1, "", re.compile("^natctl: line 3: tcp 1 is taken by .*\n$"))
        assert not fake.mappings
        got = run("-f - --atomic --json", stdin=lines)
        expect(got, 1, None, re.compile("^natctl: line 3: "))
        assert json.loads(got[1])["index"] == 1


@test
def an_atomic_list_with_a_wrong_line_is_not_sent():
    with natd() as fake:
        expect(run("-f - --atomic", stdin="add tcp 1 10.0.0.1\nlist\nadd tcp x 10.0.0.1\n"),
               2, "", "natctl: line 2: list cannot be part of an --atomic list; what can: add, "
               "remove, renew, enable, disable, move, rename, comment, upstream.\n"
               "natctl: line 3: x is no service of tcp that this machine's /etc/services knows. "
               "Give its number, from 1 to 65535.\n"
               "natctl: nothing was changed, because of --atomic.\n")
        assert not fake.requests


@test
def an_atomic_list_longer_than_natd_takes_is_not_sent():
    lines = "".join(f"remove {i + 1}\n" for i in range(65536))
    with natd() as fake:
        expect(run("-f - --atomic", stdin=lines), 2, "",
               re.compile("^natctl: line 65536: more than 65535 changes. "))
        assert not fake.requests


if __name__ == "__main__":
    sys.exit(main())
