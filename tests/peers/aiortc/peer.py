#!/usr/bin/env python3
# rtclink: aiortc as a peer of the native protocol
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Joins a room, sends a moving box and a tone, receives what others send, and prints JSON lines of what happens.

Exits 0 when everything that --expect-... asks for was received, 1 with a reason otherwise.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys

from aiortc import (
    RTCBundlePolicy,
    RTCCertificate,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import OperationError
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription, candidate_from_sdp
from websockets.exceptions import WebSocketException

from media import AudioMeter, MovingBox, Tone, VideoMeter
from signaling import Refused, Signaling, new_session

MIME = {"vp8": "video/VP8", "h264": "video/H264", "opus": "audio/opus"}


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Session:
    """One connection with one peer."""

    def __init__(self, owner, peer_id, name, offering):
        self.owner = owner
        self.peer_id = peer_id
        self.name = name
        self.offering = offering
        self.meters = {}
        self._tasks = []
        self._early = []
        self._described = False
        servers = [
            RTCIceServer(urls=s["urls"], username=s.get("username"), credential=s.get("credential"))
            for s in owner.signaling.ice_servers
        ]
        # Without a list of servers aiortc asks a public STUN server. With its balanced policy the second section of
        # a kind stays on a transport that BUNDLE has closed, and never sends.
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("connectionstatechange", self._on_state)
        self.pc.on("track", self._on_track)

    def _on_state(self):
        tell("state", peer=self.peer_id, session=self.name, connection=self.pc.connectionState)

    def _on_track(self, track):
        meter = VideoMeter() if track.kind == "video" else AudioMeter()
        mid = next((t.mid for t in self.pc.getTransceivers() if t.receiver.track is track), None)
        self.meters[(track.kind, mid)] = meter
        tell("track", peer=self.peer_id, session=self.name, kind=track.kind, mid=mid)
        self._tasks.append(asyncio.create_task(self._consume(track, meter)))

    async def _consume(self, track, meter):
        try:
            while True:
                meter.take(await track.recv())
        except MediaStreamError:
            tell("track-ended", peer=self.peer_id, session=self.name, kind=track.kind)

    def _add(self, kind, track, direction):
        transceiver = self.pc.addTransceiver(track or kind, direction=direction)
        wanted = MIME["opus"] if kind == "audio" else MIME[self.owner.args.codec]
        codecs = [c for c in RTCRtpReceiver.getCapabilities(kind).codecs if c.mimeType == wanted]
        transceiver.setCodecPreferences(codecs)

    async def offer(self, their_tracks):
        """Lays the sections out as the protocol says: what they send, then what we send."""
        args = self.owner.args
        if args.role != "send":
            for kind in ("video", "audio"):
                for _ in range(their_tracks.get(kind, 0)):
                    self._add(kind, None, "recvonly")
        for track in self.owner.new_tracks():
            self._add(track.kind, track, "sendonly")
        await self.pc.setLocalDescription(await self.pc.createOffer())
        await self._send_description("offer")

    async def answer(self, sdp):
        """Answers each section with what it asks for, as far as there are tracks of our own."""
        mine = {"video": [], "audio": []}
        for track in self.owner.new_tracks():
            mine[track.kind].append(track)
        for media in SessionDescription.parse(sdp).media:
            if media.kind not in mine:
                continue
            send = media.direction in ("recvonly", "sendrecv") and bool(mine[media.kind])
            receive = media.direction in ("sendonly", "sendrecv") and self.owner.args.role != "send"
            direction = {(1, 1): "sendrecv", (1, 0): "sendonly", (0, 1): "recvonly", (0, 0): "inactive"}
            track = mine[media.kind].pop(0) if send else None
            self._add(media.kind, track, direction[(int(send), int(receive))])
        await self.set_remote("offer", sdp)
        await self.pc.setLocalDescription(await self.pc.createAnswer())
        await self._send_description("answer")

    async def _send_description(self, kind):
        where = {"to": self.peer_id, "session": self.name}
        await self.owner.signaling.send({"type": kind, **where, "sdp": self.pc.localDescription.sdp})
        # aiortc gathers before it describes: the candidates are in the description.
        await self.owner.signaling.send({"type": "end-of-candidates", **where})

    async def set_remote(self, kind, sdp):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type=kind))
        self._described = True
        for message in self._early:
            await self.candidate(message)
        self._early = []

    async def candidate(self, message):
        if not self._described:
            self._early.append(message)
            return
        text = message.get("candidate", "")
        if message["type"] == "end-of-candidates" or not text:
            await self.pc.addIceCandidate(None)
            return
        candidate = candidate_from_sdp(text.removeprefix("a=").removeprefix("candidate:"))
        candidate.sdpMid = message.get("sdpMid")
        candidate.sdpMLineIndex = message.get("sdpMLineIndex")
        await self.pc.addIceCandidate(candidate)

    def report(self):
        for (kind, mid), meter in self.meters.items():
            tell("stats", peer=self.peer_id, session=self.name, kind=kind, mid=mid, **meter.report())

    async def close(self):
        for task in self._tasks:
            task.cancel()
        await self.pc.close()


