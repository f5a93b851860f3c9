# SPDX-License-Identifier: GPL-2.0-or-later
"""Transcripts (tests/fake/transcript.c) as exchanges: a request and its response.

A client that does not speak HTTP properly makes it a matter of opinion where a request
ends. From the first byte on that is not plainly HTTP its exchanges have no request.
"""
import re

HEAD_MAX = 32 * 1024  # SERVER_CONNECTION_MEMORY: more does not fit
REQUEST = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~]*?)[ \t]*")
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) [ -~]*")


class NotHttp(Exception):
    """What stands there is no request that all would read alike."""


class CutOff(Exception):
    """The bytes end before the message does. With the part of a body that did come."""


class Message:
    """A request (method, target) or response (status), its fields in lower case, body."""

    def __init__(self, start, fields):
        self.start, self.fields, self.body = start, fields, b""
        self.whole = True

    def field(self, name):
        return self.fields.get(name, b"").decode("latin-1")


class Exchange:
    """request: None where the client said nothing that could be one; wild: see above"""

    def __init__(self, request, response, wild):
        self.request, self.response, self.wild = request, response, wild


def connections(path):
    """Yields (name, from the client, to the client) of each connection in a transcript."""
    streams = {}
    data = path.read_bytes()
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            break  # natd was killed while it wrote
        process, number, direction, length = data[at:end].split()
        start, at = end + 1, end + 2 + int(length)
        stream = streams.setdefault((process, number), {b"<": [], b">": []})
        stream[direction].append(data[start:at - 1])
    for (process, number), stream in streams.items():
        name = f"{path.name} {process.decode()}/{number.decode()}"
        yield name, b"".join(stream[b"<"]), b"".join(stream[b">"])


def read_head(data, at, start_line):
    """The message without its body, and where that begins."""
    end = data.find(b"\r\n\r\n", at)
    if end < 0:
        raise CutOff
    lines = data[at:end].split(b"\r\n")
    match = start_line.fullmatch(lines[0])
    if not match or end - at > HEAD_MAX:
        raise NotHttp
    fields = {}
    for line in lines[1:]:
        field = FIELD.fullmatch(line)
        if not field or field.group(1).lower() in fields:
            raise NotHttp
        fields[field.group(1).lower().decode()] = field.group(2)
    return Message(match.groups(), fields), end + 4


def read_chunks(data, at):
    """The body, and where the next message begins. Without extensions and trailers."""
    parts = []
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            raise CutOff(b"".join(parts))
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", data[at:end]):
            raise NotHttp
        length = int(data[at:end], 16)
        at = end + 2 + length + 2
        if at > len(data):
            raise CutOff(b"".join(parts))
        if data[at - 2:at] != b"\r\n":
            raise NotHttp
        parts.append(data[end + 2:at - 2])
        if not length:
            return b"".join(parts), at


def read_body(message, data, at, rest_without_length):
    """Sets the body. Returns where the next message begins."""
    length = message.field("content-length")
    if "transfer-encoding" in message.fields:
        if length or message.field("transfer-encoding").lower() != "chunked":
            raise NotHttp
        message.body, at = read_chunks(data, at)
        return at
    if not length:
        message.body = data[at:] if rest_without_length else b""
        return at + len(message.body)
    if not re.fullmatch("[0-9]{1,15}", length):
        raise NotHttp
    message.body = data[at:at + int(length)]
    if len(message.body) < int(length):
        raise CutOff
    return at + int(length)


def requests(data):
    """The requests, and whether something follows them that is not one, or half a one."""
    found, at = [], 0
    while at < len(data):
        if data.startswith(b"\r\n", at):
            at += 2
            continue
        message = None
        try:
            message, start = read_head(data, at, REQUEST)
            at = read_body(message, data, start, False)
        except CutOff:
            if message:
                message.whole = False
                found.append(message)
            return found, not message
        except NotHttp:
            return found, True
        found.append(message)
    return found, False


def responses(data, asked):
    """The final responses; asked: the requests, for what has no body."""
    found, at = [], 0
    while at < len(data):
        try:
            message, at = read_head(data, at, STATUS)
        except CutOff:
            return found  # hung up in the middle of a head
        if message.start[0].startswith(b"1"):
            continue
        found.append(message)
        request = asked[len(found) - 1] if len(found) <= len(asked) else None
        if request and request.start[0] == b"HEAD":
            continue
        try:
            at = read_body(message, data, at, True)
        except CutOff as cut:
            message.whole = False
            message.body = cut.args[0] if cut.args else b""
            return found
    return found


def exchanges(client, server):
    """NotHttp where natd's side is none: that is natd's fault whatever the client said."""
    asked, wild = requests(client)
    answers = responses(server, asked)
    for i, answer in enumerate(answers):
        yield Exchange(asked[i] if i < len(asked) else None, answer, wild and i >= len(asked))
