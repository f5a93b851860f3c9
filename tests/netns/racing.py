#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""racing.py SOCKET N: two clients ask for one port at the same moment, N times. Status 1
when not exactly one got it, or the other heard something else than who has it."""
import http.client
import json
import socket
import sys
import threading

HOSTS = ("192.168.1.10", "192.168.1.11")
FIRST_PORT = 10000


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("natd")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def run(path, host, n, barrier, answers):
    connection = Connection(path)
    for i in range(n):
        body = json.dumps({"protocol": "tcp", "external": {"port": FIRST_PORT + i},
                           "internal": {"address": host, "port": 80}})
        barrier.wait(60)
        connection.request("POST", "/v1/mappings", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answers.append((response.status, json.load(response)))


def fault(first, second):
    """Nothing, or why these two answers to one race are wrong."""
    won = [a for a in (first, second) if a[0] == 201]
    lost = [a for a in (first, second) if a[0] == 409]
    if len(won) != 1 or len(lost) != 1:
        return f"{first} and {second}"
    holders, mappings = lost[0][1].get("holders"), won[0][1]["mappings"]
    if lost[0][1]["code"] != "conflict" or holders[0]["id"] != mappings[0]["id"]:
        return f"the other hears {lost[0][1]}"
    return None


def main():
    path, n = sys.argv[1], int(sys.argv[2])
    barrier, answers = threading.Barrier(2), ([], [])
    racers = [threading.Thread(target=run, args=(path, host, n, barrier, mine), daemon=True)
              for host, mine in zip(HOSTS, answers)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(120)
    if [len(mine) for mine in answers] != [n, n]:
        sys.exit("they did not end")
    for first, second in zip(*answers):
        why = fault(first, second)
        if why:
            print(why)
            sys.exit(1)
    print(", ".join(f"{sum(a[0] == 201 for a in mine)} for {host}"
                    for host, mine in zip(HOSTS, answers)))


main()
