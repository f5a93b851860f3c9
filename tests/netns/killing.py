#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills natd at a named point or at a random moment, starts it again, and compares.

What was acknowledged is there, what was refused is not, and what nobody was told is there
wholly or not at all; list, store and kernel say the same, and so do the connections: of a
forward whose removal was durable none is left, and any other goes on.
"""
import argparse
import ctypes
import http.client
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

import operations

CONFIG, STATE, SWITCH = "/run/natd.conf", "/run/state", "/run/switch"
LIVE = {"protocol": "tcp", "external": {"port": 7777},
        "internal": {"address": "192.168.1.10", "port": 80}, "name": "live"}
OTHER = {"protocol": "udp", "external": {"port": 7778},
         "internal": {"address": "192.168.1.11", "port": 53}}
REMOVE_LIVE = {"action": "remove", "protocol": "tcp", "external": {"port": 7777}}
LIVE_KEY, OTHER_KEY = ("tcp", "*4", 7777), ("udp", "*4", 7778)


class Natd:
    """natd, or what is left of it."""

    def __init__(self):
        self.process, self.client = None, None

    def spawn(self, at=None, *words):
        env = dict(os.environ, NATD_KILL_SWITCH=SWITCH)
        if at:
            env["NATD_KILL_AT"] = at
        with open("/run/natd.log", "a") as log:
            self.process = subprocess.Popen(
                [os.environ["NATD_KILLABLE"], "--config", CONFIG, "--state", STATE,
                 "--socket", os.environ["NATD_SOCKET"], *words],
                env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, at=None):
        self.spawn(at)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"natd ended at its start: {self.process.returncode}")
            try:
                self.client = operations.Client("natd")
                if self.client.ask("GET", "/v1/status")[0] == 200:
                    return
            except OSError:
                time.sleep(0.005)
        sys.exit("natd does not answer")

    def killed(self):
        status = self.process.wait(10)
        if status != -signal.SIGKILL:
            sys.exit(f"natd was to be killed and ended with {status}")

    def kill(self):
        self.process.kill()
        self.killed()

    def stop(self):
        self.process.terminate()
        if self.process.wait(10):
            sys.exit(f"natd ended with status {self.process.returncode}")


class Wire:
    """A connection from the world through the live forward."""

    def __init__(self):
        self.sock = None

    def open(self):
        libc, here = ctypes.CDLL(None, use_errno=True), os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/wan", os.O_RDONLY)
        libc.setns(there, 0)
        self.sock = socket.socket()
        libc.setns(here, 0)
        os.close(here)
        os.close(there)
        self.sock.settimeout(5)
        self.sock.connect(("203.0.113.5", 7777))
        if not self.lives(5):
            sys.exit("a new connection through the live forward does not live")

    def lives(self, seconds):
        self.sock.settimeout(seconds)
        try:
            self.sock.sendall(b"there?\n")
            return b"heard" in self.sock.recv(500)
        except OSError:
            return False


def translated():
    """Entries of the connection tracker that lead from the live forward's port inside."""
    said = subprocess.run(["conntrack", "-L", "-p", "tcp", "--orig-port-dst", "7777"],
                          check=False, capture_output=True, text=True).stdout
    return [line for line in said.splitlines() if "src=192.168.1.10" in line]


