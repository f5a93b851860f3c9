#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adding and removing."""

import json
import re
import sys

from harness import WEB, WEB_ADDED, expect, main, natd, run, test
from natd_api import STATUS


@test
def add_says_what_was_added():
    with natd() as fake:
        expect(run(f"add {WEB}"), 0, WEB_ADDED, "")
        assert json.loads(fake.requests[0][2]) == {
            "action": "add", "protocol": "tcp", "external": {"port": 8080},
            "internal": {"address": "192.168.1.10", "port": 80}, "name": "web",
        }, fake.requests


@test
def options_may_stand_anywhere():
    for words in (f"add {WEB}", "--name web add tcp 8080 192.168.1.10:80",
                  "add --name=web tcp 8080 192.168.1.10:80",
                  "add tcp --name web 8080 -- 192.168.1.10:80"):
        with natd():
            expect(run(words), 0, WEB_ADDED, "")


@test
def asking_again_says_so_and_succeeds():
    with natd():
        run(f"add {WEB}")
        expect(run(f"add {WEB}"), 0, WEB_ADDED.replace("added", "already there"), "")


@test
def both_protocols_are_two_forwards():
    with natd():
        expect(run("add tcp,udp 5000 192.168.1.10"), 0,
               "added 7: tcp 5000 -> 192.168.1.10:5000\n"
               "added 8: udp 5000 -> 192.168.1.10:5000\n", "")
        expect(run("remove udp,tcp 5000"), 0,
               "removed 7: tcp 5000 -> 192.168.1.10:5000, 3 connections ended\n"
               "removed 8: udp 5000 -> 192.168.1.10:5000, 3 connections ended\n", "")


@test
def ipv6_addresses_come_in_three_ways():
    for text in ("[2001:db8:1::10]:443", "[2001:db8:1::10]", "2001:db8:1::10"):
        with natd() as fake:
            expect(run(["add", "tcp", "443", text]), 0,
                   re.compile(r"^added 7: tcp .*\[2001:db8:1::10\]:443\n$"), "")
            change = json.loads(fake.requests[0][2])
            assert change["internal"] == {"address": "2001:db8:1::10", "port": 443}, change


@test
def a_refusal_names_the_holder_and_changes_nothing():
    with natd() as fake:
        run(f"add {WEB}")
        expect(run("add tcp 8080 192.168.1.66"), 1, "",
               'natctl: tcp 8080 is taken by "web" -> 192.168.1.10:80 (added by admin, 3 days '
               "ago). Remove it first, or choose another port.\n")
        assert len(fake.mappings) == 1
        got = run("--json add tcp 8080 192.168.1.66")
        expect(got, 1, None, re.compile("^natctl: tcp 8080 is taken"))
        assert json.loads(got[1])["code"] == "conflict"


PENDING = ("natctl: connections of what was changed may go on: natd could not end them. It "
           "tries again with the next change; natctl resync makes it try now.\n")


@test
def connections_that_could_not_be_ended_are_said():
    with natd() as fake:
        fake.pending = {"pending": True}
        expect(run(f"add {WEB}"), 0, WEB_ADDED, PENDING)
        expect(run("-q add tcp,udp 5000 10.0.0.1"), 0, "8\n9\n", PENDING)
        expect(run("remove 8 9"), 0, None, PENDING)
        expect(run("-f - --atomic", stdin="add udp 7 10.0.0.1\n"), 0, None, PENDING)
        got = run("--json remove 10")
        expect(got, 0, None, "")
        assert json.loads(got[1])["pending"] is True, got
        expect(run("flush"), 0, None, PENDING)


@test
def forwards_are_removed_by_port_id_and_name():
    for words in ("remove tcp 8080", "remove 7", "remove web"):
        with natd() as fake:
            run(f"add {WEB}")
            expect(run(words), 0,
                   'removed 7: tcp 8080 "web" -> 192.168.1.10:80, 3 connections ended\n', "")
            assert not fake.mappings
            expect(run(words), 1, "", "natctl: No mapping fits. See: natctl list\n")


@test
def several_are_removed_together_or_not_at_all():
    with natd() as fake:
        fake.fill(3)
        expect(run("remove 7 8 99"), 1, "", re.compile("No mapping fits"))
        assert len(fake.mappings) == 3
        expect(run("remove 7 8 9"), 0, re.compile("^removed 7: .*\nremoved 8: .*\nremoved 9: "))
        assert not fake.mappings


@test
def quiet_prints_just_the_ids():
    with natd():
        expect(run("add -q tcp,udp 80 192.168.1.10"), 0, "7\n8\n", "")
        expect(run("-q add tcp 80 192.168.1.10"), 0, "7\n", "")
        expect(run("list --quiet"), 0, "7\n8\n", "")
        for words in ("status", "resync", "reload", "remove 7", "flush"):
            expect(run(f"{words} -q"), 0, "", "")


@test
def json_is_the_answer_as_it_is():
    with natd():
        for words in (f"add {WEB}", "list", "status", "resync", "reload", "version",
                      "remove web", "flush", "flush --all"):
            got = run(f"{words} --json")
            expect(got, 0, re.compile(r"[^\n]\n\Z"), "")
            json.loads(got[1])
        assert json.loads(run("status --json")[1]) == STATUS


if __name__ == "__main__":
    sys.exit(main())
