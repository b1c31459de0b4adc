#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: aiortc-peer.py offer|answer  (channels.py says what it does)"""

import asyncio
import json
import sys

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

TEXTS = ["früh ☂", ""]


def say(message):
    print(json.dumps(message), flush=True)


def binary(size):
    return (bytes((size + i * 7) & 255 for i in range(256)) * (size // 256 + 1))[:size]


def create(pc, init):
    names = {"protocol", "ordered", "maxRetransmits", "maxPacketLifeTime", "negotiated", "id"}
    channel = pc.createDataChannel(init["label"], **{key: init[key] for key in names & init.keys()})
    channel.on("open", lambda: say({"open": channel.label}))
    watch(channel)
    if channel.readyState == "open":
        say({"open": channel.label})
    return channel


def watch(channel):
    channel.on("close", lambda: say({"closed": channel.label}))
    channel.on("error", lambda error: say({"wrong": str(error)}))


class Own:
    """A channel on which everything is to come back."""

    def __init__(self, pc, init):
        self.init = init
        self.wanted = []
        self.channel = create(pc, init)
        self.channel.on("message", self.on_message)

    def send(self, largest):
        sizes = self.init["sizes"] + ([min(largest, self.init["largest"])] if "largest" in self.init else [])
        self.wanted = TEXTS + [binary(size) for size in sizes]
        for message in list(self.wanted):
            self.channel.send(message)

    def on_message(self, message):
        allowed = self.wanted[:1] if self.channel.ordered else self.wanted
        if message not in allowed:
            say({"wrong": f"{self.channel.label}: a message of {len(message)} came back that was not sent, or not then"})
            return
        self.wanted.remove(message)
        if not self.wanted:
            say({"echoed": self.channel.label})


def echo(channel):
    channel.on("message", channel.send)


def take_channel(channel):
    watch(channel)
    say({"opened": channel.label,
         "settings": {"protocol": channel.protocol, "ordered": channel.ordered,
                      "maxRetransmits": channel.maxRetransmits, "maxPacketLifeTime": channel.maxPacketLifeTime}})
    echo(channel)


async def main():
    offers = sys.argv[1] == "offer"
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.on("datachannel", take_channel)
    loop = asyncio.get_running_loop()
    own = []
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        message = json.loads(line)
        if "own" in message:
            own = [Own(pc, init) for init in message["own"]]
            for init in message["negotiated"]:
                echo(create(pc, init))
            if offers:
                await pc.setLocalDescription(await pc.createOffer())
                say({"type": "offer", "sdp": pc.localDescription.sdp})
        elif "sdp" in message:
            await pc.setRemoteDescription(RTCSessionDescription(message["sdp"], message["type"]))
            if not offers:
                await pc.setLocalDescription(await pc.createAnswer())
                say({"type": "answer", "sdp": pc.localDescription.sdp})
            say({"limit": pc.sctp.getCapabilities().maxMessageSize})
        elif "send" in message:
            for one in own:
                one.send(message["send"])
        elif "close" in message:
            for one in own:
                one.channel.close()
    await pc.close()


asyncio.run(main())
