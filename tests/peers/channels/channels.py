#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data channels of the native transport against those of another implementation.

usage: channels.py [--ascii] offer|answer NATIVE PEER [ARGUMENT...]

NATIVE, the transport of ours, makes the offer or the answer, and PEER the other; both are told which on their command
lines. Each has a channel of its own in every mode (MODES), on which it sends, and sends back what comes on those of the
other. --ascii: PEER tells how long a protocol is in characters, not in bytes, so its own has none but ASCII.

They write JSON objects, a line each, to their standard output, and get those of the other and of this program on their
standard input. From here:

  {"own": [..], "negotiated": [..]}  first: the channels to be opened, in the words of the W3C, and those of the other's
                                   that are opened by both; with "sizes" of binary messages, and "largest", if one as
                                   large as it may be, and as this says, is to be among them
  {"send": BYTES}                  on each own channel: two texts, one of them empty, binary messages of its "sizes" and,
                                   if "largest", one of BYTES or of that, whichever is less
  {"refuse": BYTES}                to NATIVE: try to send one of so many
  {"close": true}                  close the own channels

And from them:

  {"type": "offer", "sdp": "..."}  a description with all its candidates, to be given to the other
  {"open": "LABEL"}                one that was opened here is open
  {"opened": "LABEL", "settings": {..}}
                                   the other opened one in-band; how it looks from here (null: cannot be asked)
  {"limit": BYTES}                 when it is known: the largest message that this side would send
  {"echoed": "LABEL"}              all that was sent on the own channel came back
  {"refused": BYTES}               NATIVE
  {"closed": "LABEL"}
  {"wrong": "..."}, {"failed": "..."}

Status 0 when all channels looked the same from both ends, both got back what they sent, each channel was closed by who
opened it, and both ends know of it.
"""

import json
import queue
import subprocess
import sys
import threading

PATIENCE = 60
LARGEST = 16 * 1024 * 1024  # ours
SIZES = [0, 1, 1200, 16384, 65536]
SMALL = [0, 1, 1200]

DEFAULTS = {"protocol": "", "ordered": True, "maxRetransmits": None, "maxPacketLifeTime": None}
MODES = {
    "reliable": {"protocol": "früh ☂", "sizes": SIZES, "largest": LARGEST},
    "unordered": {"ordered": False, "sizes": SIZES, "largest": 262144},
    "retransmits": {"ordered": False, "maxRetransmits": 3, "sizes": SMALL},
    "lifetime": {"maxPacketLifeTime": 40000, "sizes": SMALL},
    "ordered-retransmits": {"maxRetransmits": 65535, "sizes": SMALL},
    "negotiated": {"negotiated": True, "sizes": SIZES, "largest": 262144},
}


class Failed(Exception):
    pass


def channels(role):
    """Those of the one who makes the offer, or the answer. The ids of the negotiated ones are the first that either
    would give to another one."""
    number = {"offer": 0, "answer": 1}[role]
    return [{"label": f"{mode} of {role}"} | ({"id": number} if "negotiated" in init else {}) | init
            for mode, init in MODES.items()]


def negotiated(inits):
    return [init for init in inits if "negotiated" in init]


class Side:
    """One of the programs."""

    def __init__(self, name, command, own, other, events):
        self.name = name
        self.own = own
        self.other = other
        self.happened = set()
        self.opened = {}
        self.limit = None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(events,), daemon=True).start()
        self.tell({"own": self.own, "negotiated": negotiated(self.other)})

    def _read(self, events):
        for line in self.process.stdout:
            events.put((self, json.loads(line)))
        events.put((self, {"ended": True}))

    def tell(self, message):
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failed(f"{self.name} is gone") from error

    def take(self, message):
        """Notes what it says."""
        for key, value in message.items():
            if key in ("wrong", "failed", "ended"):
                raise Failed(f"{self.name}: {key}: {value}")
        if "opened" in message:
            self.opened[message["opened"]] = message["settings"]
        if "limit" in message:
            self.limit = message["limit"]
        self.happened |= {(key, value) for key, value in message.items() if isinstance(value, (str, int))}

    def check_settings(self):
        """The other's channels look as the other has opened them."""
        for init in self.other:
            if "negotiated" in init or self.opened[init["label"]] is None:
                continue
            expected = {key: init.get(key, default) for key, default in DEFAULTS.items()}
            if self.opened[init["label"]] != expected:
                raise Failed(f"{self.name} sees {self.opened[init['label']]} of {init['label']}, expected {expected}")

    def all_open(self):
        mine = {("open", init["label"]) for init in self.own + negotiated(self.other)}
        return mine | {("opened", init["label"]) for init in self.other if "negotiated" not in init}

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
    def __init__(self, native, peer, events):
        self.native, self.peer, self.events = native, peer, events

    def _take(self, what):
        try:
            side, message = self.events.get(timeout=PATIENCE)
        except queue.Empty:
            missing = {side.name: wanted - side.happened for side, wanted in what.items()}
            raise Failed(f"still missing after {PATIENCE} s: {missing}") from None
        if "sdp" in message:
            (self.peer if side is self.native else self.native).tell(message)
            return
        print(side.name, message)
        side.take(message)

    def wait(self, what):
        """WHAT: for each side a set of (key, value)."""
        while any(not wanted <= side.happened for side, wanted in what.items()):
            self._take(what)

    def run(self):
        both = (self.native, self.peer)
        self.wait({side: side.all_open() for side in both})
        for side in both:
            side.check_settings()
        while any(side.limit is None for side in both):
            self._take({side: {("limit", "..")} for side in both})
        largest = min(LARGEST, *(side.limit for side in both))
        print(f"the largest message is {largest}")
        for side in both:
            side.tell({"send": largest})
        self.wait({side: {("echoed", init["label"]) for init in side.own} for side in both})
        if self.native.limit < LARGEST:
            self.native.tell({"refuse": self.native.limit + 1})
            self.wait({self.native: {("refused", self.native.limit + 1)}})
        for side in both:
            side.tell({"close": True})
        closed = {("closed", init["label"]) for init in self.native.own + self.native.other}
        self.wait({side: closed for side in both})


def main():
    arguments = sys.argv[1:]
    ascii_only = arguments[0] == "--ascii"
    role, native, *peer = arguments[ascii_only:]
    other = "answer" if role == "offer" else "offer"
    events = queue.Queue()
    inits = channels(role), channels(other)
    if ascii_only:
        inits[1][0]["protocol"] = "ascii"
    sides = [Side("native", [native, role], *inits, events), Side("peer", [*peer, other], *inits[::-1], events)]
    try:
        Exchange(*sides, events).run()
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
