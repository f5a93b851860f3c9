# SPDX-License-Identifier: GPL-2.0-or-later
"""An interactive bash on a terminal of its own, with bash-completion loaded, to press keys in."""
import os
import pty
import select
import signal
import time

BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"
HOME, END, INSERT_ALL = "\x01", "\x05", "\x1b*"
# What a command prints ends in a character that no echo of what was typed contains.
DONE, WORD = "\x1d", "\x1e"
SAY_DONE = r"printf '\035'"
SHOW = r"""show() { printf '\036%s' "$@"; }"""


class Bash:
    """@data_dirs: where bash-completion looks for completions"""

    def __init__(self, path, data_dirs, cwd):
        self.heard = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], {
                **os.environ, "PATH": path, "XDG_DATA_DIRS": data_dirs, "HOME": cwd,
                "TERM": "dumb", "INPUTRC": "/dev/null", "LC_ALL": "C.UTF-8"})
        for line in ("stty cols 4000", "bind 'set completion-query-items 0'", SHOW,
                     f". {BASH_COMPLETION}"):
            self.run(line)

    def wait_done(self, seconds=20):
        """What was heard until a command was done."""
        end = time.monotonic() + seconds
        while DONE not in self.heard:
            left = max(0, end - time.monotonic())
            if not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(f"no end of {self.heard!r}")
            self.heard += os.read(self.fd, 65536).decode()
        before, _, self.heard = self.heard.partition(DONE)
        return before

    def run(self, line):
        os.write(self.fd, f"{line}; {SAY_DONE}\n".encode())
        return self.wait_done()

    def words(self, typed, keys=""):
        """The words in the line after typing and pressing, the command included."""
        os.write(self.fd, f"{typed}{keys}{HOME}show {END}; {SAY_DONE}\n".encode())
        return [word.rstrip() for word in self.wait_done().split(WORD)[1:]]

    def tab(self, typed):
        return self.words(typed, "\t")

    def offered(self, typed):
        """For the word that the cursor is at, in their order."""
        before = self.words(typed)
        here = len(before) - (not typed.endswith(" "))
        return sorted(self.words(typed, INSERT_ALL)[here:])

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
