#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of the routers above us."""

import json
import re
import sys

from harness import WEB, expect, main, natd, run, test
from natd_api import STATUS

START = '{"event":"start","seq":100,"time":"2025-01-31T12:00:00Z"}'
EVENT = '{"event":"upstream-mapped","seq":101,"time":"2025-01-31T12:00:00Z"}'
MAPPED = {"state": "mapped", "external": "51.15.0.9:8080", "expires": "2035-01-31T14:00:00Z",
          "renews": "2035-01-31T13:00:00Z"}
ASKING = {"state": "asking"}
TAKEN = {"state": "refused",
         "problem": "port 8080 is taken by another client of the router (718)"}
COLUMNS = "ID NAME PROTO EXTERNAL INTERNAL CONNECTIONS TOTAL IN OUT ORIGIN STATE"


def notes(listed):
    return listed[1].partition("\n\n")[2]


@test
def the_list_shows_the_endpoint_that_the_internet_sees():
    with natd() as fake:
        fake.router = MAPPED
        run(f"add {WEB}")
        run("add tcp 9000-9003 192.168.1.10:8000 --name range")
        fake.mappings[1]["upstream"]["external"] = "51.15.0.9:9000"
        run("add tcp 443 [2001:db8:1::10]:443")
        fake.mappings[2]["upstream"]["external"] = "[2001:db8:1::10]:443"
        run("add tcp 81 192.168.1.10")
        fake.mappings[3]["upstream"]["external"] = None
        for state in ("asking", "refused", "unanswered", "no-router"):
            fake.router = {"state": state}
            run(f"add udp {len(fake.mappings)} 192.168.1.10")
        run("add udp 99 192.168.1.10 --upstream no")
        got = run("list")
        lines = got[1].partition("\n\n")[0].splitlines()
        assert json.loads(run("list --json")[1])[0]["upstream"]["external"] == "51.15.0.9:8080"
    expect(got, 0, None, "")
    assert lines[0].split() == COLUMNS.replace("EXTERNAL", "EXTERNAL UPSTREAM").split(), lines[0]
    at, end = lines[0].index("UPSTREAM"), lines[0].index("INTERNAL")
    assert [line[at:end].strip() for line in lines[1:]] == [
        "51.15.0.9:8080", "51.15.0.9:9000-9003", "[2001:db8:1::10]:443", "mapped", "asking",
        "refused", "unanswered", "no router", ""], got[1]


@test
def where_no_router_is_asked_the_list_has_no_more_columns():
    with natd() as fake:
        run(f"add {WEB}")
        run("add udp 99 192.168.1.10 --upstream no")
        del fake.mappings[1]["upstream"]  # an older natd
        assert run("list")[1].splitlines()[0].split() == COLUMNS.split()
        assert "UPSTREAM" not in run("list --wide")[1]
        fake.mappings[0]["upstream"].update(state="of-the-future")
        assert run("list")[1].splitlines()[0].split() == COLUMNS.split()


@test
def below_the_list_it_is_said_why_a_router_does_not_hold_it():
    with natd() as fake:
        fake.router = TAKEN
        run(f"add {WEB}")
        fake.router = {"state": "unanswered", "problem": "nothing\u001b[2J"}
        run("add tcp 81 192.168.1.10 --upstream yes")
        fake.router = {"state": "refused"}
        run("add tcp 82 192.168.1.10")
        fake.router = None
        for wish in ("yes", "default"):
            run(f"add tcp 8{len(fake.mappings)} 192.168.1.10 --upstream {wish}")
            fake.mappings[-1]["upstream"]["problem"] = "it has more than 64 ports"
        run("add tcp 89 192.168.1.10 --upstream yes")
        run("add tcp 88 192.168.1.10")
        fake.router = ASKING
        run("add tcp 90 192.168.1.10")
        got = run("list --problems")
        assert fake.requests[-1][1] == "/v1/mappings?problems=true"
    assert notes(got) == (
        "not upstream: 7: port 8080 is taken by another client of the router (718)\n"
        "not upstream: 8: nothing?[2J\n"
        "not upstream: 9: the router above us refuses it\n"
        "not upstream: 10: it has more than 64 ports\n"
        "not upstream: 11: it has more than 64 ports\n"
        "not upstream: 12: the router above us is not asked for it (see upstream in natd.conf)\n"
        ), notes(got)


