#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""aiortc as one end of data-channel.py's link: two channels, and lines as peer.h in this folder says.

usage: aiortc-peer.py offer|answer
"""

import asyncio
import base64
import os
import struct
import sys
import time

from aiortc import RTCPeerConnection, RTCSessionDescription

HIGH, LOW, PING_SIZE = 1024 * 1024, 256 * 1024, 64


def say(*words):
    print(*words, flush=True)


class End:
    def __init__(self):
        self.connection = RTCPeerConnection()
        self.opened = self.bytes = self.messages = self.slow = 0
        self.room = asyncio.Event()
        self.flooding = None
        self.trips = []
        self.bulk, self.ping = self._open("bulk", 0), self._open("ping", 1)
        self.bulk.bufferedAmountLowThreshold = LOW
        self.bulk.on("bufferedamountlow", self.room.set)
        self.bulk.on("message", self._on_bulk)
        self.ping.on("message", self._on_ping)

    def _open(self, label, number):
        channel = self.connection.createDataChannel(label, negotiated=True, id=number)
        channel.on("open", self._on_open)
        if channel.readyState == "open":
            self._on_open()
        return channel

    def _on_open(self):
        self.opened += 1
        if self.opened == 2:
            say("open")

    def _on_bulk(self, message):
        self.bytes += len(message)
        self.messages += 1
        if self.slow:
            time.sleep(self.slow / 1e6)

    def _on_ping(self, message):
        then, owner = struct.unpack_from("<dI", message)
        if owner == os.getpid():
            self.trips.append(int((time.monotonic() - then) * 1e6))
        else:
            self.ping.send(message)

    async def _flood(self, size):
        message = bytes(size)
        while True:
            self.room.clear()
            while self.bulk.bufferedAmount < HIGH:
                self.bulk.send(message)
            await self.room.wait()

    async def _send_pings(self, n, interval):
        begin = time.monotonic()
        for i in range(n):
            await asyncio.sleep(begin + i * interval - time.monotonic())
            message = struct.pack("<dI", time.monotonic(), os.getpid())
            self.ping.send(message.ljust(PING_SIZE, b"\0"))
        end = time.monotonic() + 3
        while len(self.trips) < n and time.monotonic() < end:
            await asyncio.sleep(0.001)
        say("ping", *self.trips)
        self.trips.clear()

    async def describe(self, description):
        await self.connection.setLocalDescription(description)
        say("description", base64.b64encode(self.connection.localDescription.sdp.encode()).decode())

    async def _take_description(self, text):
        kind = "answer" if self.connection.localDescription else "offer"
        sdp = base64.b64decode(text).decode()
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type=kind))
        if kind == "offer":
            await self.describe(await self.connection.createAnswer())

    async def take(self, words):
        if words[0] == "description":
            await self._take_description(words[1])
        elif words[0] == "flood":
            self.flooding = asyncio.ensure_future(self._flood(int(words[1])))
        elif words[0] == "stop":
            self.flooding.cancel()
        elif words[0] == "count":
            say("count", self.bytes, self.messages)
        elif words[0] == "ping":
            await self._send_pings(int(words[1]), int(words[2]) / 1e6)
        elif words[0] == "slow":
            self.slow = int(words[1])
        elif words[0] == "path":
            say("path")
        else:
            sys.exit(f"aiortc-peer.py: what is {words[0]}?")


async def main():
    end = End()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    if sys.argv[1:] == ["offer"]:
        await end.describe(await end.connection.createOffer())
    while line := await reader.readline():
        await end.take(line.decode().split())


asyncio.run(main())
