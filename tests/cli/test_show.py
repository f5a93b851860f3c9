#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The list, the status, and what the other verbs say."""

import json
import re
import subprocess
import sys
import time

from harness import NATCTL, SOCKET, WEB, expect, main, natd, on_terminal, run, test
from natd_api import ok


@test
def the_list_is_a_table():
    with natd() as fake:
        run(f"add {WEB}")
        run("add udp 53 192.168.1.11")
        m = fake.put("tcp", 443, "2001:db8:1::10", 443, "v6", "2001:db8:1::10")
        m.update(origin="config", owner="config", enabled=False, state="disabled",
                 connections=None, connections_total=None)
        got = run("list")
    rows = [line.split() for line in got[1].splitlines()]
    assert rows == [
        "ID NAME PROTO EXTERNAL INTERNAL CONNECTIONS TOTAL IN OUT ORIGIN STATE".split(),
        "7 web tcp *:8080 192.168.1.10:80 3 1,041 - - admin ok".split(),
        "8 udp *:53 192.168.1.11:53 3 1,041 - - admin ok".split(),
        "9 v6 tcp [2001:db8:1::10]:443 [2001:db8:1::10]:443 ? ? - - config disabled".split(),
    ], got[1]
    expect(got, 0, None, "")


@test
def columns_are_there_where_something_stands_in_them():
    with natd() as fake:
        run("add tcp 9000-9003 192.168.1.10:8000 --from 198.51.100.0/24 --from 10.0.0.0/8 "
            "--lease 90m --name a")
        run("add tcp 443 ::10 --disabled")
        fake.mappings[0].update(bytes_in=1300, bytes_out=5 * 1024**3)
        rows = [line.split() for line in run("list")[1].splitlines()]
        run(["comment", "a", "the children's"])
        wide = run("list --wide")[1].splitlines()
    assert rows == [
        "ID NAME PROTO EXTERNAL INTERNAL FROM LEASE CONNECTIONS TOTAL IN OUT ORIGIN "
        "STATE".split(),
        "7 a tcp *:9000-9003 192.168.1.10:8000-8003 10.0.0.0/8 +1 1h30m 3 1,041 1.2K 5.0G admin "
        "ok".split(),
        "8 tcp *:443 [::10]:443 3 1,041 - - admin disabled".split(),
    ], rows
    assert wide[0].split() == (
        "ID NAME PROTO EXTERNAL SERVICE INTERNAL FROM LEASE CONNECTIONS TOTAL IN OUT ORIGIN "
        "OWNER STATE COMMENT").split(), wide
    assert "https" in wide[2] and "uid:0" in wide[2] and wide[1].endswith("the children's"), wide


@test
def what_is_not_in_force_is_explained():
    with natd() as fake:
        run("add tcp 1 10.0.0.1 --at 203.0.113.99")
        run("add tcp 2 ::10")
        for _ in range(3):
            fake.put("udp", 3, "10.0.0.1", 3, None)
        fake.mappings[2].update(state="shadowed", endpoints=[], shadowed_by=[10, 11])
        fake.mappings[3].update(shadowed_by=[11])
        fake.mappings[4].update(listeners=[{"address": "0.0.0.0", "port": 3, "uid": 7,
                                            "inode": None}])
        fake.put("udp", 4, "2001:db8::1", 5, None).update(state="waiting", endpoints=[])
        fake.put("udp", 5, "10.0.0.1", 5, None).update(state="of-the-future")
        got = run("list --problems")
        assert fake.requests[-1][1] == "/v1/mappings?problems=true"
    head, tail = got[1].split("\n\n")
    assert [line.split()[-1] for line in head.splitlines()[1:]] == [
        "waiting", "waiting", "shadowed", "partly", "in-use", "waiting", "of-the-future"], head
    assert tail == (
        "waiting: 7: 203.0.113.99 is no address of the WAN now\n"
        "waiting: 8: its LAN has no IPv6 prefix now\n"
        "shadowed: 9: all of it is taken by 10, 11\n"
        "partly: 10: a part is taken by 11\n"
        "in use: 11: gets nothing from the WAN: 0.0.0.0:3 (uid 7)\n"
        "waiting: 12: the WAN has no IPv6 address now\n"), tail


