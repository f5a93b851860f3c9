#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random changes of every kind through the API, each judged by a naive model (model.py), and
after each the list, the store, the kernel and the connection tracker compared with it. Few
ports and hosts, so that they quarrel."""
import argparse
import ctypes
import http.client
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time

import model as naive

PORTS = (53, 80, 443, 8080, 8081, 9000)
HOSTS = ("192.168.1.10", "192.168.1.11", "2001:db8:1::10", "2001:db8:1::11", "fd00:1::10",
         "::10", "::11")
NAMES = ("", "", "web", "dns", "game")
PREFIXES = {"4": ("203.0.113.0/24", "203.0.113.9/32", "198.51.100.0/24"),
            "6": ("2001:db8:f::/64", "2001:db8:f::9/128", "2001:db8:e::/48")}
GIVEN = {"4": ("203.0.113.5", "203.0.113.77"), "6": ("2001:db8:f::5", "2001:db8:f::77")}
REMOTES = {"4": "203.0.113.9", "6": "2001:db8:f::9"}
MAPS = ("forward4_at", "forward4", "range4", "forward6_at", "forward6", "range6")
SETS = ("pinhole6", "pinrange6")
# few short ones: their end is waited for
LEASES = (2,) + 9 * (3600,)
# a lease that ends so soon is waited for
MARGIN = 0.5
LATE = 4


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

    def mappings(self):
        """As Mapping.elements() has them."""
        if self.nft.nft_run_cmd_from_buffer(self.ctx, b"list table inet natd"):
            sys.exit("nft cannot list the table")
        found, chains, rules = set(), {}, []
        for item in json.loads(self.nft.nft_ctx_get_output_buffer(self.ctx))["nftables"]:
            of = item.get("map") or item.get("set") or {}
            if of.get("name", "").endswith("_from"):
                chains.update((verdict_chain(e[1]), fields(e[0])) for e in of.get("elem", []))
            elif of.get("name") in MAPS:
                found.update(of_map(of["name"], *e) for e in of.get("elem", []))
            elif of.get("name") in SETS:
                found.update(of_set(of["name"], e) for e in of.get("elem", []))
            elif item.get("rule", {}).get("chain", "").startswith(("from4_", "from6_", "pin6_")):
                rules.append(item["rule"])
        found.update(of_rule(rule, chains) for rule in rules)
        return found


def verdict_chain(verdict):
    return next(iter(verdict.values()))["target"]


def fields(key):
    return key.get("elem", {}).get("val", key)["concat"]


def protocol(word):
    return {6: "tcp", 17: "udp"}.get(word, word)


def ends(port):
    return port["range"] if isinstance(port, dict) else [port, port]


def of_map(name, key, value):
    key = fields(key)
    if name.startswith("range"):
        return name, protocol(key[1]), *ends(key[0]), value
    at = key.pop(0) if name.endswith("_at") else None
    return name, protocol(key[0]), key[1], at, tuple(value["concat"])


def of_set(name, key):
    key = fields(key)
    if name == "pinrange6":
        return name, protocol(key[1]), *ends(key[0]), key[2]
    return name, protocol(key[1]), key[2], key[0]


def of_rule(rule, chains):
    """A rule of a port's chain for some remote prefixes."""
    said, to, key = {}, None, chains.get(rule["chain"], [rule["chain"], None, None])
    for part in rule["expr"]:
        if "match" in part and "payload" in part["match"]["left"]:
            said[part["match"]["left"]["payload"]["field"]] = part["match"]["right"]
        elif "dnat" in part:
            to = part["dnat"]["addr"], part["dnat"]["port"]
    remote = said["saddr"]
    remote = ("{addr}/{len}".format(**remote["prefix"]) if isinstance(remote, dict)
              else f"{remote}/{128 if ':' in remote else 32}")
    where = key[0] if len(key) == 3 else rule["chain"][4]
    return "from", where, protocol(key[-2]), key[-1], said.get("daddr"), remote, to


