#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Events, as they are shown and as they are handed on to a command."""

import json
import os
import re
import signal
import subprocess
import sys
import time

from harness import DIR, NATCTL, SOCKET, expect, main, natd, run, test
from natd_api import problem_bytes

START = '{"event":"start","seq":100,"time":"2025-01-31T12:00:00Z"}'


def mapping(ident, port, internal, name=None):
    return {"id": ident, "name": name, "protocol": "tcp",
            "external": {"address": None, "port": port},
            "internal": {"address": internal, "port": 80}, "origin": "admin",
            "owner": "uid:0", "enabled": True, "created": "2025-01-31T12:00:00Z"}


def event(seq, word, **payload):
    return json.dumps({"seq": seq, "time": "2025-01-31T12:00:00Z", "event": word, **payload},
                      separators=(",", ":"))


def added(seq, port):
    return event(seq, "added", mapping=mapping(seq, port, "192.168.1.10", f"n{port}"), ended=0)


EVENTS = [
    event(101, "added", mapping=mapping(7, 8080, "192.168.1.10", "web"), ended=0),
    event(102, "changed", mapping=mapping(8, 8080, "192.168.1.11", "web"),
          before=mapping(7, 8080, "192.168.1.10", "web"), ended=2),
    event(103, "removed", mapping=mapping(8, 8080, "192.168.1.11"), ended=1),
    event(104, "refused", uid=1000, pid=4, problem={"code": "conflict", "detail": "Taken."}),
    event(105, "refused", uid=None, pid=None, problem={"code": "x", "detail": "Wrong\u001b[2J."}),
    event(106, "wan-address", addresses={"added": ["203.0.113.9"], "lost": ["203.0.113.5"]}),
    event(107, "repaired", by={"pid": 4711, "process": "nft"}, created=True, added=2),
    event(108, "repaired", by={"pid": None, "process": None}, created=False, added=2),
    event(109, "foreign-drop", chain="ip filter FORWARD (hook forward, policy drop)",
          state="appeared"),
    event(110, "of-the-future", what=1),
]


def start(words, **more):
    """natctl, running. Lines of its stdout can be read; stderr goes along."""
    return subprocess.Popen([NATCTL, "--socket", SOCKET, "watch", *words],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "TZ": "UTC"}, **more)


def wait_until(true, what):
    for _ in range(500):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError(what)


def read(path):
    return open(path, encoding="utf-8").read() if os.path.exists(path) else ""


def scratch(name):
    path = f"{DIR}/{name}"
    if os.path.exists(path):
        os.unlink(path)
    return path


@test
def each_event_is_a_line():
    with natd() as fake:
        fake.streams = [[START, *EVENTS]]
        got = run("watch -n 10")
    expect(got, 0, None, "")
    lines = [re.sub("^2025-01-31 12:00:00  ", "", line) for line in got[1].splitlines()]
    assert lines == [
        "start             what happens from now on, behind 100",
        'added             7: tcp 8080 "web" -> 192.168.1.10:80',
        'changed           8: tcp 8080 "web" -> 192.168.1.11:80, was 7 -> 192.168.1.10:80, '
        "2 connections ended",
        "removed           8: tcp 8080 -> 192.168.1.11:80, 1 connection ended",
        "refused           uid 1000: Taken.",
        "refused           Wrong?[2J.",
        "wan-address       203.0.113.9 is new, 203.0.113.5 is lost",
        "repaired          the kernel's table, deleted by nft (pid 4711)",
        "repaired          the kernel's table, changed by somebody",
        "foreign-drop      ip filter FORWARD (hook forward, policy drop): appeared",
        "of-the-future     ",
    ], got[1]


@test
def what_befalls_a_forward_is_put_into_words():
    web = mapping(7, 8080, "192.168.1.10", "web")
    events = [
        event(101, "expired", mapping=web, ended=2),
        event(102, "waiting", mapping=web),
        event(103, "active", mapping=web),
        event(104, "changed", mapping={**web, "name": "www", "enabled": False, "comment": "x"},
              before=web, ended=0),
        event(105, "changed", mapping={**web, "lease": {"lifetime": 5400}}, before=web, ended=0),
        event(106, "changed", mapping=mapping(7, 8080, "192.168.1.11", "web"),
              before={**web, "enabled": False, "lease": {"lifetime": 60}}, ended=1),
        event(107, "added", mapping={**web, "enabled": False, "lease": {"lifetime": 5400},
                                     "upstream": {"wish": "no"}}, ended=0),
    ]
    with natd() as fake:
        fake.streams = [[START, *events]]
        got = run("watch -n 7")
    expect(got, 0, None, "")
    lines = [re.sub("^2025-01-31 12:00:00  ", "", line) for line in got[1].splitlines()[1:]]
    head = '7: tcp 8080 "web" -> 192.168.1.10:80'
    assert lines == [
        f"expired           {head}, 2 connections ended",
        f"waiting           {head}",
        f"active            {head}",
        'changed           7: tcp 8080 "www" -> 192.168.1.10:80, was "web", disabled, comment "x"',
        f"changed           {head}, for 1h30m",
        "changed           " + head.replace(".10:", ".11:")
        + ", was -> 192.168.1.10:80, enabled, for good, 1 connection ended",
        f"added             {head}, for 1h30m, disabled, upstream no",
    ], lines