class Peer:
    def __init__(self, args):
        self.args = args
        self.signaling = Signaling(args.uri, args.token)
        self.infos = {}
        self.sessions = {}
        self.best = {"video": [], "audio": []}
        self.stopped = asyncio.Event()
        self.ended = None

    def new_tracks(self):
        if self.args.role == "receive":
            return []
        tones = [Tone(self.args.tone * (i + 1)) for i in range(self.args.audio)]
        return [MovingBox() for _ in range(self.args.video)] + tones

    async def _replace(self, peer_id, name, offering):
        old = self.sessions.pop(peer_id, None)
        if old:
            await old.close()
        session = self.sessions[peer_id] = Session(self, peer_id, name, offering)
        tell("session", peer=peer_id, session=name, role="offerer" if offering else "answerer")
        return session

    async def _offer_if_due(self, info):
        """Offers when we are the one that does, and the peer's tracks are not those of the session there is."""
        peer_id = info["peerId"]
        before = self.infos.get(peer_id)
        self.infos[peer_id] = info
        if info.get("offerer") != self.signaling.peer_id:
            return
        theirs = info.get("tracks", {})
        same = before is not None and before.get("tracks") == theirs and peer_id in self.sessions
        if same or not (any(theirs.values()) or self.new_tracks()):
            return
        session = await self._replace(peer_id, new_session(), True)
        await session.offer(theirs)

    async def _on_offer(self, message):
        session = await self._replace(message["from"], message["session"], False)
        try:
            await session.answer(message["sdp"])
        except OperationError as error:
            # The only one that a well-formed offer meets: aiortc has none of its codecs.
            await self._refuse(session, "no-common-codec", str(error))
        except ValueError as error:
            await self._refuse(session, "bad-sdp", str(error))

    async def _refuse(self, session, code, reason):
        where = {"to": session.peer_id, "session": session.name}
        await self.signaling.send({"type": "error", "code": code, "reason": reason[:500], **where})
        tell("refused", peer=session.peer_id, session=session.name, code=code, reason=reason)
        self.sessions.pop(session.peer_id, None)
        await session.close()

    def _current(self, message):
        session = self.sessions.get(message.get("from"))
        return session if session and session.name == message.get("session") else None

    async def _on_message(self, message):
        kind = message["type"]
        if kind == "peers":
            for info in message["peers"]:
                await self._offer_if_due(info)
        elif kind == "joined":
            await self._offer_if_due(message["peer"])
        elif kind == "left":
            self.infos.pop(message["peerId"], None)
            session = self.sessions.pop(message["peerId"], None)
            tell("left", peer=message["peerId"], reason=message.get("reason"))
            if session:
                await session.close()
        elif kind == "offer":
            await self._on_offer(message)
        elif kind == "offer-request" and message["from"] in self.infos:
            session = await self._replace(message["from"], new_session(), True)
            await session.offer(self.infos[message["from"]].get("tracks", {}))
        elif kind == "error":
            tell("error", code=message.get("code"), reason=message.get("reason"), peer=message.get("from"))
            if self._current(message) and message.get("code") != "bad-candidate":
                await self.sessions.pop(message["from"]).close()
        elif self._current(message):
            session = self._current(message)
            if kind == "answer":
                await session.set_remote("answer", message["sdp"])
            elif kind in ("candidate", "end-of-candidates"):
                await session.candidate(message)
            elif kind == "bye":
                tell("bye", peer=message["from"], reason=message.get("reason"))
                await self.sessions.pop(message["from"]).close()

    async def _read(self):
        async for message in self.signaling.messages():
            try:
                await self._on_message(message)
            except Exception as error:  # pylint: disable=broad-except
                # A test peer says what it could not take, whatever it was, and lets the test decide.
                logging.exception("message %s", message.get("type"))
                tell("exception", type=message.get("type"), reason=f"{type(error).__name__}: {error}")
        self.ended = "the signaling server closed the connection"
        self.stopped.set()

    def missing(self):
        """The first thing that was asked for and is not there, or None."""
        args = self.args
        wanted = (
            ("video", args.expect_frames, args.expect_video_tracks),
            ("audio", args.expect_audio, args.expect_audio_tracks),
        )
        for kind, amount, count in wanted:
            if not amount:
                continue
            meters = [m for s in self.sessions.values() for (k, _), m in s.meters.items() if k == kind]
            lacking = [m.missing(amount, args.expect_tone) for m in meters]
            if lacking.count(None) < count:
                found = "; ".join(reason for reason in lacking if reason) or "no track"
                return f"{kind}: {lacking.count(None)} of {count} tracks as expected ({found})"
        return None

    async def run(self):
        args = self.args
        tracks = {"video": args.video, "audio": args.audio} if args.role != "receive" else {"video": 0, "audio": 0}
        await self.signaling.join(args.room, displayName="aiortc", role=args.role, offers=args.offers, tracks=tracks)
        tell("joined", peer=self.signaling.peer_id)
        clock = asyncio.get_running_loop().time
        start = clock()
        reader = asyncio.create_task(self._read())
        reached = False
        next_report = start + 1
        while not self.stopped.is_set() and clock() - start < args.duration:
            if not reached and self.missing() is None:
                reached = True
                tell("reached", after=round(clock() - start, 3))
            if not reached and clock() - start > args.deadline:
                break
            if clock() >= next_report:
                next_report += 1
                for session in self.sessions.values():
                    session.report()
            try:
                await asyncio.wait_for(self.stopped.wait(), 0.05)
            except asyncio.TimeoutError:
                pass
        reached = reached or self.missing() is None
        reason = None if reached else self.missing()
        for session in self.sessions.values():
            session.report()
        reader.cancel()
        for session in self.sessions.values():
            await self.signaling.send({"type": "bye", "to": session.peer_id, "session": session.name})
            await session.close()
        await self.signaling.close()
        tell("done", ok=reached, reason=reason or self.ended)
        return 0 if reached else 1


