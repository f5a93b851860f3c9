#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is typed: help, and what is refused before natd is asked."""

import re
import sys

from harness import DIR, expect, main, natd, run, test


ADD = ("Usage: natctl add PROTO PORT ADDRESS[:PORT] [--name NAME] [--from PREFIX]... "
       "[--lease TIME] [--at ADDR] [--comment TEXT] [--upstream WISH] [--force] [--drain] "
       "[--disabled]")
AGAIN = "Write 90s, 15m, 1h, 7d, 1w or 1h30m."
USAGE = {
    "add tcp 0 192.168.1.10": "an automatic port needs the one inside. Write ADDRESS:PORT.",
    "add tcp auto 192.168.1.10": "an automatic port needs the one inside. Write ADDRESS:PORT.",
    "add tcp 65536 192.168.1.10": "65536 is no port. Give a number from 1 to 65535.",
    "add tcp 99999999999999999999 192.168.1.10":
        "99999999999999999999 is no port. Give a number from 1 to 65535.",
    "add tcp frob 192.168.1.10": "frob is no service of tcp that this machine's /etc/services "
                                 "knows. Give its number, from 1 to 65535.",
    "add tcp -1 192.168.1.10": "-1 is not a port number. Give a number from 1 to 65535.",
    "add tcp 9003-9000 192.168.1.10": "9003-9000 runs backwards. Write 9000-9003.",
    "add tcp 9000-70000 192.168.1.10":
        "9000-70000 is no range of ports; they are from 1 to 65535. Write 9000-9003.",
    "add tcp 9000-9003 192.168.1.10:80-82":
        "outside it is 4 ports, inside 3. Give both as many, or inside the first alone.",
    "add tcp 9000 192.168.1.10:80-82":
        "outside it is 1 port, inside 3. Give both as many, or inside the first alone.",
    "add tcp 9000-9003 192.168.1.10:65534": "add: The internal ports run over 65535.",
    "add tcp 1-5000 192.168.1.10:2":
        "add: A range with other ports inside than outside has at most 4,096 ports. Only one "
        "with the same ports inside, on any WAN address and for anybody, may be larger.",
    "add tcp 80 192.168.1.10:0": "192.168.1.10:0: the port inside cannot be chosen. Give its "
                                 "number, or leave it out.",
    "add tcp 80 [2001:db8::1]:70000": "70000 is no port. Give a number from 1 to 65535.",
    "add tcp 80 192.168.1.10:frob": "frob is no service of tcp that this machine's "
                                    "/etc/services knows. Give its number, from 1 to 65535.",
    "add dccp 80 192.168.1.10": "dccp is no protocol that is forwarded. Use tcp, udp, sctp, "
                                "udplite, or several of them: tcp,udp.",
    "add tcp 80 [2001:db8::1%lan0]:80": "[2001:db8::1%lan0]:80: a LAN is named with a host suffix "
                                        "alone, as [::10%lan0]:443. Leave out what follows the %.",
    "add tcp 80 192.168.1.10 --lease 1x": f"--lease 1x: that is no length of time. {AGAIN}",
    "add tcp 80 192.168.1.10 --lease -1": f"--lease -1: that is no length of time. {AGAIN}",
    "add tcp 80 192.168.1.10 --lease 30m1h": f"--lease 30m1h: that is no length of time. {AGAIN}",
    "add tcp 80 192.168.1.10 --lease 3651d": "--lease 3651d: a lease is of at most 3650d (10 "
                                             "years). Without one a forward stays.",
    "add tcp 80 192.168.1.10 --from 198.51.100.7/24":
        "--from 198.51.100.7/24: the address has bits behind its first 24. Write "
        "198.51.100.0/24 for the whole prefix, or 198.51.100.7 for that address alone.",
    "add tcp 80 2001:db8::1 --from 2001:db8:ff:1::/47":
        "--from 2001:db8:ff:1::/47: the address has bits behind its first 47. Write "
        "2001:db8:fe::/47 for the whole prefix, or 2001:db8:ff:1:: for that address alone.",
    "add tcp 80 192.168.1.10 --from 198.51.100.0/33":
        "--from 198.51.100.0/33: the length of a prefix is at most 32, of IPv6 128.",
    "add tcp 80 192.168.1.10 --from home": "--from home: that is no prefix. Write "
                                           "198.51.100.0/24, 198.51.100.7 or 2001:db8::/32.",
    "add tcp 80 192.168.1.10 --from 2001:db8::/32": "--from 2001:db8::/32 is IPv6, and the host "
                                                    "inside is not. Give prefixes of its family.",
    "add tcp 80 192.168.1.10" + "".join(f" --from 10.0.{i}.0/24" for i in range(65)):
        "--from is given more than 64 times. Take wider prefixes, or make several forwards.",
    "add tcp 80 192.168.1.10 --at wan0": "--at wan0: that is no address. Give one of the WAN's, "
                                         "as 203.0.113.7; the port stands before it.",
    "add tcp 80 192.168.1.10 --at 127.0.0.1": "--at 127.0.0.1: that is a loopback address. Give "
                                              "an address of the WAN, or leave --at out for any "
                                              "of them.",
    "add tcp 80 192.168.1.10 --at 2001:db8::1": "--at 2001:db8::1 is IPv6, and the host inside "
                                                "is not. Give both of one family.",
    "add tcp 80 192.168.1.10 --at 203.0.113.7 --at 203.0.113.8":
        "--at is given twice. Leave one out.",
    "add tcp 80 192.168.1.10 --upstream maybe":
        "--upstream maybe: give default, yes, no or required.",
    "add tcp 1000-1064 192.168.1.10 --upstream yes":
        re.compile("^natctl: add: [^\n]*64 ports[^\n]*\n$"),
    "upstream web maybe": "upstream maybe: give default, yes, no or required.",
    "upstream": "upstream: the forward is missing. Usage: natctl upstream PROTO PORT WISH | ID|NAME "
                "WISH",
    "upstream web": "upstream: WISH is missing. Usage: natctl upstream ID|NAME WISH",
    "upstream tcp": "upstream: PORT is missing. Usage: natctl upstream PROTO PORT WISH",
    "upstream tcp yes": "upstream: PORT is missing. Usage: natctl upstream PROTO PORT WISH",
    "upstream tcp 8080": "upstream: WISH is missing. Usage: natctl upstream PROTO PORT WISH",
    "upstream web game yes": "upstream: yes is one word too many. Give it to one forward after "
                             "the other.",
    "add tcp 80 192.168.1.300": "192.168.1.300 is no address. Write 192.168.1.10:80, "
                                "192.168.1.10 or [2001:db8::10]:443.",
    "add tcp 80 [192.168.1.3]:80": "[192.168.1.3]:80 is no address. Write 192.168.1.10:80, "
                                   "192.168.1.10 or [2001:db8::10]:443.",
    "add tcp 80 127.0.0.1":
        "127.0.0.1 is a loopback address. Give the address of a host on the LAN.",
    "add tcp 80": f"add: ADDRESS[:PORT] is missing. {ADD}",
    "add tcp auto": f"add: ADDRESS[:PORT] is missing. {ADD}",
    "add tcp 192.168.1.10:80": f"add: PORT is missing. {ADD}",
    "add tcp 80 192.168.1.10 web": f"add: web is one word too many. {ADD}",
    "add tcp 80 192.168.1.10 --name": "--name needs a value: --name NAME",
    "add tcp 80 192.168.1.10 --nmae web": "unknown option --nmae. Did you mean --name?",
    "add tcp 80 192.168.1.10 --upnp 1h": "unknown option --upnp. See: natctl help",
    "add tcp 80 192.168.1.10 --all": "--all does not go with add. See: natctl help add",
    "--json --json list": "--json is given twice. Leave one out.",
    "list --json=yes": "--json takes no value. Write just --json.",
    "list -x": "unknown option -x. See: natctl help",
    "list --port 0": "0 is no port that is meant here. Give a number from 1 to 65535.",
    "list --port 80-90": "80-90 is a range; one port of it is enough: 80.",
    "list --to 192.168.1.10:80-90": "--to 192.168.1.10:80-90: one port of the range is enough: 80.",
    "list --proto tcp,udp": "--proto tcp,udp: give tcp, udp, sctp or udplite.",
    "list --state broken": "--state broken: give active, disabled, waiting or shadowed.",
    "list --owner no-such-user": "--owner no-such-user: no user of this machine is called so. "
                                 "Give a user's name, uid:1000, or config.",
    "list --to lan1": "lan1 is no address. Write 192.168.1.10:80, 192.168.1.10 or "
                      "[2001:db8::10]:443.",
    "list all": "list: all is one word too many. Usage: natctl list [--name NAME] "
                "[--to ADDRESS[:PORT]] [--proto PROTO] [--port PORT] [--state STATE] "
                "[--owner OWNER] [--problems] [--wide]",
    "renew web": "renew: --lease TIME is missing. Say how long from now: --lease 1h; 0 is for "
                 "ever.",
    "renew tcp --lease 1h":
        "renew: PORT is missing. Usage: natctl renew PROTO PORT [--lease TIME]",
    "rename web www x": "rename: x is one word too many. A text of several words stands in "
                        "quotes.",
    "move web": "move: ADDRESS[:PORT] is missing. Usage: natctl move ID|NAME ADDRESS[:PORT] "
                "[--drain]",
    "move tcp 8080": "move: ADDRESS[:PORT] is missing. Usage: natctl move PROTO PORT "
                     "ADDRESS[:PORT] [--drain]",
    "move tcp 192.168.1.11": "move: PORT is missing. Usage: natctl move PROTO PORT "
                             "ADDRESS[:PORT] [--drain]",
    "move web 192.168.1.11 80": "move: 80 is one word too many. Address and port are one: "
                                "192.168.1.10:80.",
    "move web lan1": "lan1 is no address. Write 192.168.1.10:80, 192.168.1.10 or "
                     "[2001:db8::10]:443.",
    "move web 127.0.0.1": "127.0.0.1 is a loopback address. Give the address of a host on the "
                          "LAN.",
    "redirect web 192.168.1.11": "unknown verb redirect. Did you mean move?",
    "rename web 7up": '"7up" cannot be a name: A name starts with a letter.',
    "rename tcp 8080": "rename: NEWNAME is missing. Usage: natctl rename PROTO PORT NEWNAME",
    "comment web": "comment: TEXT is missing. Usage: natctl comment ID|NAME TEXT",
    "lookup 7": '"7" cannot be a name: A name starts with a letter.',
    "lookup web --wait=0": "--wait 0: give a number from 1 to 31536000.",
    "connections --kill": "connections --kill: say which: a forward, --proto or --remote PREFIX. "
                          "All are 0.0.0.0/0 and ::/0.",
    "connections --remote 10.0.0.1/8": "--remote 10.0.0.1/8: the address has bits behind its "
                                       "first 8. Write 10.0.0.0/8 for the whole prefix, or "
                                       "10.0.0.1 for that address alone.",
    "lsit": "unknown verb lsit. Did you mean list?",
    "rm web": "unknown verb rm. Did you mean remove?",
    "frobnicate": "unknown verb frobnicate. See: natctl help",
    "help lst": "unknown verb lst. Did you mean list?",
    "remove": "remove: the forward is missing. Usage: natctl remove PROTO PORT [--drain] | ID|NAME... "
              "[--drain]",
    "remove tcp": "remove: PORT is missing. Usage: natctl remove PROTO PORT [--drain]",
    "remove tcp 80 81": "remove: 81 is one word too many. Usage: natctl remove PROTO PORT",
    "remove 0": "0 is no ID. See: natctl list",
    "remove 99999999999999999999": "99999999999999999999 is no ID. See: natctl list",
    "status --timeout 0": "--timeout 0: give a number of seconds from 1 to 86400.",
    "status -f x": "-f reads its commands from x. Leave out status.",
    "status --socket=": "--socket is empty. Leave it out for /run/natd/api.sock.",
    "--atomic": "--atomic goes with -f FILE only.",
    "-f /nonexistent/file": "cannot read /nonexistent/file: No such file or directory",
    f"-f {DIR}": f"cannot read {DIR}: Is a directory",
}


