#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for natd: its API (docs/api.md) on a UNIX socket, with no kernel behind it.

    with FakeNatd("/tmp/api.sock") as natd: ...
    natd_api.py /tmp/api.sock [FAULT]           by hand

With a FAULT it misbehaves in that way; FAULTS lists them.
"""

import http.server
import json
import socketserver
import sys
import threading
import urllib.parse

STATUS = {
    "version": "0.1.0",
    "pid": 812,
    "started": "2025-01-31T12:00:00Z",
    "protection": "owned",
    "table_since": "2025-01-31T12:00:00Z",
    "sequence": 42,
    "mappings": 5,
    "capacity": 65535,
    "forwarding": {"ipv4": True, "ipv6": False},
    "wan": [
        {"interface": "wan0", "present": True, "up": True, "mtu": 1500,
         "addresses": ["203.0.113.5", "2001:db8:f::5"]}
    ],
    "lan": [{"interface": "lan0", "present": False, "up": False, "mtu": 0, "addresses": []}],
    "clamp": "route",
    "accounting": False,
    "protocols": {"tcp": True, "udp": True, "sctp": True, "udplite": False, "dccp": False},
    "pool": [{"ports": "49152-65535", "size": 16384, "used": {"tcp": 12, "udp": 3}}],
    "snat": [{"source": "192.168.2.0/24", "to": "203.0.113.7", "one_to_one": False},
             {"source": "192.168.1.9/32", "to": "203.0.113.8", "one_to_one": True}],
    "ending": {"pending": 2, "problem": "the kernel is busy"},
    "upstream": {"enabled": False, "policy": "all", "wans": [], "workers": []},
    "confined": {"seccomp": True, "landlock": True},
    "refused": 1234567, "spoofed": 0, "invalid": 3,
    "foreign_chains": ["ip filter FORWARD (hook forward, policy drop)"],
    "repairs": {"count": 2, "last": {"at": "2025-01-31T12:00:00Z", "pid": 4711,
                                     "process": "nft\u001b[31m"}},
    "problems": ["net.ipv6.conf.all.forwarding is off."],
}
TITLES = {400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict",
          413: "Content Too Large", 422: "Unprocessable Content", 507: "Insufficient Storage",
          503: "Service Unavailable"}
LIVE = ("state", "endpoints", "connections", "connections_total", "bytes_in", "bytes_out",
        "blocked_by", "shadowed_by", "listeners")


def ok(kind, text, extra=""):
    """An answer as bytes, for those that misbehave."""
    return (f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{extra}"
            f"Content-Length: {len(text)}\r\n\r\n{text}").encode()


def problem_text(status, code, detail, cure=None, index=None, **more):
    doc = {"type": "about:blank", "title": TITLES[status], "status": status, "code": code,
           "detail": detail, **more}
    if cure:
        doc["cure"] = cure
    if index is not None:
        doc["index"] = index
    return json.dumps(doc, separators=(",", ":")) + "\n"


def problem_bytes(status, code, detail, cure=None):
    text = problem_text(status, code, detail, cure)
    return (f"HTTP/1.1 {status} {TITLES[status]}\r\nContent-Type: application/problem+json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}").encode()


JSON = "application/json"
MAPPING = ('{"id":7,"name":null,"protocol":"tcp","external":{"address":null,"port":80},'
           '"internal":{"address":"192.168.1.10","port":80},"origin":"admin","owner":"uid:0",'
           '"enabled":true,"created":"2025-01-31T12:00:00Z"}')
# what is sent back for every request, whatever it is; then the connection is closed
FAULTS = {
    "html": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\n404\n",
    "html-200": ok("text/html", "<html>"),
    "empty-404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "hangup": b"",
    "half-head": b"HTTP/1.1 200 OK\r\nContent-",
    "half-body": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Content-Length: 1000\r\n\r\n{\"verdict\"",
    "half-chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\nff\r\n{\"id\"",
    "bad-chunk": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two-lengths": ok(JSON, "{}", "Content-Length: 3\r\n"),
    "long-head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    "no-json": ok(JSON, "hello"),
    "odd-json": ok(JSON, '{"x":1}'),
    "odd-ndjson": ok("application/x-ndjson", "[1]\n"),
    "long-line": ok("application/x-ndjson", "[" + " " * 20000 + "]\n"),
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
               + ok(JSON, '{"verdict":"added","mappings":[' + MAPPING + '],"ended":0}'),
    "to-close": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
                b'{"verdict":"added","mappings":[' + MAPPING.encode() + b'],"ended":0}',
    "busy": problem_bytes(503, "busy", "The outcome of another change is unknown.",
                          "Try again later."),
    "new-refusal": problem_bytes(422, "brand-new", "The moon is full.", "Wait."),
    "escape": problem_bytes(409, "conflict", "taken by \u001b[2J\u009b2J\nme."),
}


class FakeNatd:
    """The table, and a server for it. @answer: bytes sent for every request instead."""

    def __init__(self, path, answer=None, silent=False, early=None, deaf=False,
                 forgetful=False):
        self.path, self.answer, self.silent, self.early = path, answer, silent, early
        # early: bytes sent before the body is read; deaf: nor the head, and then it closes
        self.deaf = deaf
        # forgetful: closes after each answer without having said so
        self.forgetful = forgetful
        # connections could not be ended: said with every change
        self.pending = {}
        self.mappings, self.next_id, self.connections, self.requests = [], 7, 0, []
        self.status, self.lock, self.stopping = STATUS, threading.Lock(), threading.Event()
        # addresses of the WAN; programs that listen, by protocol and port; live connections
        self.wan, self.listeners, self.flows = ["203.0.113.5"], {}, []
        # live fields of what is asked of the router above us; None: nobody is asked
        self.router = None
        # of each request for events: lines, bytes that are sent as they are, and functions
        # that are called; at the end it is waited, after None hung up
        self.streams = []
        # counts connections that are over
        self.closed = threading.Semaphore(0)

    def __enter__(self):
        natd = self

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads, block_on_close, request_queue_size = True, False, 64

            def close_request(self, request):
                super().close_request(request)
                natd.closed.release()

        class Bound(Handler):
            pass

        Bound.natd = natd
        self.server = Server(self.path, Bound)
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    # the table

    def fill(self, n):
        """@n forwards, as many as wanted, without asking."""
        for i in range(n):
            self.put("tcp", i % 65535 + 1, f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 80, None)

    def put(self, protocol, port, address, internal_port, name, external=None, n=1):
        suffix = address.startswith("::")
        m = {"id": self.next_id, "name": name, "protocol": protocol,
             "external": {"address": external, "port": port, "end_port": port + n - 1},
             "internal": {"address": address, "port": internal_port,
                          "end_port": internal_port + n - 1, "interface": None,
                          "host": None if suffix else address},
             "from": [], "origin": "admin", "owner": "uid:0", "enabled": True, "comment": None,
             "created": "2025-01-31T12:00:00Z", "changed": "2025-01-31T12:00:00Z",
             "changed_by": "uid:0", "lease": None, "state": "active", "endpoints": [],
             "connections": 3, "connections_total": 1041, "bytes_in": None, "bytes_out": None,
             "blocked_by": [], "shadowed_by": [], "listeners": [], "upstream": self.upstream()}
        self.next_id += 1
        self.mappings.append(m)
        self.settle(m)
        return m

    def upstream(self, wish=None):
        wish = wish or "default"
        if wish == "no" or not self.router:
            return {"wish": wish, "state": "off", "problem": None}
        return {"wish": wish, "interface": "wan0", "protocol": "pcp", "external": None,
                "expires": None, "renews": None, "problem": None, **self.router}

    def settle(self, m):
        """What a gateway with our addresses makes of it."""
        given, host = m["external"]["address"], m["internal"]["host"]
        there = (host and (given in (None, host) or given in self.wan)
                 and (m["upstream"]["wish"] != "required" or m["upstream"]["state"] == "mapped"))
        m["state"] = ("disabled" if not m["enabled"] else "active" if there else "waiting")
        m["endpoints"] = [f"{a}:{m['external']['port']}" for a in self.wan
                          if m["state"] == "active" and given in (None, a)]

    @staticmethod
    def lease(seconds):
        return {"lifetime": seconds, "remaining": seconds,
                "expires": "2035-01-31T13:00:00Z"} if seconds else None

    def check_free(self, change, protocol, port, target):
        """Return: the mapping that is there already, or None."""
        held = next((m for m in self.mappings if m["protocol"] == protocol
                     and m["external"]["port"] == port), None)
        listener = self.listeners.get((protocol, port))
        if held and (held["internal"]["address"], held["internal"]["port"]) != target:
            raise Refusal(409, "conflict",
                          f'{protocol} {port} is taken by "{held["name"]}" -> '
                          f'{held["internal"]["address"]}:{held["internal"]["port"]} '
                          "(added by admin, 3 days ago).",
                          "Remove it first, or choose another port.")
        if listener and not held and not change.get("force"):
            raise Refusal(409, "port-in-use",
                          f"{protocol} {port} is used by a program of this machine that "
                          f"listens on {listener['address']}:{port}.",
                          "Choose another port, or take it with --force.",
                          listeners=[listener])
        return held

    def add(self, change):
        """Return: verdict, mappings, ended and more, or raises Refusal."""
        mappings, verdict, shadows = [], "unchanged", []
        internal, external = change["internal"], change["external"]
        for protocol in sorted(change["protocol"].split(",")):
            port = external["port"] or 50000
            to = internal.get("port", port)
            held = self.check_free(change, protocol, port, (internal["address"], to))
            if held:
                mappings.append(held)
                continue
            m = self.put(protocol, port, internal["address"], to, change.get("name"),
                         external.get("address"), internal.get("end_port", to) - to + 1)
            m["internal"]["interface"] = internal.get("interface")
            m.update(comment=change.get("comment"), enabled=change.get("enabled", True),
                     lease=self.lease(change.get("lease")))
            m["from"], m["upstream"] = change.get("from", []), self.upstream(change.get("upstream"))
            self.settle(m)
            mappings.append(m)
            shadows += [x for at, x in self.listeners.items() if at == (protocol, port)]
            verdict = "added"
        return verdict, mappings, 0, {"shadows": shadows} if shadows else {}

    def select(self, change):
        def fits(m):
            return (("id" not in change or m["id"] == change["id"])
                    and ("name" not in change or m["name"] == change["name"])
                    and ("protocol" not in change or m["protocol"] == change["protocol"])
                    and ("external" not in change
                         or m["external"]["port"] == change["external"]["port"]))

        found = [m for m in self.mappings if fits(m)]
        if not found:
            raise Refusal(404, "not-found", "No mapping fits.", "See: natctl list")
        return found

    def remove(self, change):
        gone = self.select(change)
        self.mappings = [m for m in self.mappings if m not in gone]
        return "removed", gone, 0 if change.get("drain") else 3, {}

    @staticmethod
    def moved(internal, wanted):
        host = wanted["address"]
        after = {**internal, "interface": None, **wanted, "host": None if host[0] == ":" else host}
        after["end_port"] = after["port"] + internal["end_port"] - internal["port"]
        return after

    def update(self, change):
        wanted = dict(change["set"])
        if "lease" in wanted:
            wanted["lease"] = self.lease(wanted["lease"])
        if "upstream" in wanted:
            wanted["upstream"] = self.upstream(wanted["upstream"])
        found = self.select(change)
        same = True
        for m in found:
            after = {**m, **wanted}
            if "internal" in wanted:
                after["internal"] = self.moved(m["internal"], wanted["internal"])
            self.settle(after)
            same &= after == m
            self.mappings[self.mappings.index(m)] = after
        verdict = "unchanged" if same else "changed"
        return verdict, self.select({"id": found[0]["id"]} if len(found) == 1 else
                                    {"name": wanted.get("name", change.get("name"))}), 0, {}

    def change(self, changes):
        """All or none. Return: list of (verdict, mappings, ended, more)."""
        with self.lock:
            before, results = list(self.mappings), []
            for index, change in enumerate(changes):
                try:
                    one = {"remove": self.remove, "update": self.update}
                    results.append(one.get(change.get("action"), self.add)(change))
                except Refusal as refusal:
                    self.mappings = before
                    refusal.index = index
                    raise
            return results


class Refusal(Exception):
    def __init__(self, status, code, detail, cure=None, **more):
        super().__init__(detail)
        self.more = more
        self.status, self.code, self.detail, self.cure = status, code, detail, cure
        self.index = None

    def text(self):
        return problem_text(self.status, self.code, self.detail, self.cure, self.index,
                            **self.more)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    natd = None

    def log_message(self, *_):
        pass

    def handle(self):
        self.natd.connections += 1
        if self.natd.early is not None:
            if not self.natd.deaf:
                self.request.recv(1000)
            self.request.sendall(self.natd.early)
            if not self.natd.deaf:
                self.natd.stopping.wait(5)
            return
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            pass

    def dispatch(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        self.natd.requests.append((self.command, self.path, body, dict(self.headers)))
        if self.natd.silent:
            self.natd.stopping.wait(30)
            self.close_connection = True
            return
        if self.natd.answer is not None:
            self.wfile.write(self.natd.answer)
            self.close_connection = True
            return
        try:
            self.route(url, body)
        except Refusal as refusal:
            self.send(refusal.status, refusal.text(), "application/problem+json")
        if self.natd.forgetful:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = dispatch

    def route(self, url, body):
        routes = {
            ("GET", "/v1/mappings"): lambda: self.list(urllib.parse.parse_qs(url.query)),
            ("POST", "/v1/mappings"): lambda: self.change(body),
            ("GET", "/v1/status"): lambda: self.send_json(self.natd.status),
            ("POST", "/v1/resync"): lambda: self.send_json(
                {"created": False, "replaced": False, "rewritten": True, "added": 2,
                 "removed": 0, "other": 1}),
            ("POST", "/v1/reload"): lambda: self.send_json({"added": 1, "removed": 0}),
            ("POST", "/v1/flush"): lambda: self.flush(body),
            ("GET", "/v1/events"): self.stream,
            ("GET", "/v1/connections"): lambda: self.send_list(self.natd.flows),
            ("DELETE", "/v1/connections"): lambda: self.send_json(
                {"ended": len(self.natd.flows), **self.natd.pending}),
        }
        route = routes.get((self.command, url.path))
        one = [m for m in self.natd.mappings if url.path == f"/v1/mappings/{m['id']}"]
        if one and self.command == "GET":
            self.send_json(one[0])
            return
        if not route:
            raise Refusal(404, "no-resource", f"{url.path} is no resource.")
        route()

    # answers

    def send(self, status, text, kind=JSON):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_json(self, value, status=200):
        self.send(status, json.dumps(value, separators=(",", ":")) + "\n")

    def send_chunks(self, pieces, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def stream(self):
        script = self.natd.streams.pop(0) if self.natd.streams else []
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in script:
            if line is None:
                self.close_connection = True
                return
            if callable(line):
                line()
                continue
            data = line if isinstance(line, bytes) else (line + "\n").encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) if data else b"0\r\n\r\n")
            if not data:
                return
        self.natd.stopping.wait(60)
        self.close_connection = True

    def list(self, query):
        def fits(m):
            to = query.get("to", [None])[0]
            host = m["internal"]["address"]
            bracketed = f"[{host}]" if ":" in host else host
            return (query.get("name", [m["name"]])[0] == m["name"]
                    and query.get("protocol", [m["protocol"]])[0] == m["protocol"]
                    and query.get("state", [m["state"]])[0] == m["state"]
                    and query.get("owner", [m["owner"]])[0] == m["owner"]
                    and int(query.get("port", [m["external"]["port"]])[0])
                    == m["external"]["port"]
                    and to in (None, host, bracketed, f"{bracketed}:{m['internal']['port']}"))

        self.send_list([m for m in self.natd.mappings if fits(m)])

    def send_list(self, elements):
        lines = [json.dumps(m, separators=(",", ":")) for m in elements]
        if self.headers["Accept"] == "application/x-ndjson":
            text, kind = "".join(line + "\n" for line in lines).encode(), "application/x-ndjson"
        else:
            text, kind = ("[" + ",".join(lines) + "]\n").encode(), JSON
        # pieces that end anywhere
        self.send_chunks((text[i:i + 10007] for i in range(0, len(text), 10007)), kind)

    @staticmethod
    def result(verdict, mappings, ended, more):
        return {"verdict": verdict, "ended": ended, **more,
                "mappings": [{**{k: v for k, v in m.items() if k not in LIVE},
                              "upstream": {"wish": m["upstream"]["wish"]}} for m in mappings]}

    def change(self, body):
        if self.headers["Content-Type"] == "application/x-ndjson":
            self.change_lines([json.loads(line) for line in body.splitlines()])
            return
        asked = json.loads(body)
        changes = asked if isinstance(asked, list) else [asked]
        results = self.natd.change(changes)
        status = 201 if any(r[0] == "added" for r in results) else 200
        if isinstance(asked, list):
            self.send_json({"results": [self.result(*r) for r in results],
                            "ended": sum(r[2] for r in results), **self.natd.pending},
                           status)
        else:
            self.send_json({**self.result(*results[0]), **self.natd.pending}, status)

    def change_lines(self, changes):
        results = self.natd.change(changes)
        lines = [{"index": i, "verdict": verdict, "ids": [m["id"] for m in mappings]}
                 for i, (verdict, mappings, *_) in enumerate(results)]
        lines.append({"changes": len(changes), "ended": sum(r[2] for r in results),
                      **self.natd.pending})
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.send_chunks((text[i:i + 997] for i in range(0, len(text), 997)),
                         "application/x-ndjson")

    def flush(self, body):
        everything = json.loads(body)["all"] if body else False
        gone = [m for m in self.natd.mappings if everything or m["origin"] != "config"]
        self.natd.mappings = [m for m in self.natd.mappings if m not in gone]
        self.send_json({"results": [self.result("removed", [m], 1, {}) for m in gone],
                        "ended": len(gone), **self.natd.pending})


def main():
    if len(sys.argv) not in (2, 3) or len(sys.argv) == 3 and sys.argv[2] not in FAULTS:
        sys.exit(f"usage: natd_api.py SOCKET [{'|'.join(FAULTS)}]")
    with FakeNatd(sys.argv[1], FAULTS[sys.argv[2]] if len(sys.argv) == 3 else None) as natd:
        natd.thread.join()


if __name__ == "__main__":
    main()