@test
def json_is_passed_on_as_it_came_and_quiet_is_quiet():
    with natd() as fake:
        fake.streams = [[START, *EVENTS], [START, *EVENTS]]
        expect(run("watch --json --number 10"), 0, "\n".join([START, *EVENTS, ""]), "")
        expect(run("watch -q -n10"), 0, "", "")
        assert fake.requests[0][1] == "/v1/events", fake.requests
        assert fake.requests[0][3]["Accept"] == "application/x-ndjson"


@test
def lines_may_come_in_any_pieces():
    text = "".join(line + "\n" for line in [START, *EVENTS]).encode()
    with natd() as fake:
        fake.streams = [[text[i:i + 7] for i in range(0, len(text), 7)]]
        expect(run("watch --json -n 10"), 0, text.decode(), "")


@test
def once_is_one_event_and_since_goes_on():
    with natd() as fake:
        fake.streams = [[added(101, 1), added(102, 2)], []]
        expect(run("watch --once --json --since 100"), 0, added(101, 1) + "\n", "")
        assert fake.requests[0][1] == "/v1/events?since=100"


@test
def when_natd_goes_it_goes_on_behind_what_it_saw():
    reset = '{"event":"reset","seq":500,"time":"2025-01-31T12:00:00Z"}'
    lost = '{"event":"lost","from":102,"to":120}'
    with natd() as fake:
        fake.streams = [[START, added(101, 1), None], [lost, None], [reset, added(501, 2)]]
        got = run("watch --json -n 2")
        paths = [request[1] for request in fake.requests]
    expect(got, 0, "\n".join([START, added(101, 1), lost, reset, added(501, 2), ""]),
           "natctl: natd is gone; natctl goes on as soon as it is back.\n"
           "natctl: natd is back.\n" * 2)
    assert paths == ["/v1/events", "/v1/events?since=101", "/v1/events?since=120"], paths


@test
def who_is_dropped_comes_back_soon():
    dropped = '{"event":"dropped","seq":101}'
    with natd() as fake:
        fake.streams = [[START, added(101, 1), dropped, b""], [added(102, 2)]]
        got = run("watch -n 2")
        assert fake.requests[-1][1] == "/v1/events?since=101"
    expect(got, 0, re.compile("dropped  "), "")


@test
def streams_that_end_are_asked_for_ever_more_slowly_until_something_happens():
    with natd() as fake:
        asked = []

        def note():
            asked.append(time.monotonic())

        fake.streams = [[note, START, b""]] * 4 + [[note, added(101, 1), b""], [note, START, b""],
                                                   [note, added(102, 2)]]
        expect(run("watch --json -n 2"), 0, None, "")
    pauses = [after - before for before, after in zip(asked, asked[1:])]
    assert all(pause >= least for pause, least in zip(pauses, [.1, .2, .4, .8, .1, .2])), pauses
    assert pauses[4] < .8, pauses


@test
def a_natd_that_is_away_is_waited_for():
    with natd() as fake:
        fake.streams = [[START, added(101, 1)]]
        process = start(["--json", "-n", "2"])
        assert process.stdout.readline() == START + "\n"
        assert process.stdout.readline() == added(101, 1) + "\n"
    # the socket is there, and nobody listens; then there is none
    assert process.stdout.readline().startswith("natctl: natd is gone;")
    os.unlink(SOCKET)
    with natd() as fake:
        fake.streams = [[added(102, 2)]]
        rest = process.stdout.read().splitlines()
        assert fake.requests[0][1] == "/v1/events?since=101"
    assert rest[-2:] == ["natctl: natd is back.", added(102, 2)], rest
    assert process.wait(10) == 0


