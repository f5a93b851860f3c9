#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server that answers as well or as ill as the name that it is asked for says.

    names.py ADDRESS [--zone FILE]

The first part of a name is how it is answered: "loop.example.org" with aliases that lead to each
other. FILE, which is read anew for each question, says so of other names, and with what: lines of
NAME MODE [LIFETIME] [ADDRESS...]. What neither knows is not there. Listens on ADDRESS, port 53, UDP
and TCP, says "ready" when it does, and "asked NAME" of each question; ends when its stdin does.
"""
import argparse
import socket
import struct
import sys
import threading
import time

PORT, HEADER, CLASS_IN = 53, 12, 1
TYPE_A, TYPE_CNAME, TYPE_AAAA = 1, 5, 28
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5
ADDRESS = "9.8.7.6"


def encode(name):
    labels = [part.encode() for part in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def record(name, kind, lifetime, data):
    return encode(name) + struct.pack(">HHIH", kind, CLASS_IN, lifetime, len(data)) + data


def addresses(name, lifetime, texts):
    return [record(name, TYPE_A, lifetime, socket.inet_aton(text)) for text in texts]


class Question:
    def __init__(self, packet):
        self.id, = struct.unpack(">H", packet[:2])
        at, labels = HEADER, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
            at += 1 + packet[at]
        self.name = ".".join(labels)
        self.bytes = packet[HEADER:at + 5]

    def answer(self, records=(), code=0, flags=0, number=None):
        number = self.id if number is None else number
        head = struct.pack(">HHHHHH", number, 0x8180 | flags | code, 1, len(records), 0, 0)
        return head + self.bytes + b"".join(records)


def well(q, lifetime, texts):
    return q.answer(addresses(q.name, lifetime, texts or [ADDRESS]))


def alias(q, lifetime, texts):
    return q.answer([record(q.name, TYPE_CNAME, lifetime // 2, encode("real.example.net")),
                     *addresses("real.example.net", lifetime, texts or [ADDRESS])])


def loop(q, lifetime, texts):
    return q.answer([record(q.name, TYPE_CNAME, lifetime, encode("other.example.net")),
                     record("other.example.net", TYPE_CNAME, lifetime, encode(q.name))])


def pointers(q, lifetime, texts):
    """A name in an answer that leads to itself."""
    return q.answer([struct.pack(">HHHIH", 0xc000 | HEADER + len(q.bytes), TYPE_A, CLASS_IN,
                                 lifetime, 4) + socket.inet_aton(ADDRESS)])


MODES = {
    "well": well,
    "alias": alias,
    "loop": loop,
    "pointers": pointers,
    "silent": lambda q, lifetime, texts: None,
    "unknown": lambda q, lifetime, texts: q.answer(code=NXDOMAIN),
    "none": lambda q, lifetime, texts: q.answer(),
    "fails": lambda q, lifetime, texts: q.answer(code=SERVFAIL),
    "refuses": lambda q, lifetime, texts: q.answer(code=REFUSED),
    "reserved-code": lambda q, lifetime, texts: q.answer(code=15),
    "garbage": lambda q, lifetime, texts: b"\xff" * 40,
    "garbage-behind": lambda q, lifetime, texts: q.answer([b"\xff" * 200]),
    "truncated": lambda q, lifetime, texts: well(q, lifetime, texts)[:-3],
    "head-only": lambda q, lifetime, texts: well(q, lifetime, texts)[:HEADER],
    "counts-more": lambda q, lifetime, texts: q.answer()[:6] + b"\xff\xff" + q.answer()[8:],
    "wrong-id": lambda q, lifetime, texts:
        q.answer(addresses(q.name, lifetime, [ADDRESS]), number=q.id ^ 1),
    "wrong-question": lambda q, lifetime, texts:
        well(Question(q.answer()[:HEADER] + encode("x" + q.name[1:]) + q.bytes[-4:]), lifetime, texts),
    "huge-lifetime": lambda q, lifetime, texts: well(q, 0xffffffff, texts),
    "no-lifetime": lambda q, lifetime, texts: well(q, 0, texts),
    "loopback": lambda q, lifetime, texts: well(q, lifetime, ["127.0.0.1"]),
    "odd-addresses": lambda q, lifetime, texts:
        well(q, lifetime, ["0.0.0.0", "127.0.0.53", "224.0.0.1", "255.255.255.255", "240.0.0.1",
                           "169.254.1.1"]),
    "one-good": lambda q, lifetime, texts: well(q, lifetime, ["127.0.0.1", ADDRESS, ADDRESS]),
    "many": lambda q, lifetime, texts: well(q, lifetime, ["9.8.7.%d" % i for i in range(1, 25)]),
    "short-address": lambda q, lifetime, texts:
        q.answer([record(q.name, TYPE_A, lifetime, b"\1\2\3")]),
    "long-address": lambda q, lifetime, texts:
        q.answer([record(q.name, TYPE_A, lifetime, b"\1" * 16)]),
    "other-kind": lambda q, lifetime, texts:
        q.answer([record(q.name, TYPE_AAAA, lifetime, b"\x20\1" + bytes(14))]),
    "by-tcp": well,
    "drip": well,
    "endless": well,
}
BY_TCP = ("by-tcp", "drip", "endless")


def entry(name, zone):
    if zone:
        with open(zone, encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                if words and words[0] == name:
                    return words[1], int(words[2]) if len(words) > 2 else 300, words[3:]
    mode = name.split(".")[0]
    return mode if mode in MODES else "unknown", 300, []


def asked(packet, zone):
    q = Question(packet)
    print("asked", q.name, flush=True)
    return q, *entry(q.name, zone)


def serve_udp(sock, zone):
    while True:
        packet, peer = sock.recvfrom(65535)
        q, mode, lifetime, texts = asked(packet, zone)
        answer = q.answer(flags=0x200) if mode in BY_TCP else MODES[mode](q, lifetime, texts)
        if answer:
            sock.sendto(answer, peer)


def serve_connection(connection, zone):
    length, = struct.unpack(">H", connection.recv(2, socket.MSG_WAITALL))
    q, mode, lifetime, texts = asked(connection.recv(length, socket.MSG_WAITALL), zone)
    answer = MODES[mode](q, lifetime, texts)
    connection.sendall(struct.pack(">H", len(answer) if mode == "by-tcp" else 0xffff))
    if mode == "by-tcp":
        connection.sendall(answer)
    while mode == "drip":
        connection.sendall(b"\0")
        time.sleep(1)
    while mode == "endless":
        connection.sendall(bytes(65536))


def serve_tcp(sock, zone):
    def serve(connection):
        try:
            serve_connection(connection, zone)
        except OSError:
            pass
        connection.close()

    while True:
        threading.Thread(target=serve, args=(sock.accept()[0],), daemon=True).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--zone")
    args = parser.parse_args()
    family = socket.AF_INET6 if ":" in args.address else socket.AF_INET
    where = socket.getaddrinfo(args.address, PORT, family)[0][4]
    udp = socket.socket(family, socket.SOCK_DGRAM)
    tcp = socket.socket(family, socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(where)
    tcp.bind(where)
    tcp.listen()
    for serve, sock in ((serve_udp, udp), (serve_tcp, tcp)):
        threading.Thread(target=serve, args=(sock, args.zone), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
