#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: aiortc-peer.py offer|answer  (channels.py says what it does)"""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

SIZES = [0, 1, 1200, 16384, 65536, 262144]
MESSAGES = ["früh ☂", ""] + [bytes((size + i * 7) & 255 for i in range(size)) for size in SIZES]


def say(message):
    print(json.dumps(message), flush=True)


def watch(channel):
    channel.on("close", lambda: say({"closed": channel.label}))
    channel.on("error", lambda error: say({"wrong": str(error)}))


def open_own(pc, label):
    channel = pc.createDataChannel(label)
    echoed = []
    watch(channel)

    @channel.on("open")
    def on_open():
        for message in MESSAGES:
            channel.send(message)

    @channel.on("message")
    def on_message(message):
        if message != MESSAGES[len(echoed)]:
            say({"wrong": f"message {len(echoed)} came back as another one"})
        echoed.append(message)
        if len(echoed) == len(MESSAGES):
            say({"echoed": label})

    return channel


def echo(channel):
    watch(channel)
    say({"opened": f"{channel.label} protocol={channel.protocol}"})
    channel.on("message", channel.send)


async def main():
    offers = sys.argv[1] == "offer"
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    own = open_own(pc, "from-offerer" if offers else "from-answerer")
    pc.on("datachannel", echo)
    if offers:
        await pc.setLocalDescription(await pc.createOffer())
        say({"type": "offer", "sdp": pc.localDescription.sdp})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        message = json.loads(line)
        if "sdp" in message:
            await pc.setRemoteDescription(RTCSessionDescription(message["sdp"], message["type"]))
            if not offers:
                await pc.setLocalDescription(await pc.createAnswer())
                say({"type": "answer", "sdp": pc.localDescription.sdp})
        elif "close" in message:
            own.close()
    await pc.close()


asyncio.run(main())
