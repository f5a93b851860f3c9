# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of natctl share. Each of them is run as

    test_X.py NATCTL [WORD]     only those whose name contains WORD

Each test is a function whose name is the sentence it shows. Output is TAP.
"""

import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fake"))
from natd_api import FakeNatd  # noqa: E402 pylint: disable=wrong-import-position

NATCTL = os.path.abspath(sys.argv[1])
DIR = tempfile.mkdtemp(prefix="natctl-test-")
SOCKET = f"{DIR}/api.sock"
TESTS = []
WEB = "tcp 8080 192.168.1.10:80 --name web"
WEB_ADDED = 'added 7: tcp 8080 "web" -> 192.168.1.10:80\n'


def test(function):
    TESTS.append(function)
    return function


def run(words, stdin="", path=SOCKET, env=None, **more):
    """Return: status, stdout, stderr."""
    words = words.split() if isinstance(words, str) else words
    environment = {**os.environ, "NATD_SOCKET": path, "TZ": "UTC", **(env or {})}
    done = subprocess.run([NATCTL, *words], input=stdin, capture_output=True, text=True,
                          timeout=60, env=environment, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def expect(got, status, out=None, err=None):
    """@out, @err: the whole text, or a compiled pattern to be found in it."""
    for what, text, wanted in (("stdout", got[1], out), ("stderr", got[2], err)):
        if isinstance(wanted, re.Pattern):
            assert wanted.search(text), f"{what} {text!r} lacks {wanted.pattern!r}"
        elif wanted is not None:
            assert text == wanted, f"{what} is {text!r}, not {wanted!r}"
    assert got[0] == status, f"exit status {got[0]}, not {status}: {got[2]}"


def natd(*args, **kwargs):
    if os.path.exists(SOCKET):
        os.unlink(SOCKET)
    return FakeNatd(SOCKET, *args, **kwargs)


def unprivileged(words):
    """As somebody who may not open everything: for root, root without that capability."""
    if os.geteuid() == 0:
        caps = "-dac_override,-dac_read_search"
        words = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}", *words]
    return words


def on_terminal(words, columns=80):
    """stdout of natctl on a terminal that is @columns wide."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    # as shells run without a terminal would hand it on
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen([NATCTL, "--socket", SOCKET, *words.split()], stdout=follower,
                          stdin=follower, env={**env, "TERM": "xterm"}) as process:
        os.close(follower)
        text = b""
        while select.select([leader], [], [], 30)[0]:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # EIO: the other side is closed
                break
            text += piece
        process.wait(30)
    os.close(leader)
    return text.decode().replace("\r\n", "\n")


def main():
    word = sys.argv[2] if len(sys.argv) > 2 else ""
    chosen = [t for t in TESTS if word in t.__name__]
    failed = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {name}", flush=True)
    shutil.rmtree(DIR, ignore_errors=True)
    return failed > 0
