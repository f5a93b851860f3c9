#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The soak: a second's work is some random changes, perhaps a fault, then the comparison of
list, store and kernel, and a client's bytes through a sample of the forwards. Beside it
runs a flood. Runs on the gateway, and starts and kills natd itself. Growth is what is there
at the end above what was there when natd's ring of events had just filled up."""
import argparse
import ctypes
import json
import os
import random
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import model as naive
import operations

HOSTS = {"lan1": ("192.168.1.10", "2001:db8:1::10", "fd00:1::10"),
         "lan2": ("192.168.1.11", "2001:db8:1::11")}
WAN4, WAN6 = "203.0.113.5", "2001:db8:f::5"
# in the first tenth only: behind it is one life, long enough to fill up and to stay so, with
# 20 events a second of a busy machine as well
KILLS = 1 / 10
KILLING = 1 / 10
FLUSHES = 1 / 5
# how many natd keeps for /v1/events
EVENTS_KEPT = 4096
# from here on a run must fill that up in its first third
LONG = 900
libc = ctypes.CDLL(None, use_errno=True)


def enter(host):
    """This thread goes over to another host."""
    with open(f"/run/netns/{host}", "rb") as netns:
        if libc.setns(netns.fileno(), 0):
            sys.exit(f"setns {host}: {os.strerror(ctypes.get_errno())}")


def on_host(host, work):
    """Runs work() on @host, in a thread that lives no longer."""
    result = []

    def run():
        enter(host)
        result.append(work())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return result[0] if result else None


