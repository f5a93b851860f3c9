#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A router that speaks PCP, NAT-PMP, SSDP, STUN and UPnP IGD, well or as ill as told.

    router.py ADDRESS [--other ADDRESS] [--datagram MODE] [--http MODE] [--soap MODE]
              [--external ADDRESS] [--seen ADDRESS] [--tell]

--external is what it says its own address is, --seen what its STUN server says of everybody;
with --tell it prints what is asked of it by UPnP. It refuses the ports 6060 and 5010 with the
UPnP errors 606 and 501, and a lease of port 7250 with 725.
Listens on ADDRESS, says "ready" when it does, and ends when its stdin does. --http is about
the description of the device, --soap about its actions. A line "notify", "byebye",
"announce" or "flood" on stdin sends that.
"""
import argparse
import ipaddress
import re
import socket
import struct
import sys
import threading
import time

CONTROL, ANNOUNCED, SSDP, STUN, HTTP = 5351, 5350, 1900, 3478, 5000
EXTERNAL = "1.2.3.4"
COOKIE = 0x2112A442
IGD = "urn:schemas-upnp-org:device:InternetGatewayDevice:%d"
BOOT_ID = 1234
BEGAN = time.monotonic()

DATAGRAM_MODES = ("well", "silent", "garbage", "truncated", "wrong-nonce", "elsewhere", "port-zero",
                  "not-global", "contradicting", "head-only", "natpmp-only", "pcp-only", "refusing",
                  "quota", "located-elsewhere", "flood")
HTTP_MODES = ("well", "silent", "garbage", "truncated", "drip", "endless", "huge-head", "huge-length",
              "redirect", "control-elsewhere", "control-by-name", "base-elsewhere", "not-found",
              "deep", "many-elements", "no-service", "version-1", "empty", "two-connections",
              "chunk-huge", "chunk-nonsense", "chunk-unended", "length-negative")
SOAP_MODES = ("well", "silent", "garbage", "truncated", "drip", "endless", "huge-head", "redirect",
              "error-500", "port-zero", "contradicting", "deep", "not-global", "bad-number",
              "other-action", "no-any", "switched-off", "empty")

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
FRAMINGS = {
    "chunk-huge": CHUNKED + b"ffffffff\r\n",
    "chunk-nonsense": CHUNKED + b"\r\r-1\r\n;;\rzz\n80000000ffffffffff\r\n",
    "chunk-unended": CHUNKED + b"3;" + b"e" * 5000,
    "length-negative": b"Content-Length: -2147483648\r\n\r\n",
}


def epoch():
    return int(time.monotonic() - BEGAN)


def mapped(text):
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


class Datagrams:
    """What answers to packets."""

    def __init__(self, options):
        self.options = options
        self.mode = options.datagram
        self.external = "192.168.77.1" if self.mode == "not-global" else options.external

    def pcp_head(self, opcode, result, lifetime):
        return struct.pack("!BBBBII12x", 2, opcode | 128, 0, result, lifetime, epoch())

    def pcp(self, packet):
        opcode, lifetime = packet[1], struct.unpack("!I", packet[4:8])[0]
        if self.mode == "natpmp-only":
            yield struct.pack("!BBHI", 0, 128 | opcode, 1, epoch())
            return
        if self.mode == "head-only":
            yield self.pcp_head(opcode, 8, 30)
            return
        if opcode == 0:
            yield self.pcp_head(0, 0, 0)
            return
        nonce, protocol, inside, outside = struct.unpack("!12sB3xHH", packet[24:44])
        outside = outside or inside
        if self.mode == "wrong-nonce":
            nonce = bytes(12)
        if self.mode == "port-zero":
            outside = 0
        body = struct.pack("!12sB3xHH16s", nonce, protocol, inside, outside, mapped(self.external))
        if self.mode in ("refusing", "quota"):
            yield self.pcp_head(1, 10, 60) + body
            return
        yield self.pcp_head(1, 0, lifetime) + body
        if self.mode == "contradicting":
            yield self.pcp_head(1, 8, 60) + body

    def natpmp(self, packet):
        opcode = packet[1]
        if self.mode == "pcp-only":
            yield struct.pack("!BBBBII12x", 2, 128 | opcode, 0, 1, 0, epoch())
        elif self.mode == "refusing":
            yield struct.pack("!BBHI", 0, 128 | opcode, 2, epoch())
        elif self.mode == "quota" and opcode != 0:
            yield struct.pack("!BBHI", 0, 128 | opcode, 4, epoch())
        elif opcode == 0:
            yield struct.pack("!BBHI4s", 0, 128, 0, epoch(), ipaddress.ip_address(self.external).packed)
        else:
            inside, outside, lifetime = struct.unpack("!HHI", packet[4:12])
            outside = 0 if self.mode == "port-zero" else outside or inside
            yield struct.pack("!BBHIHHI", 0, 128 | opcode, 0, epoch(), inside, outside, lifetime)

    def control(self, packet):
        if len(packet) >= 2:
            yield from self.natpmp(packet) if packet[0] == 0 else self.pcp(packet)

    def location(self):
        host = self.options.other if self.mode == "located-elsewhere" else self.options.address
        return f"http://{host}:{HTTP}/desc.xml"

    def search(self, packet):
        found = re.search(rb"^ST:\s*(\S+)", packet, re.M | re.I)
        if not packet.startswith(b"M-SEARCH") or not found:
            return
        yield (f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {found[1].decode()}\r\n"
               f"USN: uuid:fake::{found[1].decode()}\r\nEXT:\r\nSERVER: fake/1 UPnP/1.1 router/1\r\n"
               f"LOCATION: {self.location()}\r\nBOOTID.UPNP.ORG: {BOOT_ID}\r\n\r\n").encode()

    def stun(self, packet, sender):
        if len(packet) < 20:
            return
        ident = packet[8:20]
        if self.mode == "wrong-nonce":
            ident = bytes(12)
        if self.mode == "refusing":
            yield struct.pack("!HHI12sHHHBB", 0x111, 8, COOKIE, ident, 9, 4, 0, 5, 0)
            return
        address = ipaddress.ip_address(self.options.seen or sender[0].split("%")[0])
        port = sender[1] ^ (COOKIE >> 16)
        key = struct.pack("!I", COOKIE) + ident
        value = bytes(a ^ b for a, b in zip(address.packed, key))
        family = 1 if address.version == 4 else 2
        yield struct.pack("!HHI12sHHBBH", 0x101, 8 + len(value), COOKIE, ident, 0x20,
                          4 + len(value), 0, family, port) + value

    def spoil(self, answers):
        if self.mode == "silent":
            return
        for answer in answers:
            if self.mode == "garbage":
                yield bytes((i * 37 + 11) & 255 for i in range(200))
            elif self.mode == "truncated":
                for n in range(len(answer)):
                    yield answer[:n]
            elif self.mode == "flood":
                for _ in range(50000):
                    yield answer
            else:
                yield answer

    def serve(self, sock, answer):
        out = sock
        if self.mode == "elsewhere":
            out = udp(self.options.other, 0)
        while True:
            packet, sender = sock.recvfrom(4096)
            for reply in self.spoil(answer(packet, sender)):
                out.sendto(reply, sender)

    def start(self):
        address = self.options.address
        search = udp("", SSDP) if ":" not in address else udp(address, SSDP)
        if ":" not in address:
            join = socket.inet_aton("239.255.255.250") + socket.inet_aton(address)
            search.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, join)
        for sock, answer in ((udp(address, CONTROL), lambda p, s: self.control(p)),
                             (search, lambda p, s: self.search(p)),
                             (udp(address, STUN), self.stun)):
            threading.Thread(target=self.serve, args=(sock, answer), daemon=True).start()

    def tell(self, what):
        """Unasked, to the groups."""
        if what == "announce":
            sock = udp(self.options.address, 0)
            sock.sendto(self.pcp_head(0, 0, 0), ("224.0.0.1", ANNOUNCED))
            packet = struct.pack("!BBHI4s", 0, 128, 0, epoch(), ipaddress.ip_address(self.external).packed)
            sock.sendto(packet, ("224.0.0.1", ANNOUNCED))
            return
        sock = udp(self.options.address, 0)
        for _ in range(20000 if what == "flood" else 1):
            nts = "ssdp:byebye" if what == "byebye" else "ssdp:alive"
            text = (f"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: {IGD % 2}\r\nNTS: {nts}\r\n"
                    f"USN: uuid:fake::{IGD % 2}\r\nLOCATION: {self.location()}\r\n"
                    f"SERVER: fake/1 UPnP/1.1 router/1\r\nBOOTID.UPNP.ORG: {BOOT_ID}\r\n\r\n")
            sock.sendto(text.encode(), ("239.255.255.250", SSDP))


def udp(address, port):
    return bound(address, port, socket.SOCK_DGRAM)


def bound(address, port, kind):
    family, *_, where = socket.getaddrinfo(address or "0.0.0.0", port, type=kind)[0]
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(where)
    return sock


class Device:
    """What answers to HTTP."""

    def __init__(self, options):
        self.options = options
        self.entries = {}
        self.lock = threading.Lock()

    # ------------------------------------------------------------ the description

    def service(self, kind, name, control):
        return (f"<service><serviceType>urn:schemas-upnp-org:service:{kind}</serviceType>"
                f"<serviceId>urn:upnp-org:serviceId:{name}</serviceId><controlURL>{control}</controlURL>"
                f"<eventSubURL>/evt</eventSubURL><SCPDURL>/{name}.xml</SCPDURL></service>")

    def description(self):
        mode, other = self.options.http, self.options.other
        base, control = "", "/ctl"
        if mode == "control-elsewhere":
            control = f"http://{other}:{HTTP}/ctl"
        elif mode == "control-by-name":
            control = "http://localhost:5000/ctl"
        elif mode == "base-elsewhere":
            base = f"<URLBase>http://{other}:{HTTP}/</URLBase>"
        version = 1 if mode == "version-1" else 2
        services = self.service(f"WANIPConnection:{version}", "WANIPConn1", control)
        if version == 2:
            services += self.service("WANIPv6FirewallControl:1", "WANIPv6Firewall1", "/firewall")
        if mode == "no-service":
            services = self.service("Layer3Forwarding:1", "L3Forwarding1", control)
        if mode == "two-connections":
            services = (self.service("WANPPPConnection:1", "WANPPPConn1", "/ctl-down") +
                        self.service("WANIPConnection:2", "WANIPConn1", control))
        return (f'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">{base}'
                f"<device><deviceType>{IGD % version}</deviceType>"
                f"<friendlyName>Fake &amp; router \x1b[31m</friendlyName>"
                f"<deviceList><device><friendlyName>inner</friendlyName>"
                f"<serviceList>{services}</serviceList></device></deviceList></device></root>")

    def nested(self):
        return "<a>" * 200000 + "x" + "</a>" * 200000

    # ------------------------------------------------------------ actions

    def fault(self, code):
        return 500, (f"<s:Envelope><s:Body><s:Fault><detail><UPnPError><errorCode>{code}</errorCode>"
                     f"<errorDescription>no</errorDescription></UPnPError></detail></s:Fault></s:Body>"
                     f"</s:Envelope>")

    def success(self, action, **values):
        if self.options.soap == "other-action":
            action = "Other"
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
        if self.options.soap == "contradicting":
            inner += "<errorCode>501</errorCode>"
        return 200, (f'<?xml version="1.0"?><s:Envelope><s:Body><u:{action}Response xmlns:u="x">{inner}'
                     f"</u:{action}Response></s:Body></s:Envelope>")

    def act(self, action, path, args):
        mode = self.options.soap
        if self.options.tell:
            print("asked", action, *(f"{name}={value}" for name, value in args.items()), flush=True)
        key = args.get("NewProtocol"), args.get("NewExternalPort")
        if action == "GetStatusInfo":
            status = "Disconnected" if path == "/ctl-down" else "Connected"
            return self.success(action, NewConnectionStatus=status, NewLastConnectionError="ERROR_NONE",
                                NewUptime=epoch())
        if action == "GetExternalIPAddress":
            address = {"not-global": "10.9.8.7", "bad-number": "1.2.3.400"}.get(
                mode, self.options.external)
            return self.success(action, NewExternalIPAddress=address)
        if action == "AddAnyPortMapping" and mode == "no-any":
            return self.fault(602)
        if action in ("AddPortMapping", "AddAnyPortMapping"):
            return self.add(action, key, args)
        if action == "DeletePortMapping":
            return self.success(action) if self.entries.pop(key, None) else self.fault(714)
        if action == "GetSpecificPortMappingEntry":
            return self.read(action, key)
        if action == "GetFirewallStatus":
            return self.success(action, FirewallEnabled=1, InboundPinholeAllowed=1)
        if action == "AddPinhole":
            return self.success(action, UniqueID=0 if mode == "port-zero" else 7)
        if action in ("UpdatePinhole", "DeletePinhole"):
            return self.success(action) if args.get("UniqueID") == "7" else self.fault(704)
        return self.fault(401)

    def add(self, action, key, args):
        mode, port = self.options.soap, args["NewExternalPort"]
        if key in self.entries and self.entries[key]["NewInternalClient"] != args["NewInternalClient"]:
            return self.fault(718)
        if args["NewLeaseDuration"] != "0" and port == "7250":
            return self.fault(725)
        if port in ("6060", "5010"):
            return self.fault(int(port) // 10)
        self.entries[key] = args
        if action == "AddPortMapping":
            return self.success(action)
        reserved = {"port-zero": "0", "bad-number": "80x80"}.get(mode, port)
        return self.success(action, NewReservedPort=reserved)

    def read(self, action, key):
        mode, entry = self.options.soap, self.entries.get(key)
        if not entry:
            return self.fault(714)
        port = {"port-zero": "0", "bad-number": "99999"}.get(mode, entry["NewInternalPort"])
        return self.success(action, NewInternalPort=port,
                            NewInternalClient=entry["NewInternalClient"],
                            NewEnabled=0 if mode == "switched-off" else 1,
                            NewPortMappingDescription=entry["NewPortMappingDescription"],
                            NewLeaseDuration=entry["NewLeaseDuration"])

    # ------------------------------------------------------------ HTTP

    def request(self, conn):
        data = b""
        while b"\r\n\r\n" not in data:
            more = conn.recv(4096)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"content-length:\s*(\d+)", head, re.I)
        while length and len(body) < int(length[1]):
            body += conn.recv(4096)
        return head.decode(), body.decode()

    def spoil(self, conn, mode):
        """Return whether that was all."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
        if mode == "silent":
            time.sleep(600)
        elif mode == "empty":
            pass
        elif mode == "garbage":
            conn.sendall(head + b"\r\n" + bytes((i * 37 + 11) & 255 for i in range(5000)))
        elif mode == "drip":
            conn.sendall(head + b"\r\n")
            while True:
                conn.sendall(b"<a>")
                time.sleep(1)
        elif mode == "endless":
            conn.sendall(head + b"\r\n")
            while True:
                conn.sendall(b"<a>x</a>" * 8192)
        elif mode == "huge-head":
            conn.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                conn.sendall(b"X-Header: " + b"y" * 65536 + b"\r\n")
        elif mode == "huge-length":
            conn.sendall(head + b"Content-Length: 2147483647\r\n\r\n" + b"<a>" * 2000)
        elif mode in FRAMINGS:
            conn.sendall(head + FRAMINGS[mode] + b"<a>x</a>" * 100)
        elif mode == "redirect":
            there = f"Location: http://{self.options.other}:{HTTP}/desc.xml\r\n".encode()
            conn.sendall(b"HTTP/1.1 301 Moved Permanently\r\n" + there + b"Content-Length: 5\r\n\r\nmoved")
        elif mode == "not-found":
            conn.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone")
        elif mode == "error-500":
            conn.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nwrong")
        elif mode in ("deep", "many-elements"):
            body = self.nested() if mode == "deep" else "<a>x</a>" * 2000000
            conn.sendall(head + b"\r\n" + body.encode())
        else:
            return False
        return True

    def serve(self, conn):
        try:
            self.answer(conn)
            conn.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        conn.close()

    def answer(self, conn):
        asked = self.request(conn)
        if not asked:
            return
        head, body = asked
        action = re.search(r'soapaction:\s*"[^"#]*#(\w+)"', head, re.I)
        mode = self.options.soap if action else self.options.http
        if self.spoil(conn, mode):
            return
        if action:
            args = dict(re.findall(r"<(\w+)>([^<]*)</\1>", body))
            path = head.split()[1]
            with self.lock:
                status, text = self.act(action[1], path, args)
        else:
            status, text = 200, self.description()
        if mode == "truncated":
            text = text[:len(text) // 2]
        reply = text.encode()
        conn.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(reply)}\r\n\r\n".encode() + reply)

    def start(self, address):
        sock = bound(address, HTTP, socket.SOCK_STREAM)
        sock.listen(16)
        threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            conn, peer = sock.accept()
            print(f"connection {sock.getsockname()[0]} {peer[0]}", flush=True)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--other", default="192.0.2.99")
    parser.add_argument("--external", default=EXTERNAL)
    parser.add_argument("--seen")
    parser.add_argument("--tell", action="store_true")
    parser.add_argument("--datagram", default="well", choices=DATAGRAM_MODES)
    parser.add_argument("--http", default="well", choices=HTTP_MODES)
    parser.add_argument("--soap", default="well", choices=SOAP_MODES)
    options = parser.parse_args()

    datagrams, device = Datagrams(options), Device(options)
    datagrams.start()
    device.start(options.address)
    print("ready", flush=True)
    for line in sys.stdin:
        datagrams.tell(line.strip())


if __name__ == "__main__":
    main()
