#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills natd at a named point or at a random moment, starts it again, and compares.

What was acknowledged is there, what was refused is not, and what nobody was told is there
wholly or not at all; list, store, kernel and connection tracker say the same, and so do
connections: of a forward whose removal was durable none is left, and any other goes on.
Random changes are of mappings of every kind.
"""
import argparse
import ctypes
import dataclasses
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

import model as naive
import operations

CONFIG, STATE, SWITCH = "/run/natd.conf", "/run/state", "/run/switch"
LIVE = {"protocol": "tcp", "external": {"port": 7777},
        "internal": {"address": "192.168.1.10", "port": 80}, "name": "live"}
OTHER = {"protocol": "udp", "external": {"port": 7778},
         "internal": {"address": "192.168.1.11", "port": 53}, "name": "other"}
REMOVE_LIVE = {"action": "remove", "name": "live"}


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
        self.model, self.senders = naive.Model(), operations.Senders()

    def begin(self, at=None):
        """A natd that will be killed at @at once that is switched on."""
        pathlib.Path(SWITCH).unlink(missing_ok=True)
        self.natd.start(at)

    def learn(self):
        operations.client_truth(self.natd.client, self.model)

    def change(self, changes):
        """The HTTP status of a request for a list, or None: nobody was told; the answer."""
        try:
            return self.natd.client.ask("POST", "/v1/mappings", changes)
        except (OSError, http.client.HTTPException):
            return None, None

    def has(self, name):
        return any(m.name == name for m in self.model.of)

    def live_forward(self):
        if not self.has("live"):
            if self.change([LIVE])[0] not in (200, 201):
                sys.exit("the live forward cannot be added")
            self.learn()
        self.wire.open()

    def compare(self, what, *allowed):
        """natd runs again: the state is one of @allowed, everywhere. Return: which"""
        allowed = operations.settle(self.natd.client, *allowed)
        self.learn()
        learned = set(self.model.of)
        operations.agree(self.natd.client, self.kernel, self.model, what)
        ended = learned - set(self.model.of)
        self.senders.agree(self.model, what)
        for number, wanted in enumerate(allowed):
            if set(self.model.of) == set(wanted) - ended:
                return number
        there = set(self.model.of)
        sys.exit("\n".join([f"{what}: there is none of what may be"] + [
            f"or it lacks {sorted(map(str, set(of) - ended - there))} and has too much:"
            f" {sorted(map(str, there - set(of)))}" for of in allowed]))

    def compare_connections(self, what):
        if self.has("live"):
            if not self.wire.lives(5):
                sys.exit(f"{what}: the forward is there, its connection was ended")
        elif translated() or self.wire.lives(0.2):
            sys.exit(f"{what}: the forward is removed, its connection lives: {translated()}")


def in_a_request(bench, point):
    """Killed while a list is served that removes the live forward and adds another."""
    bench.begin(point)
    bench.learn()
    bench.live_forward()
    before = bench.model.of
    changes = [REMOVE_LIVE]
    after = [m for m in before if m.name not in ("live", "other")]
    if bench.has("other"):
        changes.append({"action": "remove", "protocol": "udp", "external": {"port": 7778}})
    else:
        changes.append(OTHER)
        after.append(naive.Mapping("udp", None, 7778, 1, "192.168.1.11", 53, name="other"))
    pathlib.Path(SWITCH).touch()
    told, _ = bench.change(changes)
    bench.natd.killed()
    bench.natd.start()
    came = bench.compare(point, *((after,) if told == 200 else (before, after)))
    bench.compare_connections(point)
    return "yes" if told == 200 or came else "no"


def in_a_reload(bench, point):
    bench.begin(point)
    bench.learn()
    bench.live_forward()
    before = bench.model.of
    after = before + [naive.Mapping("tcp", None, 7779, 1, "192.168.1.10", 80, name="file")]
    text = pathlib.Path(CONFIG).read_text()
    pathlib.Path(SWITCH).touch()
    pathlib.Path(CONFIG).write_text(text + 'forward file { protocol = tcp port = 7779 '
                                    'to = "192.168.1.10:80" }\n')
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
    after = [m for m in bench.model.of if m.name != "live"]
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
    bench.compare(point, [])
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
    # the kernel does not know names
    bench.compare(point, [dataclasses.replace(m, name="") for m in bench.model.of])
    if not bench.wire.lives(5):
        sys.exit(f"{point}: the live forward's connection was ended")
    bench.change([{"action": "update", "protocol": "tcp", "external": {"port": 7777},
                   "set": {"name": "live"}}])
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
    # those need a router above natd: upstream_kill
    points = [point for point in points if not point.startswith("upstream-")]
    if set(points) != set(BY_POINT):
        sys.exit(f"points nobody kills at, or that are gone: {set(points) ^ set(BY_POINT)}")
    bench = Bench()
    for point in points:
        came = BY_POINT[point](bench, point)
        if BY_POINT[point] is in_a_request and (came == "yes") != (point in DURABLE):
            sys.exit(f"{point}: the change is {came}")
        bench.natd.stop()
        print(f"ok killed at {point}: {came}", flush=True)


def is_told_later(model, change):
    """Will only the answer say which port it got? Then nobody knows who was never told."""
    return (change.get("external", {}).get("port") == "auto" and change.get("action") is None
            and model.choice(change) is None)


def some_request(dice, model):
    """One to three changes, and what is there after them; None: refused."""
    changes, after = [], naive.Model(model.of)
    for _ in range(dice.choice((1, 1, 2, 3))):
        change = operations.some_change(dice, after)
        if is_told_later(after, change):
            continue
        verdict, of = after.judge(change)
        if of is None and dice.random() < 0.95:
            continue  # few refusals
        changes.append(change)
        if of is None:
            return changes, None
        after.of = of
    return changes, after.of


def granted(of, began):
    model = naive.Model()
    model.take(of, began)
    return model.of


def load(bench, dice, told):
    """Changes until natd is gone. Return: what may be there"""
    while True:
        bench.senders.send(dice)
        changes, after = some_request(dice, bench.model)
        if not changes:
            continue
        if bench.has("live") and dice.random() < 0.2 and after is not None:
            changes.append(REMOVE_LIVE)
            after = [m for m in after if m.name != "live"]
        began = naive.now()
        status, reply = bench.change(changes)
        told[status] = told.get(status, 0) + 1
        if status is None:
            return [bench.model.of] + ([granted(after, began)] if after is not None else [])
        if (status in (200, 201)) != (after is not None):
            sys.exit(f"{changes}: HTTP {status}, {reply}, and the model says {after}")
        if after is not None:
            bench.model.take(after, began)
            bench.model.learn_ids(operations.told(reply))


def at_random_moments(n, seed):
    dice, bench, told, came = random.Random(seed), Bench(), {}, [0, 0]
    for number in range(n):
        bench.begin()
        bench.learn()
        bench.live_forward()
        timer = threading.Timer(dice.uniform(0, 0.2), bench.natd.process.kill)
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
