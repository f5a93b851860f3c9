# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be so after a change, by walking over everything: a list of mappings, and the
rules of docs/api.md. Knows nothing of how natd finds it."""
import dataclasses
import ipaddress
import itertools
import time

LAN_PREFIX = "2001:db8:1:0"
WAN = ("203.0.113.5", "2001:db8:f::5")
POOL = range(49152, 65536)
SLOTS_MAX = 4096


def now():
    """Leases go on while the machine sleeps, and do not care who sets the time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclasses.dataclass(frozen=True)
class Mapping:
    """@due: between which two moments the lease ends; @id: once natd has told it."""

    protocol: str
    at: str | None
    port: int
    n: int
    address: str
    inner: int
    remotes: tuple = ()
    name: str = ""
    comment: str = ""
    enabled: bool = True
    lease: int = 0
    due: tuple | None = dataclasses.field(default=None, compare=False)
    id: int = dataclasses.field(default=0, compare=False)

    @property
    def ports(self):
        return range(self.port, self.port + self.n)

    @property
    def host(self):
        """Where packets go: a suffix in the prefix of the LAN."""
        if not self.address.startswith("::"):
            return self.address
        return str(ipaddress.ip_address(LAN_PREFIX + ":0:0:0:" + self.address[2:]))

    @property
    def is_pinhole(self):
        return (":" in self.address and not self.at and self.inner == self.port
                and not self.address.startswith("fd"))

    @property
    def external(self):
        """"*4" and "*6": any address of the WAN."""
        if self.is_pinhole:
            return self.host
        return self.at or ("*6" if ":" in self.address else "*4")

    @property
    def is_range(self):
        """On equal ports, for anybody: what is more particular takes its part."""
        return self.n > 1 and self.inner == self.port and not self.at and not self.remotes

    def port_of(self, port):
        return self.inner + port - self.port

    def flaw(self):
        return (max(self.port, self.inner) + self.n - 1 > 65535
                or not self.is_range and self.n * max(1, len(self.remotes)) > SLOTS_MAX)

    def quarrels(self, other):
        return (self.protocol == other.protocol and self.external == other.external
                and self.is_range == other.is_range
                and self.port < other.port + other.n and other.port < self.port + self.n
                and (not self.remotes and not other.remotes
                     or bool(set(self.remotes) & set(other.remotes))))

    def is_already(self, wanted):
        """Is it what is asked for?"""
        same = ("protocol", "external", "port", "n", "address", "inner", "remotes")
        return (all(getattr(self, f) == getattr(wanted, f) for f in same)
                and wanted.name in ("", self.name))

    def rank(self, remote, dialled):
        """Precedence for a packet; None: it is not for this mapping."""
        if not self.enabled:
            return None
        if dialled != self.external and not (self.external == "*6" and dialled == WAN[1]
                                             or self.external == "*4" and dialled == WAN[0]):
            return None
        fitting = [p.prefixlen for p in map(ipaddress.ip_network, self.remotes)
                   if ipaddress.ip_address(remote) in p]
        if self.remotes and not fitting:
            return None
        return bool(self.remotes), bool(self.at), max(fitting, default=0), not self.is_range

    def elements(self):
        """What the kernel has of it."""
        family = "6" if ":" in self.address else "4"
        if not self.enabled:
            return
        if self.is_range:
            yield ("pinrange6" if self.is_pinhole else "range" + family, self.protocol,
                   self.port, self.port + self.n - 1, self.host)
            return
        for port in self.ports:
            to = None if self.is_pinhole else (self.host, self.port_of(port))
            for remote in self.remotes:
                yield ("from", self.host if self.is_pinhole else family, self.protocol, port,
                       self.at, remote, to)
            if not self.remotes and self.is_pinhole:
                yield "pinhole6", self.protocol, port, self.host
            elif not self.remotes:
                yield ("forward" + family + ("_at" if self.at else ""), self.protocol, port,
                       self.at, to)


def of_json(m):
    """A mapping as the API tells it."""
    external, internal, lease = m["external"], m["internal"], m["lease"]
    due = None
    if lease and "remaining" in lease:
        due = now() + lease["remaining"] - 1, now() + lease["remaining"]
    got = Mapping(
        m["protocol"], external["address"], external["port"],
        external["end_port"] - external["port"] + 1, internal["address"], internal["port"],
        tuple(m["from"]), m["name"] or "", m["comment"] or "", m["enabled"],
        lease["lifetime"] if lease else 0, due, m["id"])
    # of a pinhole the external address is the host's
    bare = dataclasses.replace(got, at=None)
    return bare if bare.is_pinhole and bare.host == got.at else got