def accept_rsa():
    """aiortc, when it is the DTLS client, proposes cipher suites for ECDSA certificates only. RFC 8827 (6.5) has
    everybody support these, but webrtcbin of GStreamer 1.22 makes itself an RSA certificate."""
    create = RTCCertificate._create_ssl_context

    def create_with_rsa(self, srtp_profiles):
        context = create(self, srtp_profiles)
        context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
        return context

    RTCCertificate._create_ssl_context = create_with_rsa


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uri", required=True, help="ws://... of the signaling server")
    parser.add_argument("--room", help="room to join (default: the one of the URI's path)")
    parser.add_argument("--token", help="token of the server")
    parser.add_argument("--offers", choices=("prefer", "accept", "avoid"), default="accept")
    parser.add_argument("--role", choices=("send", "receive", "both"), default="both")
    parser.add_argument("--video", type=int, default=1, help="video tracks to send")
    parser.add_argument("--audio", type=int, default=1, help="audio tracks to send")
    parser.add_argument("--codec", choices=("vp8", "h264"), default="vp8", help="the only video codec to speak")
    parser.add_argument("--tone", type=float, default=880, help="Hz of the first audio track")
    parser.add_argument("--duration", type=float, default=60, help="seconds to stay at most")
    parser.add_argument("--deadline", type=float, default=30, help="seconds within which to receive what is expected")
    parser.add_argument("--expect-frames", type=int, default=0, help="moving frames of video to receive")
    parser.add_argument("--expect-audio", type=float, default=0, help="seconds of sound to receive")
    parser.add_argument("--expect-tone", type=float, default=0, help="Hz that the sound must have")
    parser.add_argument("--expect-video-tracks", type=int, default=1, help="video tracks that must be as expected")
    parser.add_argument("--expect-audio-tracks", type=int, default=1, help="audio tracks that must be as expected")
    parser.add_argument("--accept-rsa", action="store_true", help="connect to one with an RSA certificate, too")
    parser.add_argument("--debug", action="store_true", help="aiortc's log on stderr")
    return parser.parse_args()


async def main():
    args = parse_arguments()
    logging.basicConfig(level=logging.DEBUG if args.debug else logging.WARNING, stream=sys.stderr)
    if args.accept_rsa:
        accept_rsa()
    peer = Peer(args)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, peer.stopped.set)
    try:
        return await peer.run()
    except (Refused, OSError, asyncio.TimeoutError, WebSocketException) as error:
        tell("done", ok=False, reason=f"cannot join {args.uri}: {error or 'no answer'}")
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