@test
def a_natd_that_has_no_place_is_asked_again_but_not_at_first():
    busy = problem_bytes(503, "busy", "All places are taken.", "Try again later.")
    with natd(busy):
        expect(run("watch"), 3, "", re.compile("All places are taken"))
    with natd() as fake:
        fake.streams = [[START, lambda: setattr(fake, "answer", busy), None], [added(101, 1)]]
        process = start(["--json", "--once"])
        wait_until(lambda: len(fake.requests) > 2, "it does not ask again")
        fake.answer = None
        said = process.stdout.read()
    assert process.wait(10) == 0 and said.endswith(added(101, 1) + "\n"), said


@test
def it_may_stand_among_other_commands():
    with natd() as fake:
        fake.fill(1)
        fake.streams = [[START, added(101, 1), added(102, 1)]]
        expect(run("-f -", "watch -q --once\nlist -q\n"), 0, "7\n", "")


@test
def what_will_not_get_better_ends_it():
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    expect(run("watch"), 3, "", re.compile("natd is not running"))
    text = '{"code":"not-permitted","detail":"uid 7 may not talk"}'
    with natd((f"HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n"
               f"Content-Length: {len(text)}\r\n\r\n{text}").encode()):
        expect(run("watch"), 1, "", re.compile("uid 7 may not talk"))
    with natd(b"SSH-2.0-OpenSSH\r\n\r\n"):
        expect(run("watch"), 3, "", re.compile("not natd"))
    with natd() as fake:
        fake.streams = [[START, "[1]"]]
        expect(run("watch"), 3, None, re.compile("was not understood"))


@test
def wrong_words_are_refused():
    with natd() as fake:
        for words, said in ((["--since", "x"], "--since x"), (["-n", "0"], "--number 0"),
                            (["--since", "99999999999999999999"], "--since 9999"),
                            (["--once", "-n", "2"], "exclude each other"),
                            (["--exec", ""], "give a command"),
                            (["--timeout-exec", "3"], "goes with --exec"),
                            (["--exec", "x", "--timeout-exec", "0"], "--timeout-exec 0"),
                            (["web"], "one word too many")):
            expect(run(["watch", *words]), 2, "", re.compile(re.escape(said)))
        assert not fake.requests


@test
def a_signal_ends_it_cleanly():
    for number in (signal.SIGTERM, signal.SIGINT):
        with natd() as fake:
            fake.streams = [[START]]
            process = start([])
            assert "start" in process.stdout.readline()
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stdout.read() == ""


# ------------------------------------------------------------------ hooks


@test
def a_command_gets_each_event():
    out = scratch("events")
    with natd() as fake:
        fake.streams = [[START, *EVENTS]]
        got = run(["watch", "-n", "10", "--json", "--exec",
                   f'line=$(cat); echo "$NATD_EVENT $NATD_SEQ $line" >>{out}'])
    expect(got, 0, None, "")
    seen = sorted(read(out).splitlines())
    wanted = sorted(f"{json.loads(e)['event']} {json.loads(e)['seq']} {e}" for e in EVENTS)
    assert seen == wanted, seen


@test
def its_end_is_told():
    with natd() as fake:
        fake.streams = [[added(n, n) for n in (101, 102, 103)]]
        got = run(["watch", "-n", "3", "--exec",
                   'case $NATD_SEQ in 101) exit 0 ;; 102) exit 7 ;; *) kill -USR1 $$ ;; esac'])
    expect(got, 0, re.compile("the hook for added 101 ended with status 0\n"))
    assert sorted(got[2].splitlines()) == [
        "natctl: the hook for added 102 ended with status 7.",
        "natctl: the hook for added 103 was ended by signal 10 (User defined signal 1).",
    ], got[2]


@test
def events_of_one_forward_run_in_their_order_and_others_beside_them():
    out = scratch("order")
    same = [added(100 + n, 8080) for n in range(1, 11)]
    with natd() as fake:
        # the first of the same waits for the other forward's run: neither keeps the other
        fake.streams = [[*same, added(200, 9090)]]
        got = run(["watch", "-n", "11", "-q", "--exec",
                   f'if [ "$NATD_SEQ" = 101 ]; then until [ -e {out}.go ]; do sleep 0.02; done; fi;'
                   f'if [ "$NATD_SEQ" = 200 ]; then touch {out}.go; fi;'
                   f'echo begin $NATD_SEQ >>{out}; echo end $NATD_SEQ >>{out}'])
    expect(got, 0, "", "")
    lines = [line for line in read(out).splitlines() if not line.endswith("200")]
    assert lines == [f"{word} {n}" for n in range(101, 111) for word in ("begin", "end")], lines
    os.unlink(out + ".go")


