#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data channels of the native transport against those of another implementation.

usage: channels.py offer|answer NATIVE PEER [ARGUMENT...]

NATIVE, the transport of ours, makes the offer or the answer, and PEER the other; both are told which on their command
lines. They write JSON objects, a line each, to their standard output, and get those of the other and of this program on
their standard input:

  {"type": "offer", "sdp": "..."}  a description with all its candidates, to be given to the other
  {"opened": "LABEL ..."}          the other opened a channel; what comes on it is sent back
  {"echoed": "LABEL"}              all that was sent on the own channel ("from-offerer", "from-answerer") came back:
                                   two texts, one of them empty, and binary messages of 0 bytes to 256 KiB
  {"too-large": "..."}             the other takes no message of that size; it is left out
  {"closed": "LABEL"}              a channel is closed
  {"wrong": "..."}, {"failed": "..."}

  {"close": true}                  from here: the own channel is to be closed

Status 0 when both got back what they sent, each channel was closed by who opened it, and both ends know of it.
"""

import json
import queue
import subprocess
import sys
import threading

PATIENCE = 60


class Failed(Exception):
    pass


class Side:
    """One of the programs."""

    def __init__(self, name, command, events):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    def _read(self, events):
        for line in self.process.stdout:
            events.put((self, json.loads(line)))
        events.put((self, {"ended": True}))

    def tell(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def end(self):
        try:
            self.process.stdin.close()
            if self.process.wait(PATIENCE) != 0:
                raise Failed(f"{self.name} ended with status {self.process.returncode}")
        except BrokenPipeError as error:
            raise Failed(f"{self.name} is gone") from error
        finally:
            self.process.kill()


class Exchange:
    """What both say, and what of it has happened."""

    def __init__(self, native, peer, events):
        self.sides = {native: peer, peer: native}
        self.happened = {native: set(), peer: set()}
        self.events = events

    def _take(self, what):
        try:
            side, message = self.events.get(timeout=PATIENCE)
        except queue.Empty:
            missing = {side.name: wanted - self.happened[side] for side, wanted in what.items()}
            raise Failed(f"still missing after {PATIENCE} s: {missing}") from None
        if "sdp" in message:
            self.sides[side].tell(message)
            return
        print(side.name, message)
        for key, value in message.items():
            if key in ("wrong", "failed", "ended"):
                raise Failed(f"{side.name}: {key}: {value}")
            self.happened[side].add((key, str(value).split(" ", 1)[0]))

    def wait(self, what):
        """WHAT: for each side a set of (key, value)."""
        while any(not wanted <= self.happened[side] for side, wanted in what.items()):
            self._take(what)


def run(native, peer, native_label, peer_label, events):
    exchange = Exchange(native, peer, events)
    exchange.wait({
        native: {("echoed", native_label), ("opened", peer_label)},
        peer: {("echoed", peer_label), ("opened", native_label)},
    })
    both = {("closed", native_label), ("closed", peer_label)}
    native.tell({"close": True})
    peer.tell({"close": True})
    exchange.wait({native: both, peer: both})


def main():
    role, native, *peer = sys.argv[1:]
    events = queue.Queue()
    sides = [Side("native", [native, role], events),
             Side("peer", [*peer, "answer" if role == "offer" else "offer"], events)]
    try:
        labels = ["from-offerer", "from-answerer"]
        run(*sides, *(labels if role == "offer" else labels[::-1]), events)
        for side in sides:
            side.end()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        for side in sides:
            side.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