@test
def of_one_that_waits_for_the_router_it_is_said_once():
    with natd() as fake:
        for router in (TAKEN, ASKING, {"state": "no-router"}, {"state": "unanswered"}, None):
            fake.router = router
            run(f"add tcp 8{len(fake.mappings)} 192.168.1.10 --upstream required")
        fake.router = MAPPED
        run("add tcp 90 192.168.1.10 --upstream required")
        fake.mappings[-1]["state"] = "waiting"
        run("add tcp 91 192.168.1.10 --at 203.0.113.99 --upstream required")
        run("add tcp 92 ::10 --upstream required")
        run("add tcp 93 [2001:db8::5]:93 --upstream required")
        fake.mappings[-1]["state"] = "waiting"
        got = run("list")
    soon = "the router above us holds it, and natd is about to put it into force"
    assert notes(got) == (
        "waiting: 7: port 8080 is taken by another client of the router (718)\n"
        "waiting: 8: the router above us is being asked\n"
        "waiting: 9: no router above us answers\n"
        "waiting: 10: the router above us does not answer\n"
        "waiting: 11: the router above us is not asked for it (see upstream in natd.conf)\n"
        f"waiting: 12: {soon}\n"
        "waiting: 13: 203.0.113.99 is no address of the WAN now\n"
        "waiting: 14: its LAN has no IPv6 prefix now\n"
        f"waiting: 15: {soon}\n"), notes(got)


@test
def who_must_have_the_router_is_told_that_it_waits():
    with natd() as fake:
        fake.router = ASKING
        said = "  waiting: the router above us is being asked. See: natctl "
        web = 'tcp 8080 "web" -> 192.168.1.10:80, upstream required\n'
        expect(run(f"add {WEB} --upstream required"), 0,
               f"added 7: {web}{said}lookup web --wait\n", "")
        assert json.loads(fake.requests[0][2])["upstream"] == "required"
        expect(run("add udp 53 192.168.1.10 --upstream required"), 0,
               "added 8: udp 53 -> 192.168.1.10:53, upstream required\n" + said + "list\n", "")
        expect(run("add udp 54 192.168.1.10 --upstream required --disabled"), 0,
               "added 9: udp 54 -> 192.168.1.10:54, disabled, upstream required\n", "")
        expect(run("add udp 55 192.168.1.10 --upstream yes"), 0,
               "added 10: udp 55 -> 192.168.1.10:55, upstream yes\n", "")
        run("upstream web yes")
        expect(run("upstream web required"), 0,
               f"changed 7: {web}{said}lookup web --wait\n", "")
        fake.router = MAPPED
        expect(run("upstream 8 required"), 0,
               "changed 8: udp 53 -> 192.168.1.10:53, upstream required\n", "")
        expect(run("-q add udp 56 192.168.1.10 --upstream required"), 0, "11\n", "")


@test
def wishes_are_changed_together():
    lines = "add tcp 80 192.168.1.10 --name a --upstream yes\nupstream a no\nupstream tcp 80 yes\n"
    with natd() as fake:
        expect(run("-f - --atomic", stdin=lines), 0,
               'added 7: tcp 80 "a" -> 192.168.1.10:80, upstream yes\nchanged 7: "a"\n'
               "changed 7: tcp 80\n3 changes made together\n", "")
        sets = [json.loads(line).get("set") for line in fake.requests[0][2].splitlines()]
        assert sets == [None, {"upstream": "no"}, {"upstream": "yes"}], sets
        expect(run("-f -", stdin="upstream a default\nupstream b no\n"), 1,
               'changed 7: tcp 80 "a" -> 192.168.1.10:80\n',
               re.compile("^natctl: line 2: No mapping fits"))
        assert fake.mappings[0]["upstream"]["wish"] == "default"


@test
def that_no_router_is_asked_is_natds_to_refuse():
    detail = "The router above us cannot be asked for tcp 80: the configuration has that off."
    problem = json.dumps({"status": 422, "code": "no-upstream", "detail": detail,
                          "cure": "Leave upstream at default."})
    answer = ("HTTP/1.1 422 Unprocessable Content\r\nContent-Type: application/problem+json\r\n"
              f"Content-Length: {len(problem)}\r\n\r\n{problem}").encode()
    with natd(answer):
        expect(run("add tcp 80 192.168.1.10 --upstream required"), 1, "",
               f"natctl: {detail} Leave upstream at default.\n")


