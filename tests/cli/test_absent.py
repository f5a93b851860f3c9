#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""natd is not there, or may not be asked: one line, the cure, exit status 3."""

import grp
import os
import pathlib
import re
import socket
import subprocess
import sys

from harness import DIR, NATCTL, SOCKET, expect, main, natd, run, test, unprivileged


START = "Start it with: systemctl start natd\n"
NAME_IT = "Name natd's with --socket PATH or NATD_SOCKET.\n"


@test
def no_socket_is_said_with_the_cure():
    missing = f"{DIR}/none.sock"
    sentence = f"natctl: natd is not running: no socket at {missing}. {START}"
    expect(run("list", path=missing), 3, "", sentence)
    expect(run(f"--socket {missing} list"), 3, "", sentence)
    expect(run("list", path=""), 3, "",
           f"natctl: natd is not running: no socket at /run/natd/api.sock. {START}")
    expect(run("version", path=missing), 3, "natctl 0.1.0\n", sentence)


@test
def a_socket_nobody_listens_on_is_said_with_the_cure():
    path = f"{DIR}/dead.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    expect(run("status", path=path), 3, "",
           f"natctl: natd is not running: nobody listens at {path}. {START}")


@test
def what_is_no_socket_is_said():
    path = f"{DIR}/file"
    pathlib.Path(path).write_text("")
    for p in (path, DIR):
        expect(run("status", path=p), 3, "", f"natctl: {p} is not a socket. {NAME_IT}")
    expect(run("status", path=f"{path}/api.sock"), 3, "",
           f"natctl: natd is not running: no socket at {path}/api.sock. {START}")


@test
def another_kind_of_socket_is_said():
    path = f"{DIR}/datagram.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        expect(run("status", path=path), 3, "",
               f"natctl: {path} is another program's socket. {NAME_IT}")


@test
def a_path_longer_than_a_socket_can_have_is_said():
    expect(run("status", path="/" + "x" * 107), 2, "",
           f"natctl: no socket can have a path of 108 bytes, 107 is the most. "
           f"Name a shorter one than /{'x' * 107}\n")
    expect(run("status", path="/" + "x" * 106), 3, "", re.compile("no socket at /x{106}"))


@test
def no_permission_is_said_with_the_cure():
    with natd():
        os.chmod(SOCKET, 0o060)
        group = f"group {grp.getgrgid(os.stat(SOCKET).st_gid).gr_name}"
        for mode, cure in ((0o060, f"Join {group}, or use sudo."), (0, "Use sudo.")):
            os.chmod(SOCKET, mode)
            done = subprocess.run(unprivileged([NATCTL, "--socket", SOCKET, "list"]),
                                  capture_output=True, text=True, check=False)
            expect((done.returncode, done.stdout, done.stderr), 3, "",
                   f"natctl: no permission to open {SOCKET}. {cure}\n")


@test
def a_directory_without_permission_names_natds_group():
    closed = f"{DIR}/closed"
    os.mkdir(closed, 0)
    done = subprocess.run(unprivileged([NATCTL, "--socket", f"{closed}/api.sock", "list"]),
                          capture_output=True, text=True, check=False)
    os.rmdir(closed)
    expect((done.returncode, done.stdout, done.stderr), 3, "",
           f"natctl: no permission to open {closed}/api.sock. Join group natd, or use sudo.\n")


if __name__ == "__main__":
    sys.exit(main())