class Senders:
    """UDP from the internet, and what the connection tracker has of it."""

    def __init__(self):
        libc, here = ctypes.CDLL(None, use_errno=True), os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open("/run/netns/wan", os.O_RDONLY)
        libc.setns(there, 0)
        self.socks = {family: socket.socket(kind, socket.SOCK_DGRAM) for family, kind in
                      (("4", socket.AF_INET), ("6", socket.AF_INET6))}
        for family, sock in self.socks.items():
            sock.bind((REMOTES[family], 40000))
        libc.setns(here, 0)
        os.close(here)
        os.close(there)
        self.sent = 0

    def send(self, dice):
        dialled = dice.choice((naive.WAN[0], naive.WAN[1], "2001:db8:1::10", "2001:db8:1::11"))
        port = dice.choice(PORTS) + dice.choice((0, 0, 0, 1, 2))
        try:
            self.socks["6" if ":" in dialled else "4"].sendto(b"?", (dialled, port))
        except OSError:
            pass  # an answer to an earlier one: unreachable
        self.sent += 1

    def entries(self):
        for family in ("ipv4", "ipv6"):
            said = subprocess.run(
                ["conntrack", "-L", "-f", family, "-p", "udp", "--orig-port-src", "40000"],
                check=False, capture_output=True, text=True).stdout
            for line in said.splitlines():
                words = [w.split("=", 1) for w in line.split() if "=" in w]
                ways = {key: [v for k, v in words if k == key]
                        for key in ("src", "dst", "sport", "dport")}
                yield (ways["src"][0], ways["dst"][0], int(ways["dport"][0]),
                       (ways["src"][1], int(ways["sport"][1])))

    def strangers(self, model):
        """Entries that lead elsewhere than the list does."""
        found = []
        for remote, dialled, port, to in self.entries():
            wanted = model.served_by("udp", remote, dialled, port)
            if to != (wanted or (dialled, port)) or not wanted and dialled not in naive.WAN:
                found.append(f"{remote} -> {dialled} {port}: {to}, wanted {wanted}")
        return found

    def agree(self, model, after):
        deadline = time.monotonic() + 2
        while found := self.strangers(model):
            if time.monotonic() > deadline:
                sys.exit(f"after {after}: connections that the list does not stand for: {found}")
            time.sleep(0.02)


# ------------------------------------------------------------------------------ changes

def some_ports(dice, change, host):
    """A single port mostly; else a range, on equal ports or shifted."""
    external, internal = change["external"], change["internal"]
    if dice.random() < 0.7:
        internal["port"] = dice.choice(PORTS)
    if dice.random() < 0.7:
        return
    n = dice.choice((2, 2, 3, 4))
    if internal.get("port", external["port"]) == external["port"]:
        n = dice.choice((n, n, n, n, 20, 6000))
    if n == 6000 and "." in host and dice.random() < 0.5:
        external["port"], n = 1, 65535
        internal["port"] = 1
    external["end_port"] = external["port"] + n - 1


def some_addition(dice):
    host = dice.choice(HOSTS)
    family = "6" if ":" in host else "4"
    change = {"protocol": dice.choice(("tcp", "udp", "udp", "tcp,udp")),
              "external": {"port": dice.choice(PORTS)}, "internal": {"address": host}}
    if dice.random() < 0.12:
        change["external"]["port"] = "auto"
        change["internal"]["port"] = dice.choice(PORTS)
        if dice.random() < 0.3:
            change["internal"]["end_port"] = change["internal"]["port"] + dice.choice((1, 2))
    else:
        some_ports(dice, change, host)
    if dice.random() < 0.2:
        change["external"]["address"] = dice.choice(GIVEN[family])
    if dice.random() < 0.25:
        change["from"] = dice.sample(PREFIXES[family], dice.choice((1, 1, 2)))
    if dice.random() < 0.12:
        change["lease"] = dice.choice(LEASES)
    if dice.random() < 0.1:
        change["enabled"] = False
    if dice.random() < 0.1:
        change["comment"] = dice.choice(("the children's", "bei Anna: \u00fc"))
    name = dice.choice(NAMES)
    if name:
        change["name"] = name
    return change


def some_selector(dice, model):
    ids = [m.id for m in model.of if m.id and m.port in PORTS]
    name = dice.choice(NAMES)
    if ids and dice.random() < 0.7:
        return {"id": dice.choice(ids)}
    if name:
        return {"name": name}
    return {"protocol": dice.choice(("tcp", "udp")), "external": {"port": dice.choice(PORTS)}}


def some_update(dice, model):
    what, fits, change = dice.random(), [], {"action": "update"}
    change.update(some_selector(dice, model))
    fits = model.fitting(change)
    if what < 0.3:
        change["set"] = {"enabled": dice.random() < 0.6}
    elif what < 0.45:
        change["set"] = {"name": dice.choice(("web", "dns", "game", None))}
    elif what < 0.55:
        change["set"] = {"lease": dice.choice(LEASES + (None,)), "comment": "renewed"}
    elif what < 0.6:
        change["set"] = {"comment": dice.choice(("a", "b", None))}
    else:
        like = fits[0].address if fits else HOSTS[0]
        # who serves stays in its family: what is refused for that is another test's
        change["set"] = {"internal": {
            "address": dice.choice([h for h in HOSTS[:5] if (":" in h) == (":" in like)]),
            "port": dice.choice(PORTS + tuple(m.port for m in fits))}}
        if len({":" in m.address for m in fits}) > 1:
            change["set"] = {"enabled": True}
    return change


def some_change(dice, model):
    what = dice.random()
    if what < 0.5:
        return some_addition(dice)
    if what < 0.75:
        return some_update(dice, model)
    return {"action": "remove", **some_selector(dice, model)}


# --------------------------------------------------------------------------- comparison

def listed(client):
    """Mappings as the list has them, and the list."""
    status, mappings = client.ask("GET", "/v1/mappings")
    if status != 200:
        sys.exit(f"the list: HTTP {status}")
    return [naive.of_json(m) for m in mappings], mappings