@test
def what_is_typed_wrongly_is_named_with_its_cure():
    for words, sentence in USAGE.items():
        said = sentence if isinstance(sentence, re.Pattern) else f"natctl: {sentence}\n"
        expect(run(words), 2, "", said)


@test
def names_that_cannot_be_are_refused_here():
    for name in ("7web", "", "we b", "web\n", "x" * 64):
        got = run(["add", "tcp", "80", "192.168.1.10", "--name", name])
        expect(got, 2, "", re.compile(r'^natctl: ".*" cannot be a name: [^\n]+\n$'))


@test
def what_is_typed_wrongly_asks_nothing_of_natd():
    with natd() as fake:
        for words in USAGE:
            run(words)
        assert not fake.requests, fake.requests


@test
def without_words_the_overview_goes_to_stderr():
    expect(run(""), 2, "", re.compile("Usage: natctl .*VERB"))


@test
def help_is_there_for_all_and_for_each_verb():
    overview = run("help")
    expect(overview, 0, None, "")
    assert run("--help") == run("-h") == overview
    verbs = re.findall(r"^  ([a-z]+)  ", overview[1], re.M)
    assert len(verbs) == 19, verbs
    for verb in verbs:
        text = run(f"help {verb}")
        expect(text, 0, re.compile(rf"^natctl {verb} - [^\n]+\n\nUsage: natctl {verb}"), "")
        assert run(f"{verb} --help") == run(f"-h {verb}") == text
        assert all(len(line) <= 80 for line in text[1].splitlines()), verb


@test
def version_needs_no_natd():
    expect(run("--version", path="/nonexistent"), 0, "natctl 0.1.0\n", "")


if __name__ == "__main__":
    sys.exit(main())