class Bench:
    """natd, what it should say, and a connection that tells whether it is so."""

    def __init__(self):
        self.natd, self.kernel, self.wire = Natd(), operations.Kernel(), Wire()
        self.model = operations.Model()

    def begin(self, at=None):
        """A natd that will be killed at @at once that is switched on."""
        pathlib.Path(SWITCH).unlink(missing_ok=True)
        self.natd.start(at)

    def learn(self):
        operations.client_truth(self.natd.client, self.model)

    def change(self, changes):
        """The HTTP status of a request for a list, or None: nobody was told."""
        try:
            return self.natd.client.ask("POST", "/v1/mappings", changes)[0]
        except (OSError, http.client.HTTPException):
            return None

    def live_forward(self):
        if LIVE_KEY not in self.model.of:
            if self.change([LIVE]) not in (200, 201):
                sys.exit("the live forward cannot be added")
            self.learn()
        self.wire.open()

    def compare(self, what, *allowed):
        """natd runs again: the state is one of @allowed, everywhere. Return: which"""
        self.learn()
        operations.agree(self.natd.client, self.kernel, self.model, what)
        for number, wanted in enumerate(allowed):
            if self.model.mappings() == {(*key, *value[0]) for key, value in wanted.items()}:
                return number
        sys.exit(f"{what}: there is {sorted(self.model.of)}, which is none of what may be: "
                 f"{[sorted(of) for of in allowed]}")

    def compare_connections(self, what):
        if LIVE_KEY in self.model.of:
            if not self.wire.lives(5):
                sys.exit(f"{what}: the forward is there, its connection was ended")
        elif translated() or self.wire.lives(0.2):
            sys.exit(f"{what}: the forward is removed, its connection lives: {translated()}")


def in_a_request(bench, point):
    """Killed while a list is served that removes the live forward and adds another."""
    bench.begin(point)
    bench.learn()
    bench.live_forward()
    before = dict(bench.model.of)
    changes = [REMOVE_LIVE]
    after = {key: value for key, value in before.items() if key not in (LIVE_KEY, OTHER_KEY)}
    if OTHER_KEY in before:
        changes.append({"action": "remove", "protocol": "udp", "external": {"port": 7778}})
    else:
        changes.append(OTHER)
        after[OTHER_KEY] = (("192.168.1.11", 53), "")
    pathlib.Path(SWITCH).touch()
    told = bench.change(changes)
    bench.natd.killed()
    bench.natd.start()
    came = bench.compare(point, *((after,) if told == 200 else (before, after)))
    bench.compare_connections(point)
    return "yes" if told == 200 or came else "no"


def in_a_reload(bench, point):
    bench.begin(point)
    bench.learn()
    bench.live_forward()
    before, after = dict(bench.model.of), dict(bench.model.of)
    text = pathlib.Path(CONFIG).read_text()
    pathlib.Path(SWITCH).touch()
    pathlib.Path(CONFIG).write_text(text + 'forward file { protocol = tcp port = 7779 '
                                    'to = "192.168.1.10:80" }\n')
    after["tcp", "*4", 7779] = (("192.168.1.10", 80), "file")
    bench.natd.process.send_signal(signal.SIGHUP)
    bench.natd.killed()
    bench.natd.start()  # reads the new file
    bench.compare(point, after)
    bench.compare_connections(point)
    bench.natd.kill()
    pathlib.Path(CONFIG).write_text(text)
    bench.natd.start()
    bench.compare(point, before)
    return "yes"


def at_start(bench, point):
    """Killed at a start after a kill in the middle of a removal, so that there is work."""
    pathlib.Path(SWITCH).unlink(missing_ok=True)
    bench.begin("store-committed")
    bench.learn()
    bench.live_forward()
    after = {key: value for key, value in bench.model.of.items() if key != LIVE_KEY}
    pathlib.Path(SWITCH).touch()
    bench.change([REMOVE_LIVE])
    bench.natd.killed()
    bench.natd.spawn(point)
    bench.natd.killed()
    bench.natd.start()
    bench.compare(point, after)
    bench.compare_connections(point)
    return "yes"


def at_the_first_start(bench, point):
    subprocess.run(["nft", "delete", "table", "inet", "natd"], check=False,
                   stderr=subprocess.DEVNULL)
    for path in pathlib.Path(STATE).iterdir():
        path.unlink()
    pathlib.Path(SWITCH).touch()
    bench.natd.spawn(point)
    bench.natd.killed()
    bench.natd.start()
    bench.compare(point, {})
    return "yes"


def damage_in_the_log():
    """A row that is wrong, in a log that the next to open natd.db has to play back."""
    db = sqlite3.connect(f"{STATE}/natd.db")
    db.execute("UPDATE mapping SET created = 7")
    db.commit()
    names = ("natd.db", "natd.db-wal")
    kept = {name: pathlib.Path(STATE, name).read_bytes() for name in names}
    db.close()
    for name in names:
        pathlib.Path(STATE, name).write_bytes(kept[name])


