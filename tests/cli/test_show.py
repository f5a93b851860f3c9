#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The list, the status, and what the other verbs say."""

import json
import re
import sys

from harness import WEB, expect, main, natd, on_terminal, run, test
from natd_api import ok


@test
def the_list_is_a_table():
    with natd() as fake:
        run(f"add {WEB}")
        run("add udp 53 192.168.1.11")
        m = fake.put("tcp", 443, "2001:db8:1::10", 443, "v6", "2001:db8:1::10")
        m.update(origin="config", owner="config", enabled=False,
                 connections=None, connections_total=None)
        got = run("list")
    rows = [line.split() for line in got[1].splitlines()]
    assert rows == [
        "ID NAME PROTO EXTERNAL INTERNAL CONNECTIONS TOTAL ORIGIN STATE".split(),
        "7 web tcp *:8080 192.168.1.10:80 3 1,041 admin ok".split(),
        "8 udp *:53 192.168.1.11:53 3 1,041 admin ok".split(),
        "9 v6 tcp [2001:db8:1::10]:443 [2001:db8:1::10]:443 ? ? config disabled".split(),
    ], got[1]
    expect(got, 0, None, "")


@test
def what_blocks_is_named_in_full_with_a_cure():
    chain = "ip filter FORWARD (hook forward, policy drop)"
    with natd() as fake:
        fake.fill(20)
        for m in fake.mappings:
            m["blocked_by"] = [chain]
        fake.mappings[0]["blocked_by"] = [chain, "ip x; rm -rf / y (hook forward)"]
        got = run("list")
    expect(got, 0, re.compile(r" blocked\n"), "")
    ids = ", ".join(str(i) for i in range(7, 23))
    tail = got[1].split("\n\n")[1]
    assert tail == (
        f"blocked by: {chain}: {ids} and 4 more\n"
        "blocked by: ip x; rm -rf / y (hook forward): 7\n"
        "natd leaves other programs' chains alone. Let the forwards pass there, for "
        "instance:\n"
        "  nft insert rule ip filter FORWARD ct status dnat accept\n"
        "  nft insert rule FAMILY TABLE CHAIN ct status dnat accept\n"), tail


@test
def filters_are_natds_to_apply():
    with natd() as fake:
        run(f"add {WEB}")
        run("add udp 53 192.168.1.11")
        run(["add", "tcp", "443", "[2001:db8:1::10]:443"])
        for words, ids in (("--name web", "7\n"), ("--proto udp", "8\n"), ("--port 443", "9\n"),
                           ("--to 192.168.1.10", "7\n"), ("--to 192.168.1.11:53", "8\n"),
                           ("--to [2001:db8:1::10]:443", "9\n"), ("--to 2001:db8:1::10", "9\n"),
                           ("--proto tcp --port 8080", "7\n"), ("--name nobody", "")):
            expect(run(f"list -q {words}"), 0, ids, "")
        assert fake.requests[-4][1] == "/v1/mappings?to=%5B2001%3Adb8%3A1%3A%3A10%5D%3A443"
        expect(run("list --name nobody"), 0, "no forward fits\n", "")


@test
def an_empty_list_is_said():
    with natd():
        expect(run("list"), 0, "no forwards\n", "")
        expect(run("list --json"), 0, "[]\n", "")


@test
def a_long_list_arrives_whole():
    with natd() as fake:
        fake.fill(3000)
        assert json.loads(run("list --json")[1]) == fake.mappings
        lines = run("list")[1].splitlines()
    assert len(lines) == 3001 and lines[-1].split()[0] == "3006", len(lines)


@test
def the_table_fits_the_terminal_and_is_whole_in_a_pipe():
    name = "a-" + "very-" * 10 + "long-name"
    with natd() as fake:
        fake.put("tcp", 8080, "192.168.1.10", 80, name)
        wide, narrow, piped = on_terminal("list", 160), on_terminal("list"), run("list")[1]
    assert name in wide and name in piped, (wide, piped)
    assert name not in narrow and "192.168.1.10:80" in narrow, narrow
    assert all(len(line) <= 80 for line in narrow.splitlines()), narrow


@test
def status_tells_what_natd_tells():
    with natd():
        got = run("status")
    expect(got, 0, None, "")
    text = re.sub(r"\(\d+ years? ago\)", "(N years ago)", got[1])
    assert text == (
        "natd        0.1.0, pid 812, started 2025-01-31 12:00:00 (N years ago)\n"
        "table       owned, in force without a break since 2025-01-31 12:00:00 "
        "(N years ago)\n"
        "forwards    5 of at most 65,535\n"
        "kernel      forwards IPv4: yes, IPv6: no\n"
        "wan         wan0 up, mtu 1500, 203.0.113.5, 2001:db8:f::5\n"
        "lan         lan0 is not there\n"
        "mss         clamped to the route's MTU\n"
        "dropped     packets from outside: 1,234,567 unasked, 0 spoofed, 3 invalid\n"
        "repaired    2 times; the last time 2025-01-31 12:00:00 (N years ago), after "
        "nft?[31m (pid 4711)\n"
        "foreign     ip filter FORWARD (hook forward, policy drop)\n"
        "problem     net.ipv6.conf.all.forwarding is off.\n"), text


@test
def status_shows_what_is_there_of_another_version():
    with natd(ok("application/json", '{"version":"9","clamp":1400}')):
        expect(run("status"), 0, re.compile("^natd +9,.*\nmss +1400 bytes at most\n", re.S), "")


@test
def resync_reload_and_flush_say_what_they_did():
    with natd() as fake:
        expect(run("resync"), 0, "rules or sets were altered: written anew\n"
                                 "2 forwards missing: added\n"
                                 "1 other element wrong: mended\n", "")
        expect(run("reload"), 0, "reloaded: 1 forward added, none removed\n", "")
        expect(run("flush"), 0, "nothing to remove\n", "")
        fake.fill(2)
        fake.mappings[1].update(origin="config", owner="config")
        expect(run("flush"), 0,
               "removed 7: tcp 1 -> 10.0.0.0:80, 1 connection ended\n", "")
        expect(run("flush --all"), 0,
               "removed 8: tcp 2 -> 10.0.0.1:80, 1 connection ended\n", "")
    same = ok("application/json", '{"created":false,"added":0,"removed":0}')
    with natd(same):
        expect(run("resync"), 0, "nothing differed\n", "")
        expect(run("reload"), 0, "reloaded: the same forwards as before\n", "")


@test
def version_tells_both():
    with natd():
        expect(run("version"), 0, "natctl 0.1.0\nnatd 0.1.0\n", "")


if __name__ == "__main__":
    sys.exit(main())