class Model:
    """@of: the mappings there are."""

    def __init__(self, of=()):
        self.of = list(of)

    # ------------------------------------------------------------------ additions

    @staticmethod
    def asked(change, word, port):
        external, internal = change["external"], change["internal"]
        inner = internal.get("port") or port
        last = external.get("end_port")
        n = last - port + 1 if last else internal.get("end_port", inner) - inner + 1
        return Mapping(word, external.get("address"), port, n, internal["address"], inner,
                       tuple(sorted(change.get("from") or (), key=prefix_order)),
                       change.get("name") or "", change.get("comment") or "",
                       change.get("enabled", True), change.get("lease") or 0)

    def all_asked(self, change, port):
        return [self.asked(change, word, port) for word in change["protocol"].split(",")]

    def there_already(self, change, port):
        wanted = self.all_asked(change, port)
        quarrels = [(m, w) for w in wanted for m in self.of if m.quarrels(w)]
        return bool(quarrels) and all(m.is_already(w) for m, w in quarrels)

    def free(self, change, port):
        """May natd choose it? A range is not to have holes."""
        return not any(m.quarrels(w) or (w.is_range and not w.is_pinhole and not m.remotes
                                         and not m.is_range and m.external == w.external
                                         and m.protocol == w.protocol
                                         and set(m.ports) & set(w.ports))
                       for w in self.all_asked(change, port) for m in self.of)

    def choice(self, change):
        """The port that natd is to choose; None: any of the pool of the same parity."""
        inner, words = change["internal"]["port"], change["protocol"].split(",")
        named = [m.port for word in words for m in self.of
                 if m.name and m.name == change.get("name") and m.protocol == word]
        if named and self.there_already(change, named[0]):
            return named[0]
        if self.there_already(change, inner) or self.free(change, inner):
            return inner
        return None

    def of_pool(self, change):
        inner = change["internal"]["port"]
        return (p for p in POOL if p % 2 == inner % 2 and self.free(change, p))

    def add(self, change):
        port = change["external"]["port"]
        if port == "auto":
            port = self.choice(change) or next(self.of_pool(change))
        after, verdict = list(self.of), "unchanged"
        wanted = self.all_asked(change, port)
        if any(w.flaw() for w in wanted):
            return "bad-request", None
        for w in wanted:
            holders = [m for m in after if m.quarrels(w)]
            if any(not m.is_already(w) for m in holders):
                return "conflict", None
            if holders and w.lease and holders[0].lease:
                after[after.index(holders[0])] = dataclasses.replace(
                    holders[0], lease=w.lease, due=None)
                verdict = "changed" if verdict == "unchanged" else verdict
            if holders:
                continue
            if w.name and any(m.name == w.name and m.protocol == w.protocol for m in after):
                return "name-taken", None
            after.append(w)
            verdict = "added" if verdict == "unchanged" else verdict
        return verdict, after

    # ------------------------------------------------------- updates and removals

    def fitting(self, change):
        return [m for m in self.of
                if change.get("id") in (None, m.id) and change.get("name") in (None, m.name)
                and change.get("protocol") in (None, m.protocol)
                and change.get("external", {}).get("port", m.port) in m.ports]

    def selected(self, change):
        fits = self.fitting(change)
        if not fits:
            return "not-found", None
        if len(fits) > 1 and "name" not in change:
            return "ambiguous", None
        return None, fits

    def remove(self, change):
        verdict, fits = self.selected(change)
        if verdict:
            return verdict, None
        return "removed", [m for m in self.of if m not in fits]

    @staticmethod
    def patched(m, wanted):
        plain = {key: wanted[key] or "" for key in ("name", "comment") if key in wanted}
        if "enabled" in wanted:
            plain["enabled"] = wanted["enabled"]
        if "lease" in wanted:
            plain.update(lease=wanted["lease"] or 0, due=None)
        if "internal" in wanted:
            plain.update(address=wanted["internal"]["address"], inner=wanted["internal"]["port"])
        return dataclasses.replace(m, **plain)

    def update(self, change):
        verdict, fits = self.selected(change)
        if verdict:
            return verdict, None
        after, verdict = list(self.of), "unchanged"
        for m in fits:
            new = self.patched(m, change["set"])
            if new == m and not change["set"].get("lease"):
                continue
            others = [other for other in after if other != m]
            if new.flaw():
                return "bad-request", None
            if any(other.quarrels(new) for other in others):
                return "conflict", None
            if new.name and any(o.name == new.name and o.protocol == new.protocol
                                for o in others):
                return "name-taken", None
            after[after.index(m)], verdict = new, "changed"
        return verdict, after

    def judge(self, change):
        """The verdict, and what is there after it; None: it is refused."""
        return getattr(self, change.get("action", "add"))(change)

    # ----------------------------------------------------------------- afterwards

    def take(self, after, began):
        """What was granted between @began and now."""
        self.of = [dataclasses.replace(m, due=(began + m.lease, now() + m.lease))
                   if m.lease and not m.due else m for m in after]

    def learn_ids(self, told):
        """Of mappings as told."""
        ids = {m: m.id for m in told}
        self.of = [dataclasses.replace(m, id=ids.get(m, m.id)) for m in self.of]

    def served_by(self, protocol, remote, dialled, port):
        """(host, port) that packets reach, or None."""
        fits = [(rank, m) for m in self.of if m.protocol == protocol and port in m.ports
                and (rank := m.rank(remote, dialled))]
        if not fits:
            return None
        m = max(fits, key=lambda fit: fit[0])[1]
        return m.host, m.port_of(port)

    def elements(self):
        return set(itertools.chain.from_iterable(m.elements() for m in self.of))


def prefix_order(prefix):
    network = ipaddress.ip_network(prefix)
    return int(network.network_address), network.prefixlen