@test
def a_name_is_looked_up_as_the_internet_sees_it():
    with natd() as fake:
        fake.wan = ["10.0.0.2", "10.0.0.3"]
        fake.router = MAPPED
        run("add tcp,udp 8080 192.168.1.10:80 --name web")
        run("add udp 9000-9003 192.168.1.10 --name game")
        fake.mappings[2]["upstream"]["external"] = "51.15.0.9:9000"
        expect(run("lookup web"), 0, "51.15.0.9:8080\n", "")
        expect(run("lookup web --gateway"), 0, "10.0.0.2:8080\n10.0.0.3:8080\n", "")
        expect(run("lookup game"), 0, "51.15.0.9:9000-9003\n", "")
        # the one protocol is there, and the other is not
        fake.mappings[1]["upstream"] = {"wish": "default", **TAKEN}
        expect(run("lookup web"), 0, "51.15.0.9:8080\n10.0.0.2:8080\n10.0.0.3:8080\n", "")
        expect(run("lookup web --proto udp"), 0, "10.0.0.2:8080\n10.0.0.3:8080\n", "")
        # it is held, and its address is not known
        fake.mappings[0]["upstream"]["external"] = None
        expect(run("lookup web --proto tcp"), 0, "10.0.0.2:8080\n10.0.0.3:8080\n", "")
        # held there still, and not in force here any more
        run("disable game")
        expect(run("lookup game"), 1, "",
               "natctl: game has no external endpoint in force: udp: it is disabled.\n")


@test
def a_name_that_must_be_held_above_is_waited_for():
    with natd() as fake:
        def held():
            fake.mappings[0]["upstream"].update(MAPPED)
            fake.settle(fake.mappings[0])

        fake.router = ASKING
        run(f"add {WEB} --upstream required")
        expect(run("lookup web"), 1, "", "natctl: web has no external endpoint in force: tcp: the "
                                         "router above us is being asked.\n")
        fake.streams = [[START, EVENT, held, EVENT]]
        expect(run("lookup web --wait"), 0, "51.15.0.9:8080\n", "")
        # what is not required is in force without the router, and not waited for
        run("add tcp 81 192.168.1.10 --name two --upstream yes")
        expect(run("lookup two --wait"), 0, "203.0.113.5:81\n", "")


WAN = {"interface": "wan0", "gateway": "192.168.0.1", "source": "192.168.0.2", "found": True,
       "protocol": "upnp", "name": "Box\u001b[2J 7590", "external": "51.15.0.9",
       "stun": "51.15.0.9", "verdict": "mapped",
       "reason": "the router 192.168.0.1 holds 4 ports for us at 51.15.0.9",
       "answered": "2025-01-31T12:00:00Z", "renews": "2036-01-31T13:00:00Z", "tries": None,
       "held": 4, "refused": 1, "asking": 2}
NOBODY = {"interface": "wan1", "gateway": "10.0.0.1", "source": "10.0.0.2", "found": False,
          "protocol": None, "name": None, "external": None, "stun": None, "verdict": "behind-nat",
          "reason": "10.0.0.2 is a private address, and the router 10.0.0.1 does not answer (PCP)",
          "answered": None, "renews": None, "tries": "2036-01-31T12:00:00Z", "held": 0,
          "refused": 0, "asking": 0}
WORKERS = [{"role": "datagram", "up": True, "pid": 815, "restarts": 0, "end": None,
            "ended": None},
           {"role": "igd", "up": False, "pid": None, "restarts": 0, "end": None, "ended": None}]


def told(upstream, **more):
    """Of natctl status what stands behind "accounting" and before "dropped"."""
    with natd() as fake:
        fake.status = {**STATUS, "upstream": {"policy": "all", "workers": WORKERS, **upstream},
                       **more}
        got = run("status")
        assert json.loads(run("status --json")[1]) == fake.status
    expect(got, 0, None, "")
    text = re.sub(r"\(\d+ years? ago\)", "(N years ago)", got[1])
    text = re.sub(r"\(in \d+ years?\)", "(in N years)", text)
    return text.partition("accounting  off\n")[2].partition("dropped ")[0]


@test
def status_tells_of_each_router():
    text = told({"enabled": True, "wans": [WAN, NOBODY]})
    assert text == (
        "upstream    wan0: mapped (51.15.0.9): the router 192.168.0.1 holds 4 ports for us at "
        "51.15.0.9\n"
        '  router    192.168.0.1, speaks UPnP, is called "Box?[2J 7590", has 51.15.0.9; STUN sees '
        "51.15.0.9\n"
        "  ports     4 held, 1 refused, 2 asked for\n"
        "  answered  2025-01-31 12:00:00 (N years ago)\n"
        "  renews    2036-01-31 13:00:00 (in N years)\n"
        "upstream    wan1: behind NAT, not mapped: 10.0.0.2 is a private address, and the router "
        "10.0.0.1 does not answer (PCP)\n"
        "  router    10.0.0.1\n"
        "  next look 2036-01-31 12:00:00 (in N years)\n"), text