def listeners(host):
    """A TCP and a UDP socket for each port and address: answers leave from the address dialled."""
    for address in HOSTS[host]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        for port in operations.PORTS:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                sock = socket.socket(family, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(64)
                yield sock


def serve(host):
    enter(host)
    ready = selectors.DefaultSelector()
    for sock in listeners(host):
        ready.register(sock, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            try:
                if key.fileobj.type == socket.SOCK_STREAM:
                    conn, _ = key.fileobj.accept()
                    with conn:
                        conn.sendall(host.encode())
                else:
                    _, peer = key.fileobj.recvfrom(2048)
                    key.fileobj.sendto(host.encode(), peer)
            except OSError:
                pass


def flood(stop):
    """Datagrams to forwarded and to closed ports from ever other source ports, 500 a second."""
    enter("wan")
    port = 20000
    while not stop.wait(0.1):
        for _ in range(50):
            port = 20000 + (port - 20000 + 1) % 30000
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                try:
                    sock.bind(("", port))
                    sock.sendto(b"flood", (WAN4, random.choice(operations.PORTS + (1, 2))))
                except OSError:
                    pass


def dial(protocol, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    try:
        with socket.socket(family, kind) as sock:
            sock.settimeout(0.7)
            sock.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                sock.send(b"?")
            return sock.recv(64).decode()
    except OSError:
        return None


def until(seconds, question):
    """Asks until the answer is true; the last answer."""
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer


class Natd:
    """The daemon, and what it takes of the machine."""

    def __init__(self):
        self.process, self.start_number = None, 0
        self.figures, self.first_event = [], 0
        self.start()

    def start(self):
        log = open("/run/natd.log", "ab")
        self.process = subprocess.Popen(
            [os.environ["NATD"], "--config", "/run/natd.conf", "--state", "/run/state",
             "--socket", os.environ["NATD_SOCKET"]], stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self.start_number += 1
        if not until(10, self.connects):
            sys.exit("natd does not answer after its start")
        self.first_event = self.last_event()

    def connects(self):
        try:
            operations.Client("natd").ask("GET", "/v1/status")
            return True
        except OSError:
            return False

    def last_event(self):
        """The number of the newest event."""
        client = operations.Client("natd")
        client.request("GET", "/v1/events")
        number = json.loads(client.getresponse().readline())["seq"]
        client.close()
        return number

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def stop(self):
        self.process.terminate()
        if self.process.wait(20):
            sys.exit(f"natd ended with status {self.process.returncode}")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def note(self, second):
        pid = self.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            anon = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.figures.append(Figures(self.start_number, second, anon, descriptors, store_size(),
                                    self.last_event() - self.first_event))


class Figures:
    """What natd had in one second; @life: how often it had been started."""

    def __init__(self, life, second, anon, descriptors, store, events):
        self.life, self.second, self.events = life, second, events
        self.anon, self.descriptors, self.store = anon, descriptors, store

    def __str__(self):
        return (f"second {self.second}: {self.anon} kB anonymous, {self.descriptors} descriptors,"
                f" store {self.store} kB, {self.events} events")


def store_size():
    return sum(os.stat(entry).st_size for entry in os.scandir("/run/state")) // 1024


class Soak:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.natd = Natd()
        self.kernel, self.model = operations.Kernel(), naive.Model()
        self.done = {}

    def count(self, what, n=1):
        self.done[what] = self.done.get(what, 0) + n

    def change(self):
        client = operations.Client("natd")
        # or the few ports are all taken after some minutes, and little changes any more
        if self.dice.random() < FLUSHES:
            client.ask("POST", "/v1/flush")
            self.model.of = []
            self.count("flush-all")
        for _ in range(self.dice.randrange(1, 100)):
            change = operations.some_change(self.dice, self.model)
            operations.operate(client, self.model, change)
            self.count("changes")
        client.close()

    def run(self, *command):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def fault(self, killing):
        name = self.dice.choice(("flush", "reload", "conntrack", "garbage", "address",
                                 "element", "none", "none"))
        if killing and self.dice.random() < KILLS:
            name = "kill"
        self.count(name)
        getattr(self, "fault_" + name)()

    def fault_none(self):
        pass

    def fault_flush(self):
        self.run("nft", "flush", "ruleset")

    def fault_kill(self):
        self.natd.kill()

    def fault_reload(self):
        self.natd.reload()

    def fault_conntrack(self):
        self.run("conntrack", "-F")

    def fault_garbage(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.environ["NATD_SOCKET"])
            sock.sendall(self.dice.randbytes(self.dice.randrange(1, 3000)))

    def fault_address(self):
        self.run("ip", "addr", "add", "203.0.113.77/24", "dev", "wan0")
        self.run("ip", "addr", "del", "203.0.113.77/24", "dev", "wan0")

    def fault_element(self):
        self.run("nft", "add element inet natd forward4 { tcp . 4444 : 192.168.1.10 . 44 }")

    def disagreement(self):
        """None when list, store and kernel say the same as the model."""
        client = operations.Client("natd")
        try:
            operations.agree(client, self.kernel, self.model, "a second")
        except SystemExit as what:
            return str(what)
        finally:
            client.close()
        return None

    def compare(self):
        if not until(2, lambda: self.disagreement() is None):
            sys.exit(self.disagreement() or "list, store and kernel agreed only after 2 s")
        self.count("comparisons")

    def traffic(self):
        """Whom a client reaches through some of the mappings, by the model's naive walk."""
        for m in self.dice.sample(self.model.of, min(5, len(self.model.of))):
            family = "6" if ":" in m.address else "4"
            address = m.host if m.is_pinhole else WAN6 if family == "6" else WAN4
            port = self.dice.choice(m.ports)
            remote = operations.REMOTES[family]
            served = self.model.served_by(m.protocol, remote, address, port)
            if not served or served[1] not in operations.PORTS:
                continue
            wanted = next(name for name, own in HOSTS.items() if served[0] in own)
            got = until(3, lambda: on_host("wan", lambda: dial(m.protocol, address, port)))
            if got != wanted:
                sys.exit(f"{m.protocol} {address} {port}: {got} answered, wanted {wanted}"
                         f" ({served})")
            self.count("answers")

    def second(self, second, killing):
        began = time.monotonic()
        self.change()
        self.fault(killing)
        self.compare()
        self.traffic()
        self.natd.note(second)
        time.sleep(max(0, 1 - (time.monotonic() - began)))

    def settled(self):
        """The figures of the last life from when the events were full; where they never were,
        of its second half."""
        last = [f for f in self.natd.figures if f.life == self.natd.start_number]
        return [f for f in last if f.events >= EVENTS_KEPT] or last[len(last) // 2:]


def growth(figures, what):
    """Medians: a moment's client or answer is no growth."""
    n = len(figures) // 10 + 1
    values = [getattr(f, what) for f in figures]
    return statistics.median(values[-n:]) - statistics.median(values[:n])


def judge(soak, seconds):
    figures = soak.settled()
    full = figures[0].events >= EVENTS_KEPT
    anon, descriptors = growth(figures, "anon"), growth(figures, "descriptors")
    print(f"{len(soak.natd.figures)} rounds, {soak.done}", "at first, "
          + str(soak.natd.figures[0]), f"the events {'' if full else 'never '}full, {figures[0]}",
          f"halfway from there, {figures[len(figures) // 2]}", f"at the end, {figures[-1]}",
          f"growth from there: {anon:g} kB, {descriptors:g} descriptors;"
          f" most at once {max(f.anon for f in figures)} kB,"
          f" {max(f.descriptors for f in figures)} descriptors", sep="\n", flush=True)
    if seconds >= LONG and (not full or figures[0].second > seconds / 3):
        sys.exit("the events were not full in the first third, so this shows little")
    if anon > (256 if full else 2048) or descriptors > 1:
        sys.exit("natd grows")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    print("seed", args.seed, flush=True)
    for host in HOSTS:
        threading.Thread(target=serve, args=(host,), daemon=True).start()
    stop = threading.Event()
    flooding = threading.Thread(target=flood, args=(stop,), daemon=True)
    soak = Soak(args.seed)
    flooding.start()
    began = time.monotonic()
    while (second := time.monotonic() - began) < args.seconds:
        soak.second(int(second), second < args.seconds * KILLING)
    stop.set()
    flooding.join()
    soak.natd.stop()
    judge(soak, args.seconds)


if __name__ == "__main__":
    main()
