#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients of bad will, and of bad code, do to natd's socket.

hostile.py ABUSE...             each is done to its end; what came of it is printed
hostile.py hold ABUSE...        it is begun, "ready" printed, and kept up until stdin ends
hostile.py time N CMD...        runs CMD N times; prints the median and the longest time, ms

NATD_SOCKET says where. With HOSTILE_UID set the client says that it is that user, which a
natd with tests/fake/peer_uid.c believes.
"""
import collections
import os
import random
import re
import select
import socket
import subprocess
import sys
import time

PATIENCE = 60
NAMES = iter(range(10**9))
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})")
LINES = (b"POST /v1/mappings HTTP/1.1\r\nHost: natd\r\nContent-Type: application/x-ndjson\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n")
STATUS_PLEASE = b"GET /v1/status HTTP/1.1\r\nHost: natd\r\n\r\n"


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    uid = os.environ.get("HOSTILE_UID")
    if uid:
        client.bind(f"\0uid-{uid}-{os.getpid()}-{next(NAMES)}")
    client.connect(os.environ["NATD_SOCKET"])  # waits for room in natd's queue
    client.settimeout(PATIENCE)
    return client


def push(client, data):
    """Returns whether all of it was taken."""
    try:
        client.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def answer(client):
    """All that comes until the end; a client that natd lets wait is natd's fault."""
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status(data):
    found = STATUS.match(data)
    return found.group(1).decode() if found else "closed"


def end(client):
    """Say no more, and hear what there is to hear."""
    try:
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    heard = status(answer(client))
    client.close()
    return heard


def garbage():
    """Bytes of chance, and requests with some bytes changed."""
    dice = random.Random(1)
    whole = LINES + b'1d\r\n{"action":"remove","id":9999}\n\r\n0\r\n\r\n' + STATUS_PLEASE
    for i in range(300):
        data = bytearray(whole if i % 2 else dice.randbytes(dice.randrange(1, 4000)))
        for _ in range(dice.randrange(1, 5)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        client = connect()
        push(client, data)
        # libmicrohttpd does not see an end that comes together with half a request until
        # its time is up: so nobody waits for it here
        readable = select.select([client], [], [], 0.05)[0]
        yield status(client.recv(65536)) if readable else "silence"
        client.close()


def halves():
    """Every beginning of a request, and then nobody."""
    for n in range(1, len(LINES) + 30, 2):
        client = connect()
        push(client, (LINES + b'70\r\n{"protocol":"tcp","external":{"port":9000}')[:n])
        client.close()
        yield "gone"


def heads():
    """A megabyte of head, and a megabyte of path."""
    for i in range(40):
        client = connect()
        if i % 2:
            push(client, b"GET /v1/status HTTP/1.1\r\n" + b"X-Long: " + b"a" * 1000000)
        else:
            push(client, b"GET /" + b"a" * 1000000)
        yield end(client)


def endless():
    """A body that never ends, until natd has had enough."""
    line = b'{"action":"remove","id":99999}\n' * 2000
    for kind in (b"application/x-ndjson", b"application/json"):
        client = connect()
        push(client, LINES.replace(b"application/x-ndjson", kind))
        chunk = f"{len(line):x}\r\n".encode() + line + b"\r\n"
        for _ in range(10000):
            if not push(client, chunk):
                break
        else:
            yield "natd took everything"
        yield end(client)


def pipeline():
    """Hundreds of requests at once, and nobody who reads the answers; then somebody."""
    for i in range(6):
        client = connect()
        client.setblocking(False)
        sent = 0
        data = STATUS_PLEASE * 300
        while sent < len(data) and select.select([], [client], [], 0.2)[1]:
            sent += client.send(data[sent:sent + 65536])
        client.setblocking(True)
        if i % 2:
            client.close()
            yield "gone"
            continue
        client.settimeout(PATIENCE)
        client.shutdown(socket.SHUT_WR)
        heard = answer(client)
        client.close()
        yield f"{status(heard)}" if heard.count(b"HTTP/1.1 200") == sent // len(
            STATUS_PLEASE) else f"{heard.count(b'HTTP/1.1 200')} of {sent}"


def large():
    """Lists of 60,000 changes: one that is refused at its end, from several at once."""
    body = b"".join(b'{"protocol":"tcp","external":{"port":%d},"internal":'
                    b'{"address":"192.168.1.10","port":80}}\n' % port
                    for port in range(1024, 61024)) + b'{"action":"explode"}\n'
    head = LINES.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body))
    clients = [connect() for _ in range(3)]
    for client in clients:
        push(client, head)
    for at in range(0, len(body), 65536):
        for client in clients:
            push(client, body[at:at + 65536])
    for client in clients:
        yield end(client)


def lists():
    """Everybody wants the list at once, and hangs up in the middle of it."""
    for _ in range(3):
        clients = [connect() for _ in range(60)]
        for client in clients:
            push(client, b"GET /v1/mappings HTTP/1.1\r\nHost: natd\r\n\r\n" * 20)
        for client in clients:
            client.recv(1)
            client.close()
        yield "gone"


def idle():
    """Connects a thousand times and says nothing. Yields what natd says by itself."""
    clients = [connect() for _ in range(1000)]
    told, deadline = [], time.monotonic() + PATIENCE
    while len(told) < 1000 - 64 and time.monotonic() < deadline:
        told = select.select(clients, [], [], 0.1)[0]
    for client in clients:
        yield status(client.recv(65536)) if client in told else client


def drip():
    """As many bodies as one may have, a byte a second each."""
    for _ in range(60):
        client = connect()
        push(client, LINES.replace(b"Transfer-Encoding: chunked", b"Content-Length: 9000"))
        yield client


def hammer():
    """Connects and connects, and never stays."""
    while True:
        client = connect()
        yield client
        client.close()


def unread():
    """Asks for all there is, and reads nothing."""
    for _ in range(60):
        client = connect()
        client.setblocking(False)
        try:
            client.send(b"GET /v1/mappings HTTP/1.1\r\nHost: natd\r\n\r\n" * 1000)
        except BlockingIOError:
            pass
        yield client


ABUSES = {f.__name__: f for f in (garbage, halves, heads, endless, pipeline, large, lists,
                                  idle, drip, hammer, unread)}


def do(name):
    heard = collections.Counter()
    held = []
    for outcome in ABUSES[name]():
        if isinstance(outcome, str):
            heard[outcome] += 1
        else:
            heard["held"] += 1
            held.append(outcome)
    print(f"{name}:", ", ".join(f"{n} {what}" for what, n in sorted(heard.items())), flush=True)
    return held


def told_to_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def hold(names):
    held = [client for name in names if name != "hammer" for client in do(name)]
    print("ready", flush=True)
    if "hammer" in names:
        for _ in hammer():
            if told_to_end():
                return
    while not select.select([sys.stdin], [], [], 1)[0]:
        for client in held if "drip" in names else []:
            push(client, b" ")


def timed(count, command):
    times = []
    for _ in range(count):
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - start) * 1000)
    times.sort()
    print(f"{times[len(times) // 2]:.0f} {times[-1]:.0f}")


def main(words):
    if words[0] == "time":
        timed(int(words[1]), words[2:])
    elif words[0] == "hold":
        hold(words[1:])
    else:
        for name in words:
            do(name)


if __name__ == "__main__":
    main(sys.argv[1:])
