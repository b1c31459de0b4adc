# rtclink: peers that begin a handshake and leave it there
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A crowd of peers in one thread: each has its WebSocket and its UDP socket, and no WebRTC."""

import hashlib
import hmac
import json
import os
import re
import selectors
import socket
import struct
import time
import zlib

from badinput import audio_section, description, section, sends
from harness import ADDRESS, URI, check
from wsclient import PING, PONG, TEXT, Client

COOKIE = 0x2112A442
USERNAME, PRIORITY, USE_CANDIDATE, CONTROLLING, INTEGRITY, FINGERPRINT = 6, 0x24, 0x25, 0x802A, 8, 0x8028


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def connectivity_check(username, password):
    """A check of RFC 8445 that nominates."""
    body = attribute(USERNAME, username.encode()) + attribute(PRIORITY, struct.pack("!I", 0x6E0001FF))
    body += attribute(USE_CANDIDATE, b"") + attribute(CONTROLLING, bytes(8))

    def head(size):
        return struct.pack("!HHI", 1, size, COOKIE) + transaction

    transaction = os.urandom(12)
    seal = hmac.new(password.encode(), head(len(body) + 24) + body, hashlib.sha1).digest()
    body += attribute(INTEGRITY, seal)
    crc = zlib.crc32(head(len(body) + 8) + body) ^ 0x5354554E
    return head(len(body) + 8) + body + attribute(FINGERPRINT, struct.pack("!I", crc))


class One:
    """One of them."""

    def __init__(self, hello):
        self.client = Client(URI, role="receive", offers="prefer")
        self.hello = hello
        self.udp = None
        self.to = next((peer["peerId"] for peer in self.client.peers if sends(peer)), None)
        self.port = None
        self.answered = self.ended = False
        self.buffer = b""

    def begin(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((ADDRESS, 0))
        self.udp.setblocking(False)
        self.client.send({"type": "offer", "to": self.to, "session": "half",
                          "sdp": description(section(), audio_section())})

    def take_message(self, message):
        if message["type"] == "answer":
            values = dict(re.findall(r"^a=(ice-ufrag|ice-pwd):(\S+)", message["sdp"], re.M))
            port = int(re.search(r"^a=candidate:\S+ 1 udp \d+ \S+ (\d+) ", message["sdp"], re.M | re.I)[1])
            self.port = port
            packet = connectivity_check(f"{values['ice-ufrag']}:abcd", values["ice-pwd"])
            self.udp.sendto(packet, (ADDRESS, port))
        elif message["type"] in ("error", "bye", "offer-request"):
            # Given up, and maybe asked for anew.
            self.ended = True

    def take_frames(self, more):
        self.buffer += more
        at = 0
        while len(self.buffer) >= at + 2:
            length, head = self.buffer[at + 1] & 127, 2
            if length == 126:
                if len(self.buffer) < at + 4:
                    break
                length, head = struct.unpack_from("!H", self.buffer, at + 2)[0], 4
            check(length < 126 or head == 4, "a message of more than 64 KiB")
            if len(self.buffer) < at + head + length:
                break
            payload, opcode = self.buffer[at + head : at + head + length], self.buffer[at] & 15
            at += head + length
            # Each hears of each that joins: half a million messages, which are not looked at.
            if opcode == TEXT and b'"joined"' not in payload:
                self.take_message(json.loads(payload))
            elif opcode == PING:
                self.client.socket.send_frame(PONG, payload)
        self.buffer = self.buffer[at:]

    def take_datagram(self, data):
        if data[0] == 1:  # the answer to the check
            for part in self.hello:
                self.udp.sendto(part, (ADDRESS, self.port))
        elif 20 <= data[0] <= 63:
            self.answered = True

    def close(self):
        self.client.close()
        if self.udp:
            self.udp.close()


class HalfOpen:
    def __init__(self, count, hello):
        self._count = count
        self._hello = hello
        self._all = []
        self._selector = selectors.DefaultSelector()

    def pump(self, timeout=0):
        for key, _ in self._selector.select(timeout):
            one, udp = key.data
            try:
                if udp:
                    one.take_datagram(key.fileobj.recv(2048))
                    continue
                key.fileobj.settimeout(0)
                more = key.fileobj.recv(1 << 20)
                check(more, "the server ended the connection of one of the crowd")
                one.take_frames(more)
            except BlockingIOError:
                pass

    def join(self):
        """All are there, and have nothing more to read."""
        while len(self._all) < self._count:
            one = One(self._hello)
            self._all.append(one)
            self._selector.register(one.client.socket._socket, selectors.EVENT_READ, (one, False))
            one.take_frames(one.client.socket._received)
            self.pump()
        check(all(one.to for one in self._all), "the crowd does not know the sender")

    def begin(self):
        """Until all had an answer to their ClientHello, or nothing comes any more."""
        for one in self._all:
            one.begin()
            self._selector.register(one.udp, selectors.EVENT_READ, (one, True))
            self.pump()
        deadline = time.monotonic() + 20
        while self.answered() < self._count and time.monotonic() < deadline:
            self.pump(0.1)

    def answered(self):
        return sum(one.answered for one in self._all)

    def ended(self):
        """How many handshakes the other side gave up: it said why, or asks for another offer."""
        self.pump()
        return sum(one.ended for one in self._all)

    def close(self):
        for one in self._all:
            one.close()
