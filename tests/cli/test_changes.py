#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adding and removing."""

import json
import os
import pathlib
import re
import socket
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
def all_that_can_be_said_of_a_forward_reaches_natd():
    words = ("add tcp,sctp 9000-9003 192.168.1.10:8000 --at 203.0.113.5 --from 198.51.100.0/24 "
             "--from 10.1.2.3 --lease 1h30m --force --drain --disabled --name a --comment x "
             "--upstream yes")
    with natd() as fake:
        expect(run(words), 0,
               re.compile(r'^added 7: sctp 203.0.113.5:9000-9003 "a" -> 192.168.1.10:8000-8003 '
                          r"from 10.1.2.3/32 and 1 other, for 1h30m, disabled, upstream yes\nadded 8: tcp"), "")
        assert json.loads(fake.requests[0][2]) == {
            "action": "add", "protocol": "tcp,sctp",
            "external": {"address": "203.0.113.5", "port": 9000, "end_port": 9003},
            "internal": {"address": "192.168.1.10", "port": 8000, "end_port": 8003},
            "from": ["10.1.2.3/32", "198.51.100.0/24"], "lease": 5400, "comment": "x",
            "name": "a", "enabled": False, "upstream": "yes", "force": True, "drain": True,
        }, fake.requests[0]


@test
def ports_may_be_services():
    with natd() as fake:
        run("add tcp https 192.168.1.10:http")
        run("add udplite,udp domain [::10%lan0]:domain")
        run("remove tcp https")
        run("list --port https --to 192.168.1.10:http")
        bodies = [json.loads(r[2]) for r in fake.requests[:3]]
        assert (bodies[0]["external"], bodies[0]["internal"]["port"]) == ({"port": 443}, 80)
        assert bodies[1]["external"] == {"port": 53}
        assert bodies[1]["internal"] == {"address": "::10", "port": 53, "interface": "lan0"}
        assert bodies[2]["external"] == {"port": 443}
        assert fake.requests[3][1] == "/v1/mappings?to=192.168.1.10%3A80&port=443"


@test
def an_automatic_port_is_told():
    with natd() as fake:
        expect(run("add udp auto 10.0.0.1:5000 --name game"), 0,
               'added 7: udp 50000 "game" -> 10.0.0.1:5000\n', "")
        assert json.loads(fake.requests[0][2])["external"] == {"port": 0}
        run("remove game")
        expect(run("add -q tcp,udp 0 10.0.0.1:5000"), 0, "50000\n", "")
        run("remove 8 9")
        run("add tcp auto 10.0.0.1:8000-8003")
        assert json.loads(fake.requests[-1][2])["internal"]["end_port"] == 8003


@test
def what_waits_is_said():
    with natd():
        expect(run("add tcp 80 10.0.0.1 --at 203.0.113.99"), 0,
               "added 7: tcp 203.0.113.99:80 -> 10.0.0.1:80\n"
               "  waiting: 203.0.113.99 is no address of the WAN now\n", "")
        expect(run("add tcp 81 10.0.0.1 --at 203.0.113.5"), 0,
               "added 8: tcp 203.0.113.5:81 -> 10.0.0.1:81\n", "")
        expect(run("add tcp 443 ::10%lan0"), 0,
               "added 9: tcp 443 -> [::10%lan0]:443\n"
               "  waiting: its LAN has no IPv6 prefix now\n", "")


@test
def a_program_that_listens_is_named():
    with natd() as fake, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        fake.listeners["tcp", port] = {"address": "127.0.0.1", "port": port, "uid": os.geteuid(),
                                       "inode": os.fstat(server.fileno()).st_ino}
        name = pathlib.Path("/proc/self/comm").read_text(encoding="utf-8").strip()
        who = f"127.0.0.1:{port} (uid {os.geteuid()}): {name}, pid {os.getpid()}"
        expect(run(f"add tcp {port} 10.0.0.1"), 1, "",
               f"natctl: tcp {port} is used by a program of this machine that listens on "
               f"127.0.0.1:{port}. Choose another port, or take it with --force.\n  {who}\n")
        expect(run(f"add tcp {port} 10.0.0.1 --force"), 0,
               f"added 7: tcp {port} -> 10.0.0.1:{port}\n"
               f"  gets nothing from the WAN any more: {who}\n", "")