def stored():
    with sqlite3.connect("file:/run/state/natd.db?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT protocol, external_address, external_port, n_ports, internal_address,"
            " internal_port, remotes, name, comment, enabled, lifetime FROM mapping").fetchall()
    return {naive.Mapping(p, None if at in ("host", "*4", "*6") else at, port, n, address, inner,
                          tuple(remotes.split()), name, comment, bool(enabled), lease)
            for p, at, port, n, address, inner, remotes, name, comment, enabled, lease in rows}


def wrong_states(said, mappings):
    """Of each mapping: where packets go now, and whether it is in force."""
    for m, json_of in zip(said, mappings):
        waiting = m.at is not None and m.at not in naive.WAN
        state = "disabled" if not m.enabled else "waiting" if waiting else None
        if json_of["internal"]["host"] != m.host:
            yield f"{m}: the host is {json_of['internal']['host']}"
        if json_of["state"] != state if state else json_of["state"] not in ("active", "shadowed"):
            yield f"{m}: {json_of['state']}, wanted {state or 'active or shadowed'}"


def settle(client, *states):
    """Waits for leases that are about to end, and says which have: they end in the second
    that they were granted for, and not before it. Return: @states without them"""
    due = {}
    for m in (m for of in states for m in of if m.due):
        early, late = due.get(m, m.due)
        due[m] = min(early, m.due[0]), max(late, m.due[1])
    due = {m: ends for m, ends in due.items() if ends[0] < naive.now() + MARGIN}
    began = naive.now()
    while due:
        there = set(listed(client)[0])
        for m, (early, late) in due.items():
            if m in there and naive.now() > max(late, began) + LATE:
                sys.exit(f"a lease goes on: {m}")
        if not there & set(due):
            break
        time.sleep(0.02)
    return [[m for m in of if m not in due] for of in states]


def agree(client, kernel, model, after):
    model.of = settle(client, model.of)[0]
    said, mappings = listed(client)
    wanted = set(model.of)
    for what, found, want in (("list", set(said), wanted), ("store", stored(), wanted),
                              ("kernel", kernel.mappings(), model.elements())):
        if found != want:
            sys.exit(f"after {after}: the {what} lacks {sorted(map(str, want - found))}"
                     f" and has too much: {sorted(map(str, found - want))}")
    model.learn_ids(said)
    wrong = list(wrong_states(said, mappings))
    if wrong:
        sys.exit(f"after {after}: {wrong}")


def told(reply):
    """The mappings of an answer."""
    answers = reply.get("results", [reply])
    return [naive.of_json(m) for answer in answers for m in answer.get("mappings", [])]


def chosen(model, change, reply):
    """The change as it was understood: with the port that natd chose from the pool."""
    port = reply["mappings"][0]["external"]["port"]
    wanted = model.choice(change)
    fits = port == wanted if wanted else (
        port in naive.POOL and port % 2 == change["internal"]["port"] % 2)
    if not fits:
        sys.exit(f"{change}: natd chose {port}, wanted {wanted or 'one of the pool'}")
    asked = json.loads(json.dumps(change))
    asked["external"]["port"] = port
    return asked


def operate(client, model, change):
    model.of = settle(client, model.of)[0]
    verdict, after = model.judge(change)
    began = naive.now()
    _, reply = client.ask("POST", "/v1/mappings", change)
    got = reply.get("verdict") or reply.get("code")
    if got != verdict:
        sys.exit(f"{change}: {got}, wanted {verdict}: {reply}; there is {model.of}")
    if after is None:
        return got
    if change.get("external", {}).get("port") == "auto":
        verdict, after = model.judge(chosen(model, change, reply))
        if got != verdict:
            sys.exit(f"{change}: {got}, and at the port that was chosen {verdict}: {reply}")
    model.take(after, began)
    model.learn_ids(told(reply))
    return got


def client_truth(client, model):
    """Take the model from the list; store and kernel are still compared with it."""
    model.of = listed(client)[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--go-on", action="store_true", help="the table is not empty")
    args = parser.parse_args()
    dice = random.Random(args.seed + args.go_on)
    client, kernel, model, seen = Client("natd"), Kernel(), naive.Model(), {}
    senders, kinds = Senders(), set()
    if args.go_on:
        client_truth(client, model)
    agree(client, kernel, model, "the start")
    for number in range(args.count):
        # or the few ports are all taken, and little changes any more
        if dice.random() < 0.01:
            client.ask("POST", "/v1/flush")
            model.of = []
        change = some_change(dice, model)
        got = operate(client, model, change)
        seen[got] = seen.get(got, 0) + 1
        agree(client, kernel, model, change)
        kinds.update(element[0] for element in model.elements())
        senders.send(dice)
        if number % 3 == 0:
            senders.agree(model, change)
    print("verdicts:", seen, "kinds:", sorted(kinds), "datagrams:", senders.sent)
    unseen = {"added", "removed", "changed", "unchanged", "conflict", "not-found", "from",
              "forward4", "forward4_at", "forward6", "forward6_at", "pinhole6"} - (
                  kinds | set(seen))
    if unseen:
        sys.exit(f"never seen, so this shows little: {unseen}")


if __name__ == "__main__":
    main()
