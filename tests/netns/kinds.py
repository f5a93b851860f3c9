#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random mappings of every kind, through the API; after each change packets from different
remotes to different addresses and ports must reach whom the list says, by the naive walk
below. Half of them are of senders that never change their port: they have a flow already.

To be run on the internet's host: it asks the API by its path."""
import argparse
import ipaddress
import json
import random
import socket
import sys
import time

import operations

REMOTES = ("203.0.113.9", "198.51.100.1", "198.51.100.129")
DIALLED = ("203.0.113.5", "203.0.113.6")
PREFIXES = ("198.51.100.0/24", "198.51.100.128/25", "203.0.113.0/24", "203.0.113.9/32")
HOSTS = ("192.168.1.10", "192.168.1.11")
SERVED = range(8000, 8008)
EXTERNAL = range(7998, 8010)
ANSWER_TIME = 2
SILENCE = 0.3


class Sender:
    """A UDP port of a remote, towards one endpoint."""

    count = 0

    def __init__(self, remote, dialled, port):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((remote, 0))
        self.sock.connect((dialled, port))

    def clear(self):
        """An error that waits is of an earlier question."""
        self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def reached(self, wait):
        """(host, port) that answered, or None: refused, or nothing came."""
        Sender.count += 1
        text = f"q{Sender.count}"
        self.clear()
        self.sock.send(text.encode())
        deadline = time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0:
            self.sock.settimeout(left)
            try:
                words = self.sock.recv(200).decode().split()
            except OSError:
                return None
            if words[2] == text:
                return words[-2], int(words[-1])
        return None


def ports(mapping, side="external"):
    return range(mapping[side]["port"], mapping[side]["end_port"] + 1)


def is_range(m):
    return (len(ports(m)) > 1 and not m["from"] and not m["external"]["address"]
            and m["external"]["port"] == m["internal"]["port"])


def precedence(m, remote):
    """Of a mapping that fits: the greater serves. None: it is not for that remote."""
    prefixes = [ipaddress.ip_network(p) for p in m["from"]]
    fitting = [p.prefixlen for p in prefixes if ipaddress.ip_address(remote) in p]
    if prefixes and not fitting:
        return None
    given = bool(m["external"]["address"])
    return (bool(prefixes), given, max(fitting, default=0), not is_range(m))


def served_by(mappings, remote, dialled, port):
    """By the list: (host, port) that packets reach, or None."""
    best = None
    for m in mappings:
        if m["state"] == "disabled" or m["protocol"] != "udp" or port not in ports(m):
            continue
        if m["external"]["address"] not in (None, dialled):
            continue
        rank = precedence(m, remote)
        if rank and (best is None or rank > best[0]):
            best = rank, m
    if not best:
        return None
    inner = best[1]["internal"]
    return inner["address"], inner["port"] + port - best[1]["external"]["port"]


def quarrels(a, b):
    if is_range(a) != is_range(b) or a["external"]["address"] != b["external"]["address"]:
        return False
    if not set(ports(a)) & set(ports(b)):
        return False
    return not a["from"] and not b["from"] or bool(set(a["from"]) & set(b["from"]))


def some_mapping(dice):
    first = dice.choice(EXTERNAL)
    last = first if dice.random() < 0.5 else min(first + dice.randrange(4), EXTERNAL[-1])
    inner = first if dice.random() < 0.4 else dice.choice(SERVED)
    return {"protocol": "udp", "from": sorted(dice.sample(PREFIXES, dice.choice((0, 0, 1, 2)))),
            "external": {"port": first, "end_port": last,
                         "address": dice.choice((None, None, *DIALLED))},
            "internal": {"address": dice.choice(HOSTS), "port": inner,
                         "end_port": inner + last - first}}


def add(client, dice, mappings):
    wanted = some_mapping(dice)
    status, reply = client.ask("POST", "/v1/mappings", wanted)
    if status == 200 and reply["verdict"] == "unchanged":
        return "unchanged"
    expected = 409 if any(quarrels(wanted, m) for m in mappings) else 201
    if status != expected:
        sys.exit(f"{wanted}: HTTP {status}, wanted {expected}: {reply}")
    return "added" if status == 201 else "conflict"


def patch(client, dice, mappings):
    m = dice.choice(mappings)
    if dice.random() < 0.5:
        body = {"enabled": m["state"] == "disabled"}
    else:
        body = {"internal": {"address": dice.choice(HOSTS), "port": m["internal"]["port"]}}
    status, reply = client.ask("PATCH", f"/v1/mappings/{m['id']}", body)
    if status != 200:
        sys.exit(f"{m}: {body}: HTTP {status}: {reply}")
    return "changed"


def remove(client, dice, mappings):
    status, reply = client.ask("DELETE", f"/v1/mappings/{dice.choice(mappings)['id']}")
    if status != 200:
        sys.exit(f"not removed: HTTP {status}: {reply}")
    return "removed"


def change(client, dice, mappings):
    what = dice.random()
    if not mappings or what < 0.5:
        return add(client, dice, mappings)
    if what < 0.7 and len(mappings) < 20:
        return patch(client, dice, mappings)
    return remove(client, dice, mappings)


def probe(dice, mappings, senders):
    """Whom a packet reaches; and where that is somebody else than it should, words."""
    question = dice.choice(REMOTES), dice.choice(DIALLED), dice.choice(EXTERNAL)
    wanted = served_by(mappings, *question)
    if wanted and wanted[1] not in SERVED:
        wanted = None
    old = dice.random() < 0.5
    sender = senders.setdefault(question, Sender(*question)) if old else Sender(*question)
    got = sender.reached(ANSWER_TIME if wanted else SILENCE)
    if got != wanted:
        return got, f"{question}{', with a flow' if old else ''}: reaches {got}, wanted {wanted}"
    return got, None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    args = parser.parse_args()
    dice, client = random.Random(args.seed), operations.Client("natd")
    senders, seen, answered = {}, {}, 0
    for _ in range(args.count):
        verdict = change(client, dice, client.ask("GET", "/v1/mappings")[1])
        seen[verdict] = seen.get(verdict, 0) + 1
        mappings = client.ask("GET", "/v1/mappings")[1]
        for _ in range(4):
            got, why = probe(dice, mappings, senders)
            answered += got is not None
            if why:
                sys.exit(f"after {verdict}: {why}; the list: {json.dumps(mappings)}")
    status, report = client.ask("POST", "/v1/resync")
    if status != 200 or any(report.values()):
        sys.exit(f"list and kernel differed: {report}")
    print(f"verdicts: {seen}; {answered} of {Sender.count} packets were answered")
    if {"added", "conflict", "changed", "removed"} - set(seen) or answered < args.count / 3:
        sys.exit("this shows little")


main()
