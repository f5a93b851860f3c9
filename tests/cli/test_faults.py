#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""natd, or something else in its place, misbehaves."""

import re
import socket
import subprocess
import sys

from harness import DIR, NATCTL, SOCKET, WEB, expect, main, natd, on_terminal, run, test
from natd_api import FAULTS, ok, problem_bytes


NOT_NATD = (f"natctl: what answers at {SOCKET} is not natd. Name natd's socket with "
            "--socket PATH or NATD_SOCKET.\n")
BROKE_OFF = ("natctl: natd ended the connection before its answer was whole.{} "
             "See: systemctl status natd\n")
DOUBT = " Whether it was done is not known: look with natctl list."
GARBLED = ("natctl: natd's answer was not understood. Are natctl (0.1.0) and natd of one "
           "version?\n")


def no_reason(status):
    return (f"natctl: {SOCKET} answered with HTTP status {status} and no reason; natd would "
            "give one. Name natd's socket with --socket PATH or NATD_SOCKET.\n")


MISBEHAVIOUR = [
    ("html", f"add {WEB}", no_reason(404)),
    ("html", "list", no_reason(404)),
    ("html", "status --json", no_reason(404)),
    ("html-200", "list", no_reason(200)),
    ("empty-404", "status", no_reason(404)),
    ("ssh", "status", NOT_NATD),
    ("two-lengths", "status", NOT_NATD),
    ("long-head", "status", NOT_NATD),
    ("bad-chunk", "status", NOT_NATD),
    ("hangup", "status", BROKE_OFF.format("")),
    ("hangup", f"add {WEB}", BROKE_OFF.format(DOUBT)),
    ("half-head", "list --json", BROKE_OFF.format("")),
    ("half-body", f"add {WEB}", BROKE_OFF.format(DOUBT)),
    ("half-chunk", "list", BROKE_OFF.format("")),
    ("no-json", "status", GARBLED),
    ("no-json", "flush", GARBLED),
    ("odd-json", f"add {WEB}", GARBLED),
    ("odd-json", "version -q", None),
    ("odd-ndjson", "list", GARBLED),
    ("long-line", "list", GARBLED),
    ("busy", f"add {WEB}", "natctl: The outcome of another change is unknown. "
                           "Try again later.\n"),
]


@test
def whoever_misbehaves_gets_one_line_and_status_3():
    for fault, words, sentence in MISBEHAVIOUR:
        with natd(FAULTS[fault]):
            expect(run(words), 3, None, sentence)


@test
def an_answer_that_breaks_off_leaves_what_came_and_status_3():
    with natd(FAULTS["half-body"]):
        expect(run("list --json"), 3, '{"verdict"\n', BROKE_OFF.format(""))


@test
def silence_ends_after_the_timeout():
    with natd(silent=True):
        expect(run("status --timeout 1"), 3, "",
               "natctl: natd has not answered for 1 second. See: systemctl status natd, or "
               "wait longer with --timeout SECONDS.\n")
        expect(run("reload --timeout=1"), 3, "", re.compile(re.escape(DOUBT)))


@test
def a_full_queue_ends_after_the_timeout():
    path = f"{DIR}/full.sock"
    with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX) as first:
        s.bind(path)
        s.listen(0)
        first.connect(path)
        expect(run("status --timeout 1", path=path), 3, "",
               f"natctl: natd took no connection at {path} for 1 second. "
               "See: systemctl status natd\n")


@test
def interim_answers_are_passed_over():
    with natd(FAULTS["interim"]):
        expect(run("add tcp 80 192.168.1.10"), 0, "added 7: tcp 80 -> 192.168.1.10:80\n", "")


@test
def an_answer_may_end_with_the_connection():
    with natd(FAULTS["to-close"]):
        expect(run("add tcp 80 192.168.1.10"), 0, "added 7: tcp 80 -> 192.168.1.10:80\n", "")


@test
def a_refusal_before_the_whole_request_is_sent_is_heard():
    early = problem_bytes(413, "too-large", "Too many changes.", "Send fewer.")
    lines = "".join(f"add tcp {i + 1} 10.0.0.1\n" for i in range(20000))
    with natd(early=early):
        expect(run("-f - --atomic", stdin=lines), 1, "",
               re.compile("^natctl: Too many changes. Send fewer.\n"))


@test
def who_is_turned_away_at_the_door_hears_why():
    # whether natd closes before, while or after the request is sent
    with natd(early=FAULTS["busy"], deaf=True):
        for _ in range(30):
            expect(run(f"add {WEB}"), 3, "",
                   "natctl: The outcome of another change is unknown. Try again later.\n")


@test
def a_refusal_that_is_new_to_us_is_a_refusal():
    with natd(FAULTS["new-refusal"]):
        expect(run(f"add {WEB}"), 1, "", "natctl: The moon is full. Wait.\n")


@test
def nothing_from_natd_reaches_the_terminal_as_a_control():
    with natd(FAULTS["escape"]):
        expect(run(f"add {WEB}"), 1, "",
               re.compile(r"^natctl: taken by \?\[2J\?+2J\?me\.\n$"))
    with natd():
        got = run("status")
    assert "\x1b" not in got[1] and "nft?[31m (pid 4711)" in got[1], got[1]
    with natd(ok("application/json", '{"a":"\x1b[2J\u009b"}')):
        plain = run("status --json")[1]
        shown = on_terminal("status --json")
    assert "\x1b" in plain and "\x1b" not in shown and "?[2J" in shown, shown
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n"
    with natd(head + b'"\x9b[2J\xc3\xa9"'):
        assert on_terminal("status --json") == '"?[2J\u00e9"\n', "no UTF-8, and some"


@test
def output_that_cannot_be_written_is_no_success():
    with natd(), open("/dev/full", "wb") as full:
        done = subprocess.run([NATCTL, "--socket", SOCKET, "status"], stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    expect((done.returncode, "", done.stderr), 3, None,
           "natctl: cannot write the output: No space left on device\n")


if __name__ == "__main__":
    sys.exit(main())