@test
def status_has_a_verdict_in_words():
    public = {**NOBODY, "gateway": None, "source": "203.0.113.5", "verdict": "public",
              "stun": "203.0.113.5", "tries": None,
              "reason": "203.0.113.5 is a public address, and nobody says otherwise"}
    unknown = {**public, "verdict": "unknown", "stun": None, "reason": None}
    six = {**NOBODY, "gateway": "fe80::1", "source": "2001:db8:f::5", "verdict": "unknown",
           "found": True, "protocol": "pcp", "reason": None, "tries": None}
    text = told({"enabled": True, "wans": [public, unknown, six]})
    assert text == (
        "upstream    wan1: public: 203.0.113.5 is a public address, and nobody says otherwise\n"
        "  router    STUN sees 203.0.113.5\n"
        "upstream    wan1: unknown\n"
        "upstream    wan1: IPv6\n"
        "  router    fe80::1, speaks PCP\n"
        "  ports     0 held, 0 refused, 0 asked for\n"), text


@test
def where_nobody_is_asked_status_tells_who_would_need_it():
    public = {**NOBODY, "verdict": "public", "reason": "203.0.113.5 is a public address"}
    needs = {**NOBODY, "gateway": None, "tries": None, "reason": "10.0.0.2 is a private address"}
    assert told({"enabled": False, "wans": [public, {**NOBODY, "verdict": "unknown"}]}) == ""
    assert told({"enabled": False, "wans": [needs]}) == (
        "upstream    wan1: behind NAT, not mapped: 10.0.0.2 is a private address\n")


@test
def status_tells_of_workers_that_ended_and_of_a_kernel_without_landlock():
    ended = {"ended": "2025-01-31T12:00:00Z", "end": "killed by signal 14 (Alarm clock)"}
    datagram = {**WORKERS[0], "restarts": 1, **ended}
    igd = {**WORKERS[1], "end": "could not be started: Cannot allocate memory"}
    text = told({"enabled": True, "wans": [], "workers": [datagram, igd]},
                confined={"seccomp": True, "landlock": False})
    assert text == (
        "worker      datagram is up, restarted 1 time; last end: killed by signal 14 (Alarm "
        "clock), 2025-01-31 12:00:00 (N years ago)\n"
        "worker      igd is down; last end: could not be started: Cannot allocate memory\n"
        "confined    without Landlock, which the kernel does not offer: natd may open what its "
        "user may\n"), text


def event(seq, word, **payload):
    return json.dumps({"seq": seq, "time": "2025-01-31T12:00:00Z", "event": word, **payload})


@test
def events_of_routers_are_put_into_words():
    web = {"id": 7, "name": "web", "protocol": "tcp", "external": {"address": None, "port": 8080},
           "internal": {"address": "192.168.1.10", "port": 80}, "origin": "admin",
           "owner": "uid:0", "enabled": True, "created": "2025-01-31T12:00:00Z",
           "upstream": {"wish": "required"}}
    router = {"interface": "wan0", "router": "192.168.0.1", "protocol": "pcp"}
    upstream = {"interface": "wan0", "protocol": "pcp", "mapping": web}
    events = [
        event(101, "upstream-found", **router),
        event(102, "upstream-lost", **{**router, "protocol": "nat-pmp"}),
        event(103, "external-address", **{**router, "address": "51.15.0.9"}),
        event(104, "external-address", **{**router, "address": None}),
        event(105, "upstream-mapped", **upstream, external="51.15.0.9:8080"),
        event(106, "upstream-mapped", **upstream, external=None),
        event(107, "upstream-refused", **upstream, problem="port 8080 is\u001b taken"),
        event(108, "changed", mapping=web, before={**web, "upstream": {"wish": "yes"}}, ended=0),
        event(109, "upstream-mapped", mapping=None),
    ]
    with natd() as fake:
        fake.streams = [[START, *events]]
        got = run("watch -n 9")
    expect(got, 0, None, "")
    lines = [re.sub("^2025-01-31 12:00:00  ", "", line) for line in got[1].splitlines()[1:]]
    head = '7: tcp 8080 "web" -> 192.168.1.10:80'
    assert lines == [
        "upstream-found    wan0: the router 192.168.0.1 speaks PCP",
        "upstream-lost     wan0: the router 192.168.0.1 no longer answers by NAT-PMP",
        "external-address  wan0: the router 192.168.0.1 has 51.15.0.9",
        "external-address  wan0: the router 192.168.0.1 has no external address",
        f"upstream-mapped   {head}, seen by the internet at 51.15.0.9:8080",
        f"upstream-mapped   {head}, held by the router above us",
        f"upstream-refused  {head}: port 8080 is? taken",
        f"changed           {head}, upstream required",
        "upstream-mapped   ",
    ], lines


if __name__ == "__main__":
    sys.exit(main())
