#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random changes through the API, each judged by a model of 30 lines, and after each the
list, the store and the kernel compared with it. Few ports and hosts, so that they quarrel."""
import argparse
import ctypes
import http.client
import json
import os
import random
import socket
import sqlite3
import sys

PORTS = (53, 80, 443, 8080, 8081, 9000)
HOSTS = ("192.168.1.10", "192.168.1.11", "2001:db8:1::10", "2001:db8:1::11", "fd00:1::10")
NAMES = ("", "", "web", "dns", "game")
SETS = {"forward4": "*4", "forward6": "*6", "pinhole6": None}


class Client(http.client.HTTPConnection):
    """HTTP to a UNIX socket, one connection for all."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["NATD_SOCKET"])

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None)
        reply = self.getresponse()
        return reply.status, json.loads(reply.read())


class Kernel:
    """What nft lists of the kernel's table."""

    def __init__(self):
        self.nft = ctypes.CDLL("libnftables.so.1")
        self.nft.nft_ctx_new.restype = ctypes.c_void_p
        self.nft.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
        self.ctx = ctypes.c_void_p(self.nft.nft_ctx_new(0))
        self.nft.nft_ctx_buffer_output(self.ctx)
        self.nft.nft_ctx_output_set_flags(self.ctx, (1 << 4) | (1 << 7))  # JSON, numeric proto

    def elements(self, name):
        kind = "set" if name == "pinhole6" else "map"
        if self.nft.nft_run_cmd_from_buffer(self.ctx, f"list {kind} inet natd {name}".encode()):
            sys.exit(f"nft cannot list {name}")
        for item in json.loads(self.nft.nft_ctx_get_output_buffer(self.ctx))["nftables"]:
            yield from item.get(kind, {}).get("elem", [])

    def mappings(self):
        found = set()
        for name, external in SETS.items():
            for element in self.elements(name):
                key, value = element if external else (element, None)
                key = key.get("elem", {}).get("val", key)["concat"]
                if external:
                    value = value["concat"]
                    found.add((protocol(key[0]), external, key[1], value[0], value[1]))
                else:
                    found.add((protocol(key[1]), key[0], key[2], key[0], key[2]))
        return found


def protocol(word):
    return {6: "tcp", 17: "udp"}.get(word, word)


class Model:
    """What must be so: (protocol, external address, port) -> (internal, name)."""

    def __init__(self):
        self.of = {}

    def add(self, change):
        """The verdict of an addition, and what is there after it."""
        host, port = change["internal"]["address"], change["external"]["port"]
        inner = change["internal"].get("port", port)
        external = "*4" if "." in host else host if (
            inner == port and not host.startswith("fd")) else "*6"
        after, added = dict(self.of), False
        for word in change["protocol"].split(","):
            key, value = (word, external, port), ((host, inner), change.get("name", ""))
            if key in after and after[key][0] != value[0]:
                return "conflict", None
            if key in after and (not value[1] or after[key][1] == value[1]):
                continue
            if key in after:
                return None, None  # the same mapping under another name: not judged here
            if value[1] and any(k[0] == word and v[1] == value[1] for k, v in after.items()):
                return "name-taken", None
            after[key], added = value, True
        return "added" if added else "unchanged", after

    def fitting(self, change):
        if "name" in change:
            return [k for k, v in self.of.items() if v[1] == change["name"]]
        return [k for k in self.of if (k[0], k[2]) == (
            change["protocol"], change["external"]["port"])]

    def remove(self, change):
        keys = self.fitting(change)
        if not keys:
            return "not-found", None
        if len(keys) > 1 and "name" not in change:
            return "ambiguous", None
        return "removed", {k: v for k, v in self.of.items() if k not in keys}

    def judge(self, change):
        return (self.remove if change.get("action") == "remove" else self.add)(change)

    def mappings(self):
        return {(*key, *value[0]) for key, value in self.of.items()}


def some_change(dice):
    name = dice.choice(NAMES)
    if dice.random() < 0.45:
        if name:
            return {"action": "remove", "name": name}
        return {"action": "remove", "protocol": dice.choice(("tcp", "udp")),
                "external": {"port": dice.choice(PORTS)}}
    change = {"protocol": dice.choice(("tcp", "udp", "tcp,udp")),
              "external": {"port": dice.choice(PORTS)},
              "internal": {"address": dice.choice(HOSTS)}}
    if dice.random() < 0.7:
        change["internal"]["port"] = dice.choice(PORTS)
    if name:
        change["name"] = name
    return change


def listed(client):
    status, mappings = client.ask("GET", "/v1/mappings")
    if status != 200:
        sys.exit(f"the list: HTTP {status}")
    return {(m["protocol"], m["external"]["address"] or ("*4" if "." in m["internal"]["address"]
             else "*6"), m["external"]["port"], m["internal"]["address"], m["internal"]["port"])
            for m in mappings}, mappings


def stored():
    with sqlite3.connect("file:/run/state/natd.db?mode=ro", uri=True) as db:
        rows = db.execute("SELECT protocol, external_address, external_port, internal_address,"
                          " internal_port FROM mapping").fetchall()
    return set(rows)


def agree(client, kernel, model, after):
    said, _ = listed(client)
    for what, found in (("list", said), ("store", stored()), ("kernel", kernel.mappings())):
        wanted = model.mappings()
        if found != wanted:
            sys.exit(f"after {after}: the {what} lacks {sorted(wanted - found)}"
                     f" and has too much: {sorted(found - wanted)}")


def operate(client, model, change):
    verdict, after = model.judge(change)
    _, reply = client.ask("POST", "/v1/mappings", change)
    got = reply.get("verdict") or reply.get("code")
    if verdict is None:
        client_truth(client, model)
        return got
    if got != verdict:
        sys.exit(f"{change}: {got}, wanted {verdict}: {reply}")
    if after is not None:
        model.of = after
    return got


def client_truth(client, model):
    """Take the model from the list; store and kernel are still compared with it."""
    _, mappings = listed(client)
    model.of = {
        (m["protocol"], m["external"]["address"] or (
            "*4" if "." in m["internal"]["address"] else "*6"), m["external"]["port"]):
        ((m["internal"]["address"], m["internal"]["port"]), m["name"] or "") for m in mappings}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--go-on", action="store_true", help="the table is not empty")
    args = parser.parse_args()
    dice = random.Random(args.seed + args.go_on)
    client, kernel, model, seen = Client("natd"), Kernel(), Model(), {}
    if args.go_on:
        client_truth(client, model)
    agree(client, kernel, model, "the start")
    for _ in range(args.count):
        change = some_change(dice)
        got = operate(client, model, change)
        seen[got] = seen.get(got, 0) + 1
        agree(client, kernel, model, change)
    print("verdicts:", seen)
    unseen = {"added", "removed", "conflict", "not-found"} - set(seen)
    if unseen:
        sys.exit(f"never seen, so this shows little: {unseen}")


if __name__ == "__main__":
    main()
