# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that are talked with in lines."""

import os
import queue
import subprocess
import threading
import time


class Failure(Exception):
    pass


class Program:
    """A process that talks in lines."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.lines = queue.Queue()
        self.other = None  # who gets its signaling
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1, env={**os.environ, **(environment or {})})
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("signal "):
                self.other.say(line.strip())
            else:
                self.lines.put(line.split())
        self.lines.put(["gone"])

    def say(self, *words):
        try:
            self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(f"{self.name} ended early (exit {self.process.poll()})") from error

    def wait_for(self, word, timeout=30):
        """The rest of the first line that begins with WORD."""
        return self.wait_for_any((word,), timeout)[1:]

    def wait_for_any(self, these, timeout=30):
        """The first line that begins with one of THESE; others are skipped."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                words = self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self.name} did not say {' or '.join(these)} within {timeout} s") from None
            if words and words[0] in these:
                return words
            if words == ["gone"]:
                raise Failure(f"{self.name} ended early (exit {self.process.wait()})")

    def ask(self, *words, timeout=30):
        self.say(*words)
        return self.wait_for(words[0], timeout)

    def pids(self):
        """All processes of it: a browser is many."""
        pids, found = [self.process.pid], []
        while pids:
            pid = pids.pop()
            found.append(pid)
            try:
                for task in os.listdir(f"/proc/{pid}/task"):
                    with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                        pids += [int(child) for child in file.read().split()]
            except OSError:
                pass
        return found

    def cpu(self):
        total = 0.0
        for pid in self.pids():
            try:
                total += time.clock_gettime((~pid << 3) | 2)  # CLOCK_PROCESS_CPUTIME_ID of another process
            except OSError:
                pass
        return total

    def memory(self):
        """Private bytes."""
        total = 0
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
            except OSError:
                pass
        return total * 1024

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(3)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
