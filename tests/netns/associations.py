#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SCTP by packets of our own making, for machines whose kernel speaks none itself.

associations.py serve PORT NAME      answers "NAME heard TEXT from ADDRESS PORT"
associations.py talk ADDRESS PORT [--from PORT] [--timeout SECONDS]
                                     opens an association, prints "open", or "timeout" and
                                     the end; then sends each line of stdin as a message
                                     and prints the answer or "timeout"

As much of RFC 9260 as a connection tracker wants to see: INIT, INIT ACK, COOKIE ECHO,
COOKIE ACK, DATA, tags and the checksum.
"""
import argparse
import socket
import struct
import sys
import time

DATA, INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK = 0, 1, 2, 10, 11
CLIENT_TAG, SERVER_TAG = 0x11111111, 0x22222222


def crc32c_table():
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        yield byte


TABLE = tuple(crc32c_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def chunk(kind, body, flags=0):
    length = 4 + len(body)
    return struct.pack("!BBH", kind, flags, length) + body + bytes(-length % 4)


def init(kind, tag):
    """Window, one stream each way, first number; an INIT ACK has a cookie."""
    cookie = struct.pack("!HH4s", 7, 8, b"cake") if kind == INIT_ACK else b""
    return chunk(kind, struct.pack("!IIHHI", tag, 65536, 1, 1, 1) + cookie)


def data(text):
    return chunk(DATA, struct.pack("!IHHI", 1, 0, 0, 0) + text.encode(), flags=3)


class Endpoint:
    """A port; what comes is (address, port, tag, kind, body of the first chunk)."""

    def __init__(self, family, port):
        self.sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_SCTP)
        self.family, self.port = family, port

    def send(self, address, port, tag, chunks):
        head = struct.pack("!HHI", self.port, port, tag)
        check = struct.pack("<I", crc32c(head + bytes(4) + chunks))
        self.sock.sendto(head + check + chunks, (address, 0))

    def receive(self, deadline=None):
        while True:
            if deadline:
                self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            packet, peer = self.sock.recvfrom(2048)
            if self.family == socket.AF_INET:
                packet = packet[(packet[0] & 15) * 4:]
            source, target, tag, check = struct.unpack("!HHI4s", packet[:12])
            right = struct.pack("<I", crc32c(packet[:8] + bytes(4) + packet[12:]))
            if target == self.port and check == right:
                kind, _, length = struct.unpack("!BBH", packet[12:16])
                return peer[0], source, tag, kind, packet[16:12 + length]


def reply_to(name, address, port, kind, body):
    if kind == INIT:
        return init(INIT_ACK, SERVER_TAG)
    if kind == COOKIE_ECHO:
        return chunk(COOKIE_ACK, b"")
    if kind == DATA:
        return data(f"{name} heard {body[12:].decode()} from {address} {port}")
    return None


def serve(args):
    family = socket.AF_INET6 if args.ipv6 else socket.AF_INET
    endpoint = Endpoint(family, args.port)
    print("ready", flush=True)
    while True:
        address, port, tag, kind, body = endpoint.receive()
        reply = reply_to(args.name, address, port, kind, body)
        if reply and tag == (0 if kind == INIT else SERVER_TAG):
            endpoint.send(address, port, CLIENT_TAG, reply)


def exchange(endpoint, args, tag, chunks, wanted):
    """What the answer of that kind holds. Raises TimeoutError."""
    endpoint.send(args.address, args.port, tag, chunks)
    deadline = time.monotonic() + args.timeout
    while True:
        address, port, tag, kind, body = endpoint.receive(deadline)
        if (address, port, tag, kind) == (args.address, args.port, CLIENT_TAG, wanted):
            return body


def say(endpoint, args, *words):
    try:
        return exchange(endpoint, args, *words)
    except TimeoutError:
        return None


def talk(args):
    family = socket.AF_INET6 if ":" in args.address else socket.AF_INET
    endpoint = Endpoint(family, args.sport)
    if (say(endpoint, args, 0, init(INIT, CLIENT_TAG), INIT_ACK) is None or
            say(endpoint, args, SERVER_TAG, chunk(COOKIE_ECHO, b"cake"), COOKIE_ACK) is None):
        print("timeout", flush=True)
        sys.exit(1)
    print("open", flush=True)
    for line in sys.stdin:
        answer = say(endpoint, args, SERVER_TAG, data(line.strip()), DATA)
        print(answer[12:].decode() if answer else "timeout", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("serve")
    verb.add_argument("port", type=int)
    verb.add_argument("name")
    verb.add_argument("--ipv6", action="store_true")
    verb.set_defaults(run=serve)
    verb = verbs.add_parser("talk")
    verb.add_argument("address")
    verb.add_argument("port", type=int)
    verb.add_argument("--from", dest="sport", type=int, default=40000)
    verb.add_argument("--timeout", type=float, default=0.5)
    verb.set_defaults(run=talk)
    args = parser.parse_args()
    args.run(args)


main()
