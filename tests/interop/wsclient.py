# rtclink: a WebSocket client of the standard library, for tests that send what no well-behaved client does
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""RFC 6455 as far as a test needs it: text frames of one piece, close, and whatever bytes a test wants to send."""

import base64
import json
import os
import socket
import struct
import time
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Closed(Exception):
    """The server closed: code (or None, without a close frame) and reason."""

    def __init__(self, code, reason=""):
        super().__init__(f"close code {code} {reason}")
        self.code = code
        self.reason = reason


class WebSocket:
    def __init__(self, uri, timeout=10):
        parts = urlsplit(uri)
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout)
        self._received = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._received:
            self._fill(time.monotonic() + timeout)
        head, self._received = self._received.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Closed(None, head.decode(errors="replace"))

    def _fill(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        more = self._socket.recv(65536)
        if not more:
            raise Closed(None)
        self._received += more

    def send_frame(self, opcode, payload):
        mask = os.urandom(4)
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, length)
        repeated = (mask * (length // 4 + 1))[:length]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")
        self._socket.settimeout(10)
        self._socket.sendall(head + mask + masked)

    def send(self, message):
        self.send_frame(TEXT, json.dumps(message).encode())

    def _take(self, count, deadline):
        while len(self._received) < count:
            self._fill(deadline)
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def receive(self, timeout=10):
        """The next message. Raises TimeoutError, or Closed."""
        deadline = time.monotonic() + timeout
        while True:
            while len(self._received) < 2:
                self._fill(deadline)
            opcode, length = self._received[0] & 15, self._received[1] & 127
            self._take(2, deadline)
            if length == 126:
                length = struct.unpack("!H", self._take(2, deadline))[0]
            elif length == 127:
                length = struct.unpack("!Q", self._take(8, deadline))[0]
            payload = self._take(length, deadline)
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING:
                self.send_frame(PONG, payload)
            elif opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else None
                raise Closed(code, payload[2:].decode(errors="replace"))

    def close(self):
        self._socket.close()


class Client:
    """A joined client of the native protocol that leaves everything else to the test."""

    def __init__(self, uri, **join):
        self.socket = WebSocket(uri)
        self.send({"type": "join", "version": 1, **join})
        self.welcome = self.expect("welcome")
        self.peer_id = self.welcome["peerId"]
        self.peers = self.expect("peers")["peers"]

    def send(self, message):
        self.socket.send(message)

    def expect(self, *types, timeout=10, where=lambda message: True):
        """The next message of one of the types for which where() is true; all others are passed over."""
        deadline = time.monotonic() + timeout
        seen = []
        while True:
            try:
                message = self.socket.receive(max(0, deadline - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(f"no {' or '.join(types)} within {timeout} s, but {seen}") from None
            if message["type"] in types and where(message):
                return message
            seen.append({key: str(value)[:80] for key, value in message.items()})

    def close(self):
        self.socket.close()