@test
def forwards_are_altered():
    with natd() as fake:
        run(f"add {WEB}")
        run("add tcp,udp 5000 10.0.0.1 --name two")
        for words, said, sets in (
                ("renew web --lease 1h", 'changed 7: tcp 8080 "web" -> 192.168.1.10:80, for 1h',
                 {"lease": 3600}),
                ("renew 7 --lease 0", 'changed 7: tcp 8080 "web" -> 192.168.1.10:80',
                 {"lease": 0}),
                ("disable tcp 8080", 'changed 7: tcp 8080 "web" -> 192.168.1.10:80, disabled',
                 {"enabled": False}),
                ("enable web", 'changed 7: tcp 8080 "web" -> 192.168.1.10:80',
                 {"enabled": True}),
                ("enable web", 'already so 7: tcp 8080 "web" -> 192.168.1.10:80',
                 {"enabled": True}),
                ("rename web www", 'changed 7: tcp 8080 "www" -> 192.168.1.10:80',
                 {"name": "www"}),
                ("upstream www yes",
                 'changed 7: tcp 8080 "www" -> 192.168.1.10:80, upstream yes',
                 {"upstream": "yes"}),
                ("upstream tcp 8080 yes",
                 'already so 7: tcp 8080 "www" -> 192.168.1.10:80, upstream yes',
                 {"upstream": "yes"}),
                ("upstream 7 default", 'changed 7: tcp 8080 "www" -> 192.168.1.10:80',
                 {"upstream": "default"}),
                ("comment tcp 8080 x", 'changed 7: tcp 8080 "www" -> 192.168.1.10:80',
                 {"comment": "x"})):
            expect(run(words), 0, f"{said}\n", "")
            change = json.loads(fake.requests[-1][2])
            assert (change["action"], change["set"]) == ("update", sets), change
        run(["comment", "www", ""])
        run(["rename", "7", ""])
        assert json.loads(fake.requests[-1][2])["set"] == {"name": None}
        assert fake.mappings[0]["comment"] is None
        expect(run("disable two --drain"), 0, re.compile("changed 8: .*\nchanged 9: "), "")
        assert json.loads(fake.requests[-1][2])["drain"] is True
        expect(run("-q enable two"), 0, "", "")
        expect(run("enable nobody"), 1, "", re.compile("No mapping fits"))


@test
def forwards_are_led_to_another_host():
    with natd() as fake:
        run(f"add {WEB}")
        run("add tcp 9000-9003 192.168.1.10:8000 --name range")
        run("add udp 443 [2001:db8::10]:443 --name six")
        for words, said, internal in (
                ("move web 192.168.1.11", 'tcp 8080 "web" -> 192.168.1.11:80',
                 {"address": "192.168.1.11"}),
                ("move tcp 8080 192.168.1.12:https", 'tcp 8080 "web" -> 192.168.1.12:443',
                 {"address": "192.168.1.12", "port": 443}),
                ("move range 192.168.1.11:7000-7003",
                 'tcp 9000-9003 "range" -> 192.168.1.11:7000-7003',
                 {"address": "192.168.1.11", "port": 7000, "end_port": 7003}),
                ("move six ::11%lan0", 'udp 443 "six" -> [::11%lan0]:443\n'
                 "  waiting: its LAN has no IPv6 prefix now",
                 {"address": "::11", "interface": "lan0"}),
                ("move 9 [2001:db8::12]:8443", 'udp 443 "six" -> [2001:db8::12]:8443',
                 {"address": "2001:db8::12", "port": 8443})):
            expect(run(words), 0, re.compile(rf"^changed \d: {re.escape(said)}\n$"), "")
            change = json.loads(fake.requests[-1][2])
            assert (change["action"], change["set"]) == ("update", {"internal": internal}), change
        expect(run("move web 192.168.1.12"), 0,
               'already so 7: tcp 8080 "web" -> 192.168.1.12:443\n', "")
        expect(run("move web 192.168.1.13 --drain -q"), 0, "", "")
        assert json.loads(fake.requests[-1][2])["drain"] is True


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
    with natd() as fake:
        run(f"add {WEB}")
        expect(run("remove web --drain"), 0,
               'removed 7: tcp 8080 "web" -> 192.168.1.10:80\n', "")
        assert json.loads(fake.requests[-1][2])["drain"] is True
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