@test
def a_name_is_looked_up():
    with natd() as fake:
        fake.wan = ["203.0.113.5", "203.0.113.6"]
        run("add tcp,udp 8080 192.168.1.10:80 --name web")
        run("add udp 9000-9003 192.168.1.10 --name game")
        run("add tcp 443 192.168.1.10 --name off --disabled")
        run("add tcp 444 192.168.1.10 --name away --at 203.0.113.99")
        expect(run("lookup web"), 0, "203.0.113.5:8080\n203.0.113.6:8080\n", "")
        expect(run("lookup game --proto udp"), 0,
               "203.0.113.5:9000-9003\n203.0.113.6:9000-9003\n", "")
        assert fake.requests[-1][1] == "/v1/mappings?name=game&protocol=udp"
        expect(run("lookup -q web"), 0, "", "")
        assert json.loads(run("lookup --json web")[1]) == fake.mappings[:2]
        for name, why in (("off", "off has no external endpoint in force: tcp: it is disabled."),
                          ("away", "away has no external endpoint in force: tcp: 203.0.113.99 is "
                                   "no address of the WAN now."),
                          ("nobody", "no forward is called nobody. See: natctl list")):
            expect(run(f"lookup {name}"), 1, "", f"natctl: {why}\n")


@test
def a_name_is_waited_for():
    start = '{"event":"start","seq":100,"time":"2025-01-31T12:00:00Z"}'
    event = '{"event":"wan-address","seq":101,"time":"2025-01-31T12:00:00Z"}'
    with natd() as fake:
        def arrive():
            fake.wan.append("203.0.113.99")
            fake.settle(fake.mappings[0])

        run("add tcp 444 192.168.1.10 --name away --at 203.0.113.99")
        fake.streams = [[start, event, arrive, event]]
        expect(run("lookup away --wait"), 0, "203.0.113.99:444\n", "")
        expect(run("lookup away --wait=9"), 0, "203.0.113.99:444\n", "")
        fake.streams = [[start]]
        expect(run("lookup nobody --wait=1"), 1, "", re.compile("is called nobody"))
        # ended, and no word that natd is gone
        fake.streams = [[start, b""], [start, b""], [start, event, arrive, event]]
        fake.wan.remove("203.0.113.99")
        fake.settle(fake.mappings[0])
        expect(run("lookup away --wait"), 0, "203.0.113.99:444\n", "")