def in_a_recovery(bench, point):
    bench.begin()
    bench.learn()
    bench.live_forward()
    bench.natd.kill()
    pathlib.Path(SWITCH).touch()
    damage_in_the_log()
    bench.natd.spawn(point, "--recover")
    bench.natd.killed()
    bench.natd.start()
    bench.compare(point, bench.model.of)
    bench.compare_connections(point)
    return "yes"


BY_POINT = {
    "store-locked": at_start, "store-opened": at_start, "store-migrated": at_the_first_start,
    "store-built": at_the_first_start, "recovered": in_a_recovery, "log-removed": in_a_recovery,
    "sync-begin": at_start, "sync-done": at_start, "strays-ended": at_start,
    "staged": in_a_request, "store-begun": in_a_request, "kernel-applied": in_a_request,
    "store-committed": in_a_request, "table-committed": in_a_request, "barred": in_a_request,
    "ended": in_a_request, "answered": in_a_request,
    "reload-rules": in_a_reload, "reload-done": in_a_reload,
}
DURABLE = {"store-committed", "table-committed", "barred", "ended", "answered"}


def at_every_point():
    env = dict(os.environ, NATD_KILL_AT="list")
    points = subprocess.run([os.environ["NATD_KILLABLE"]], env=env, check=True,
                            capture_output=True, text=True).stdout.split()
    if set(points) != set(BY_POINT):
        sys.exit(f"points nobody kills at, or that are gone: {set(points) ^ set(BY_POINT)}")
    for point in points:
        bench = Bench()
        came = BY_POINT[point](bench, point)
        if BY_POINT[point] is in_a_request and (came == "yes") != (point in DURABLE):
            sys.exit(f"{point}: the change is {came}")
        bench.natd.stop()
        print(f"ok killed at {point}: {came}", flush=True)


def some_request(dice, model):
    """One to three changes, and what is there after them; None: refused."""
    changes, after = [], operations.Model()
    after.of = dict(model.of)
    for _ in range(dice.choice((1, 1, 2, 3))):
        change = operations.some_change(dice)
        verdict, of = after.judge(change)
        if verdict is None or (of is None and dice.random() < 0.95):
            continue  # not judged, or a refusal: few of those
        changes.append(change)
        if of is None:
            return changes, None
        after.of = of
    return changes, after.of


def load(bench, dice, told):
    """Changes until natd is gone. Return: what may be there"""
    while True:
        changes, after = some_request(dice, bench.model)
        if not changes:
            continue
        if LIVE_KEY in bench.model.of and dice.random() < 0.2 and after is not None:
            changes.append(REMOVE_LIVE)
            after = {key: value for key, value in after.items() if key != LIVE_KEY}
        status = bench.change(changes)
        told[status] = told.get(status, 0) + 1
        if status is None:
            return [bench.model.of] + ([after] if after is not None else [])
        if (status in (200, 201)) != (after is not None):
            sys.exit(f"{changes}: HTTP {status}, and the model says {after}")
        if after is not None:
            bench.model.of = after


def at_random_moments(n, seed):
    dice, bench, told, came = random.Random(seed), Bench(), {}, [0, 0]
    for number in range(n):
        bench.begin()
        bench.learn()
        bench.live_forward()
        timer = threading.Timer(dice.uniform(0, 0.15), bench.natd.process.kill)
        timer.start()
        allowed = load(bench, dice, told)
        timer.join()
        bench.natd.killed()
        bench.natd.start()
        came[bench.compare(f"kill {number}", *allowed)] += 1
        bench.compare_connections(f"kill {number}")
        bench.natd.kill()
    print(f"{n} kills; HTTP {told}; the change nobody was told of: {came[0]} no, {came[1]} yes")
    if not told.get(200) and not told.get(201):
        sys.exit("nothing was ever acknowledged, so this shows nothing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--random", type=int)
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    if args.random:
        at_random_moments(args.random, args.seed)
    else:
        at_every_point()


main()