@test
def no_more_than_eight_run_at_once():
    out = scratch("many")
    with natd() as fake:
        fake.streams = [[added(100 + n, n) for n in range(1, 41)]]
        got = run(["watch", "-n", "40", "-q", "--exec",
                   f'echo + >>{out}; sleep 0.05; echo - >>{out}'])
    expect(got, 0, "", "")
    running, most = 0, 0
    for line in read(out).split():
        running += 1 if line == "+" else -1
        most = max(most, running)
    assert 2 <= most <= 8, most


@test
def one_that_takes_too_long_is_killed_with_all_it_started():
    out = scratch("pids")
    # neither listens to SIGTERM
    command = (f"trap '' TERM; (echo $$ >>{out}; exec sleep 300) & echo $! >>{out}; "
               "while :; do sleep 1; done")
    with natd() as fake:
        fake.streams = [[added(101, 1), added(102, 1)]]
        began = time.monotonic()
        got = run(["watch", "-n", "2", "--timeout-exec", "1", "--exec",
                   f'if [ $NATD_SEQ = 101 ]; then {command}; else echo after; fi'])
        took = time.monotonic() - began
    expect(got, 0, re.compile("^after$", re.M),
           "natctl: the hook for added 101 took longer than 1 seconds and was ended.\n")
    assert 1 <= took < 20, took
    pids = [int(pid) for pid in read(out).split()]
    assert len(pids) == 2, pids
    wait_until(lambda: not any(is_alive(pid) for pid in pids), "what it started lives on")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@test
def what_a_hook_leaves_running_in_time_is_left_alone():
    out = scratch("left")
    with natd() as fake:
        fake.streams = [[added(101, 1)]]
        got = run(["watch", "-n", "1", "-q", "--exec",
                   f"sleep 300 >/dev/null 2>&1 & echo $! >{out}"])
    expect(got, 0, "", "")
    assert is_alive(int(read(out)))
    os.kill(int(read(out)), signal.SIGKILL)


@test
def a_signal_ends_what_runs_and_says_what_was_not_run():
    out = scratch("ended")
    with natd() as fake:
        fake.streams = [[added(101, 1), added(102, 1), added(103, 1)]]
        process = start(["-q", "--exec", f"echo $$ >{out}; exec sleep 300"])
        wait_until(lambda: read(out).strip(), "it does not run")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        said = process.stdout.read()
    assert "the hook was not run for 2 events" in said, said
    assert not is_alive(int(read(out)))


@test
def gaps_are_handed_on_and_other_words_of_the_stream_are_not():
    out = scratch("gaps")
    with natd() as fake:
        fake.streams = [[START, '{"event":"reset","seq":7}', '{"event":"lost","from":8,"to":9}',
                         added(10, 1)]]
        run(["watch", "-n", "1", "--exec", f"echo $NATD_EVENT >>{out}"])
    assert sorted(read(out).split()) == ["added", "lost", "reset"], read(out)


@test
def a_hook_has_no_signals_blocked_and_no_strange_descriptors():
    out = scratch("clean")
    with natd() as fake:
        fake.streams = [[added(101, 1)]]
        run(["watch", "-n", "1", "--exec",
             f"ls /proc/$$/fd >{out}; exec grep SigBlk /proc/self/status >>{out}"])
    lines = read(out).split()
    assert int(lines[-1], 16) == 0, lines
    # 10 is the shell's own
    assert set(lines[:-2]) <= {"0", "1", "2", "10"}, lines


@test
def when_more_wait_than_it_takes_natd_keeps_them():
    out = scratch("flood")
    lines = [added(1000 + n, 1) for n in range(5000)]
    with natd() as fake:
        fake.streams = [lines]
        process = start(["-q", "--exec", f"until [ -e {out} ]; do sleep 0.05; done; "
                                         f"[ $NATD_SEQ != 1000 ] || echo $$ >{out}.first; "
                                         "kill -TERM $PPID"])
        # it has read some thousand lines at most: the rest waits in the socket
        wait_until(lambda: fake.requests, "no request")
        time.sleep(0.5)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            size = int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        open(out, "w", encoding="ascii").close()
        assert process.wait(20) == 0
        said = process.stdout.read()
    not_run = int(re.search(r"not run for ([\d,]+) events", said).group(1).replace(",", ""))
    assert 1000 <= not_run <= 1400, said
    assert size < 200000, size


if __name__ == "__main__":
    sys.exit(main())