@test
def a_natd_that_is_away_is_waited_for_with_the_name():
    start = '{"event":"start","seq":100,"time":"2025-01-31T12:00:00Z"}'
    gone = "natctl: natd is gone; natctl goes on as soon as it is back.\n"

    def wait(seconds):
        return subprocess.Popen([NATCTL, "--socket", SOCKET, "lookup", "web", f"--wait{seconds}"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    for seconds in "", "=30":
        with natd(forgetful=True) as fake:
            fake.streams = [[start]]
            process = wait(seconds)
            while len(fake.requests) < 3:  # list, events, and the list again
                time.sleep(0.01)
                assert process.poll() is None, process.communicate()
        assert process.stderr.readline() == gone
        fake = natd()
        fake.put("tcp", 8080, "192.168.1.10", 80, "web")
        fake.streams = [[start]]
        with fake:
            said = process.communicate(timeout=30)
        assert (said, process.returncode) == (
            ("203.0.113.5:8080\n", "natctl: natd is back.\n"), 0), said
    with natd(forgetful=True) as fake:
        fake.streams = [[start]]
        process = wait("=1")
        while len(fake.requests) < 3:
            time.sleep(0.01)
    said = process.communicate(timeout=30)
    expect((process.returncode, *said), 3, "", re.compile(f"^{gone}natctl: natd is not running"))
    # who was never there is not waited for
    expect(run("lookup web --wait"), 3, "", re.compile("^natctl: natd is not running"))


FLOW = {"mapping": 7, "name": "web", "protocol": "tcp", "remote": "198.51.100.9:51234",
        "external": "203.0.113.5:8080", "internal": "192.168.1.10:80", "state": "established",
        "age": None, "timeout": 431988, "bytes_in": None, "bytes_out": None}


@test
def connections_are_a_table():
    with natd() as fake:
        expect(run("connections"), 0, "no connections\n", "")
        fake.flows = [FLOW, {**FLOW, "name": None, "state": "a\u001b[2J"}]
        rows = [line.split() for line in run("connections")[1].splitlines()]
        assert rows == [
            "ID NAME PROTO REMOTE EXTERNAL INTERNAL STATE TIMEOUT".split(),
            "7 web tcp 198.51.100.9:51234 203.0.113.5:8080 192.168.1.10:80 established "
            "4d23h".split(),
            "7 tcp 198.51.100.9:51234 203.0.113.5:8080 192.168.1.10:80 a?[2J 4d23h".split(),
        ], rows
        fake.flows = [{**FLOW, "age": 12, "bytes_in": 1200, "bytes_out": 7}]
        assert run("connections")[1].splitlines()[1].split()[-4:] == ["12s", "4d23h", "1.1K", "7"]
        assert json.loads(run("connections --json")[1]) == fake.flows
        expect(run("connections -q"), 0, "", "")


@test
def connections_are_chosen_and_ended():
    with natd() as fake:
        run(f"add {WEB}")
        fake.flows = [FLOW, FLOW]
        for words, query in (("web", "name=web"), ("7", "mapping=7"),
                             ("web --proto udp --remote 198.51.100.0/24",
                              "name=web&protocol=udp&remote=198.51.100.0%2F24")):
            expect(run(f"connections {words} --kill"), 0, "2 connections ended\n", "")
            assert fake.requests[-1][:2] == ("DELETE", f"/v1/connections?{query}")
        expect(run("connections web"), 0)
        assert fake.requests[-1][:2] == ("GET", "/v1/connections?name=web")
        fake.pending = {"pending": True}
        expect(run("connections 7 --kill"), 0, None, re.compile("may go on"))
        before = len(fake.requests)
        for words in ("connections wbe", "connections wbe --kill", "connections wbe --json"):
            expect(run(words), 1, "", "natctl: no forward is called wbe. See: natctl list\n")
        expect(run("connections 99 --kill"), 1, "", re.compile("99"))
        assert all(r[1].startswith("/v1/mappings") for r in fake.requests[before:])
    with natd(ok("application/json", "[3]")):
        expect(run("connections"), 3, "", re.compile("not understood"))
        expect(run("connections --proto tcp --kill"), 3, "", re.compile("not understood"))


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
def a_narrow_terminal_has_fewer_columns():
    spared = {108: "FROM LEASE CONNECTIONS TOTAL IN OUT ORIGIN", 101: "FROM LEASE CONNECTIONS "
              "TOTAL ORIGIN", 94: "FROM LEASE CONNECTIONS TOTAL", 88: "FROM LEASE CONNECTIONS",
              87: "FROM LEASE", 75: "FROM", 54: "", 20: ""}
    with natd() as fake:
        run("add tcp 9000-9003 192.168.1.10:8000 --from 198.51.100.0/24 --lease 90m --name web")
        fake.flows = [{**FLOW, "age": 12, "bytes_in": 1200, "bytes_out": 7}]
        for columns, spare in spared.items():
            head, row = on_terminal("list", columns).splitlines()
            assert head.split() == f"ID NAME PROTO EXTERNAL INTERNAL {spare} STATE".split(), head
            assert columns < 54 or max(len(head), len(row)) <= columns, (columns, head, row)
            assert "192.168.1.10:8000-8003" in row, row
        whole = run("list")[1].splitlines()[0].split()
        assert set(on_terminal("list --wide").splitlines()[0].split()) > set(whole)
        flows = on_terminal("connections").splitlines()
    assert flows[0].split() == "ID NAME PROTO REMOTE EXTERNAL INTERNAL STATE".split(), flows


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
        "protocols   tcp, udp, sctp; not udplite, dccp\n"
        "pool        49152-65535, 16,384 ports; in use: tcp 12, udp 3\n"
        "snat        192.168.2.0/24 leaves as 203.0.113.7\n"
        "snat        192.168.1.9/32 leaves as 203.0.113.8, one to one\n"
        "accounting  off\n"
        "dropped     packets from outside: 1,234,567 unasked, 0 spoofed, 3 invalid\n"
        "ending      connections of 2 forwards wait to be ended: the kernel is busy\n"
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
