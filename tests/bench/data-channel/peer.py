# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of this folder, as data-channel.py and share.py have them."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from program import Program  # noqa: E402


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
