# rtclink: a client of the native signaling protocol in Python
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The client's half of docs/design/signaling-protocol.md: one WebSocket, JSON in text frames."""

import asyncio
import json
import secrets

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PROTOCOL_VERSION = 1
MAX_FRAME = 65536


class Refused(Exception):
    """The server answered join with an error; code and reason are the protocol's."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def new_session():
    return secrets.token_hex(8)


class Signaling:
    """One connection. Messages are dicts; everything runs on the event loop that made it."""

    def __init__(self, uri, token=None):
        self._uri = uri
        self._token = token
        self._socket = None
        self._pinger = None
        self._last_sent = 0.0
        self.peer_id = None
        self.ice_servers = []

    async def join(self, room, **fields):
        """Connects and joins. Raises Refused, or OSError when nobody listens."""
        self._socket = await connect(self._uri, compression=None, max_size=MAX_FRAME)
        join = {"type": "join", "version": PROTOCOL_VERSION}
        if room is not None:
            join["room"] = room
        if self._token is not None:
            join["token"] = self._token
        join.update(fields)
        await self.send(join)
        welcome = json.loads(await asyncio.wait_for(self._socket.recv(), 10))
        if welcome.get("type") == "error":
            raise Refused(welcome.get("code"), welcome.get("reason"))
        if welcome.get("type") != "welcome":
            raise Refused("bad-message", f"expected welcome, the server sent {welcome.get('type')}")
        self.peer_id = welcome["peerId"]
        self.ice_servers = welcome.get("iceServers", [])
        interval = welcome.get("pingInterval", 0)
        if interval:
            self._pinger = asyncio.create_task(self._ping(interval / 1000))
        return welcome

    async def _ping(self, interval):
        clock = asyncio.get_running_loop().time
        while True:
            idle = clock() - self._last_sent
            if idle >= interval:
                await self.send({"type": "ping"})
                idle = 0
            await asyncio.sleep(interval - idle)

    async def send(self, message):
        """Sends one message. One that cannot be sent any more is dropped: messages() tells of the end."""
        self._last_sent = asyncio.get_running_loop().time()
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed:
            pass

    async def messages(self):
        """Every message until the connection ends."""
        try:
            async for frame in self._socket:
                message = json.loads(frame)
                if message.get("type") == "welcome":
                    self.ice_servers = message.get("iceServers", [])
                yield message
        except ConnectionClosed:
            return

    async def close(self):
        if self._pinger:
            self._pinger.cancel()
        if self._socket:
            await self.send({"type": "bye"})
            await self._socket.close()
