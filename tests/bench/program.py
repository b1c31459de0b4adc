# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that a bench starts and talks with in lines."""

import os
import queue
import subprocess
import threading
import time


class Failure(Exception):
    pass


def cpu_seconds(pid):
    return time.clock_gettime((~pid << 3) | 2)  # CLOCK_PROCESS_CPUTIME_ID of another process


class Program:
    """A process that talks in lines: words with a space between them, of which the first says what it is."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.lines = queue.Queue()
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1, env={**os.environ, **(environment or {})})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            if words:
                self.take(words)
        self.lines.put(["gone"])

    def take(self, words):
        """What it says, at once and in a thread of its own. Here it is kept for who waits."""
        self.lines.put(words)

    def say(self, *words):
        try:
            self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(f"{self.name} ended early (exit {self.process.poll()})") from error

    def get(self, deadline):
        """The next line; None when the deadline is over. One that begins with "error" is a failure."""
        try:
            words = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None
        if words == ["gone"]:
            raise Failure(f"{self.name} ended early (exit {self.process.wait()})")
        if words[0] == "error":
            raise Failure(f"{self.name}: {' '.join(words[1:])}")
        return words

    def wait_for_any(self, these, timeout=30):
        """The first line that begins with one of THESE; others are skipped."""
        deadline = time.monotonic() + timeout
        while True:
            words = self.get(deadline)
            if words is None:
                raise Failure(f"{self.name} did not say {' or '.join(these)} within {timeout} s")
            if words[0] in these:
                return words

    def wait_for(self, word, timeout=30):
        """The rest of the first line that begins with WORD."""
        return self.wait_for_any((word,), timeout)[1:]

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(3)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
