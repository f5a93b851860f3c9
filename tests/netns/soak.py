#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The soak: a second's work is some random changes, perhaps a fault, then the comparison of
list, store and kernel, and a client's bytes through a sample of the forwards. Beside it
runs a flood. Runs on the gateway, and starts and kills natd itself."""
import argparse
import ctypes
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time

import operations

HOSTS = {"lan1": ("192.168.1.10", "2001:db8:1::10", "fd00:1::10"),
         "lan2": ("192.168.1.11", "2001:db8:1::11")}
WAN4, WAN6 = "203.0.113.5", "2001:db8:f::5"
# rare, so that lives are long enough to show growth
KILLS = 1 / 150
FLUSHES = 1 / 15
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
        self.figures = []
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

    def connects(self):
        try:
            operations.Client("natd").ask("GET", "/v1/status")
            return True
        except OSError:
            return False

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

    def note(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            anon = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
        self.figures.append((self.start_number, anon, len(os.listdir(f"/proc/{pid}/fd"))))


class Soak:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.natd = Natd()
        self.kernel, self.model = operations.Kernel(), operations.Model()
        self.done = {}

    def count(self, what, n=1):
        self.done[what] = self.done.get(what, 0) + n

    def change(self):
        client = operations.Client("natd")
        # or the few ports are all taken after some minutes, and little changes any more
        if self.dice.random() < FLUSHES:
            client.ask("POST", "/v1/flush")
            self.model.of = {}
            self.count("flush-all")
        for _ in range(self.dice.randrange(1, 12)):
            operations.operate(client, self.model, operations.some_change(self.dice))
            self.count("changes")
        client.close()

    def run(self, *command):
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def fault(self):
        name = self.dice.choice(("flush", "reload", "conntrack", "garbage", "address",
                                 "element", "none", "none"))
        if self.dice.random() < KILLS:
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
        forwards = list(self.model.of.items())
        for (protocol, external, port), ((host, _), _) in self.dice.sample(
                forwards, min(3, len(forwards))):
            address = {"*4": WAN4, "*6": WAN6}.get(external, external)
            wanted = next(name for name, own in HOSTS.items() if host in own)
            got = until(3, lambda: on_host("wan", lambda: dial(protocol, address, port)))
            if got != wanted:
                sys.exit(f"{protocol} {address} {port}: {got} answered, wanted {wanted} ({host})")
            self.count("answers")

    def second(self):
        began = time.monotonic()
        self.change()
        self.fault()
        self.compare()
        self.traffic()
        self.natd.note()
        time.sleep(max(0, 1 - (time.monotonic() - began)))

    def growth(self):
        """Within each life of natd: what it has at the end above what it had when warm."""
        lives = {}
        for number, anon, descriptors in self.natd.figures:
            lives.setdefault(number, []).append((anon, descriptors))
        long = [life for life in lives.values() if len(life) >= 8]
        return (max((life[-1][0] - life[len(life) // 2][0] for life in long), default=0),
                max((life[-1][1] - life[len(life) // 2][1] for life in long), default=0))


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
    end = time.monotonic() + args.seconds
    seconds = 0
    while time.monotonic() < end:
        soak.second()
        seconds += 1
    stop.set()
    flooding.join()
    anon, descriptors = soak.growth()
    soak.natd.stop()
    print(f"{seconds} rounds, {soak.done}; natd's anonymous memory {soak.natd.figures[0][1]} kB"
          f" at first, {soak.natd.figures[-1][1]} kB at the end; growth in the second half of a"
          f" life: {anon} kB, {descriptors} descriptors", flush=True)
    if anon > 1024 or descriptors > 2:
        sys.exit("natd grows")


if __name__ == "__main__":
    main()
