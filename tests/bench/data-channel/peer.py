# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of this folder, as data-channel.py and share.py have them."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from program import Program, cpu_seconds  # noqa: E402


def private_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024


class Peer(Program):
    """It talks in the lines of peer.h, and may be many processes: a browser is."""

    other = None  # who gets its signaling

    def take(self, words):
        if words[0] == "signal":
            self.other.say(*words)
        else:
            super().take(words)

    def ask(self, *words, timeout=30):
        self.say(*words)
        return self.wait_for(words[0], timeout)

    def pids(self):
        """All processes of it."""
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

    def _sum(self, measure):
        total = 0
        for pid in self.pids():
            try:
                total += measure(pid)
            except OSError:  # it has ended
                pass
        return total

    def cpu(self):
        return self._sum(cpu_seconds)

    def memory(self):
        """Private bytes."""
        return self._sum(private_bytes)
