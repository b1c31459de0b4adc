# rtclink: the tests between rtcbin and other implementations of WebRTC
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each case is a function of a Bench. See interop.py for how they are run."""

import signal

import capture
from harness import PEER_TONE, TONE, URI, check, sending, wait_until
from wsclient import Client

FRAMES = 60  # of a moving ball: it is elsewhere after these
SECONDS = 1.5
EXPECT = ("--expect-frames", FRAMES, "--expect-audio", SECONDS)


def expectations(kind):
    """pion does not decode: it has no tone to look at."""
    return (*EXPECT, "--expect-tone", TONE) if kind == "aiortc" else EXPECT


def received(pictures, sound, tone, pipeline):
    """Waits for what a pipeline should have decoded."""

    wait_until(lambda: not (pictures.wrong(FRAMES) or sound.wrong(SECONDS, tone)), 30,
               lambda: f"{pictures.wrong(FRAMES)}; {sound.wrong(SECONDS, tone)}; {pipeline.errors()}")


def exchange(bench, kind, part, codec, direction):
    """One pipeline and one peer. PART is the peer's: offers or answers. DIRECTION is seen from the peer."""
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    ours = [] if direction == "send" else list(sending(codec))
    theirs = [] if direction == "receive" else [video, audio]
    pipeline = bench.listener(*ours, *theirs)
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    expected = () if direction == "send" else expectations(kind)
    peer = bench.peer(kind, codec, "--offers", wishes, "--role", direction, *expected)

    session = peer.wait_for("session")
    role = {"offers": "offerer", "answers": "answerer"}[part]
    check(session["role"] == role, f"the server made {peer.name} the {session['role']}, not the {role}")
    peer.wait_for("state", connection="connected")
    if direction != "send":
        peer.wait_for("reached")
    if direction != "receive":
        received(pictures, sound, PEER_TONE, pipeline)
    if direction != "send" and kind == "pion":
        for stats in peer.events("stats"):
            check(stats["kind"] != "video" or stats["keyAsked"] == 0,
                  "no key frame came within a second of the first packet: the newcomer had to ask for one")
    check(len(peer.events("session")) == 1, f"{len(peer.events('session'))} sessions were made, one was needed")
    peer.finish()
    pipeline.finish()


def attack(bench, part, role):
    """A peer whose certificate is not the one that its description names."""
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    pipeline = bench.listener(*sending("vp8"), video, audio)
    tap = capture.Capture()
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    attacker = bench.pion("--attack", "wrong-fingerprint", "--offers", wishes, "--role", role,
                          "--expect-error", "fingerprint-mismatch", name="attacker")
    message = pipeline.wait_for_message("rtc-peer-failed")
    check("fingerprint" in message, f"rtc-peer-failed does not say what was wrong: {message.strip()}")
    attacker.wait_for("error", code="fingerprint-mismatch")
    # The attacker goes on sending and listening: three of its reports later it must still have nothing.
    reports = len(attacker.events("decrypted"))
    wait_until(lambda: len(attacker.events("decrypted")) >= reports + 3, 15, "the attacker reports no more")
    counts = attacker.events("decrypted")[-1]
    check(counts["rtp"] == 0, f"the attacker decrypted {counts['rtp']} RTP packets")
    check(counts["rtcp"] == 0, f"the attacker decrypted {counts['rtcp']} RTCP packets")
    packets = tap.stop()
    check(packets and not tap.dropped(), "the packets were not captured in full")
    if role == "receive":
        media = sum(map(capture.is_rtp, packets))
        check(media == 0, f"{media} packets of media went over the wire")
    check(pictures.size() == 0, f"{pictures.count()} of the attacker's pictures were delivered")
    check(sound.size() == 0, f"{sound.seconds()} s of the attacker's sound were delivered")
    check(not pipeline.messages("rtc-peer-connected"), "rtc-peer-connected was posted for the attacker")
    attacker.finish()

    # One who is what he says is served as if nothing had been.
    honest = bench.aiortc("--role", "receive", *expectations("aiortc"), name="honest")
    honest.wait_for("reached")
    honest.finish()
    pipeline.finish()


def no_common_codec(bench, part):
    """A peer that speaks H.264 only, and a pipeline that sends nothing but VP8."""
    pipeline = bench.listener(sending("vp8")[0])
    steady = Steady(bench)
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    peer = bench.pion("--offers", wishes, "--role", "receive", codec="h264", name="h264-only")
    # Who answers with every section rejected has said it, too.
    error = peer.wait_for("error")
    check(error["code"] == "no-common-codec", f"the error is {error['code']} ({error['reason']}), not no-common-codec")
    check("VP8" in error["reason"], f"the reason does not say which codec: {error['reason']}")
    message = pipeline.wait_for_message("rtc-peer-failed")
    check("no-common-codec" in message, f"rtc-peer-failed does not say what was wrong: {message.strip()}")
    check(not peer.events("state", connection="connected"), "it connected all the same")
    steady.check("no-common-codec")
    peer.end()
    steady.finish()
    pipeline.finish()


def some_common_codec(bench, part):
    """The same with sound beside it: what both can do is done."""
    pipeline = bench.listener(*sending("vp8"))
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    peer = bench.pion("--offers", wishes, "--role", "receive", "--expect-audio", SECONDS, codec="h264")
    peer.wait_for("reached")
    check(not peer.events("track", kind="video"), "a track of a codec that it does not speak arrived")
    peer.finish()
    pipeline.finish()


class Steady:
    """A viewer that must not notice what others do."""

    LONGEST_GAP = 500  # ms between frames, at 30 frames a second on a busy machine

    def __init__(self, bench):
        self.peer = bench.pion("--role", "receive", "--expect-frames", 30, "--duration", 600, name="steady")
        self.peer.wait_for("reached")
        self._frames = 0

    def _video(self):
        return [e for e in self.peer.events("stats") if e["kind"] == "video"]

    def check(self, after):
        """Waits for its next report but one, and looks at it."""
        have = len(self._video())
        wait_until(lambda: len(self._video()) >= have + 2 or not self.peer.running(), 15, "the steady viewer is silent")
        stats = self._video()[-1]
        check(self.peer.running(), f"the steady viewer ended after {after}: {self.peer.last_words()}")
        check(stats["frames"] > self._frames + 15, f"the steady viewer's picture stands still after {after}")
        check(stats["longestGapMs"] < self.LONGEST_GAP,
              f"the steady viewer waited {stats['longestGapMs']} ms for a frame after {after}")
        check(len(self.peer.events("session")) == 1, f"the steady viewer was connected anew after {after}")
        self._frames = stats["frames"]

    def finish(self):
        self.peer.finish()


def come_and_go(bench):
    """Peers of two kinds join, leave and are killed beside a steady one; a last one still gets everything."""
    pipeline = bench.listener(*sending("vp8"))
    steady = Steady(bench)
    for number, (kind, part, how) in enumerate([
            ("aiortc", "prefer", signal.SIGTERM), ("pion", "avoid", signal.SIGKILL),
            ("aiortc", "avoid", signal.SIGKILL), ("pion", "prefer", signal.SIGTERM)]):
        arguments = ("--offers", part, "--role", "receive", *expectations(kind))
        peer = bench.peer(kind, "vp8", *arguments, name=f"{kind}-{number}")
        peer.wait_for("reached")
        peer.end(how)
        steady.check(f"{peer.name} left by {how.name}")
    # A killed one is missed when the server's resumeTimeout has passed.
    wait_until(lambda: len(pipeline.messages("rtc-peer-left")) >= 4, 30,
               lambda: f"{len(pipeline.messages('rtc-peer-left'))} of 4 peers were reported as gone")
    last = bench.aiortc("--role", "receive", *expectations("aiortc"), name="last")
    last.wait_for("reached")
    last.finish()
    steady.finish()
    pipeline.finish()


def several_tracks(bench, part):
    """Two pictures and two tones each way, in one connection."""
    sinks = [bench.video_sink(f"video_src_{i}", f"received{i}.gray") for i in range(2)]
    sounds = [bench.audio_sink(f"audio_src_{i}", f"received{i}.pcm") for i in range(2)]
    pipeline = bench.listener(*sending("vp8"), *sending("vp8"), *(line for _, line in sinks + sounds))
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    peer = bench.aiortc("--offers", wishes, "--video", 2, "--audio", 2, "--expect-video-tracks", 2,
                        "--expect-audio-tracks", 2, *expectations("aiortc"))
    peer.wait_for("reached")
    for pictures, _ in sinks:
        wait_until(lambda p=pictures: not p.wrong(FRAMES), 30, lambda p=pictures: p.wrong(FRAMES))
    # Which tone comes out of which pad is not promised; that both come is.
    for tone in (PEER_TONE, 2 * PEER_TONE):
        wait_until(lambda t=tone: any(not s.wrong(SECONDS, t) for s, _ in sounds), 30,
                   lambda t=tone: [s.wrong(SECONDS, t) for s, _ in sounds])
    peer.finish()
    pipeline.finish()


def each_other(bench):
    """aiortc and pion with one another through our server, and each of them with the pipeline."""
    pipeline = bench.listener(*sending("vp8"))
    both = (*EXPECT, "--expect-video-tracks", 2, "--expect-audio-tracks", 2)
    aiortc = bench.aiortc("--offers", "prefer", *both)
    pion = bench.pion(*both)
    aiortc.wait_for("reached")
    pion.wait_for("reached")
    pion.finish()
    aiortc.finish()
    pipeline.finish()


def caller(bench, kind, part):
    """The pipeline that calls: the server is that of another pipeline, which only watches."""
    server = bench.listener(name="server")
    pipeline = bench.caller(*sending("vp8"))
    wishes = {"offers": "prefer", "answers": "avoid"}[part]
    # A server without tracks has nothing to send: every frame is the caller's.
    peer = bench.peer(kind, "vp8", "--offers", wishes, "--role", "receive", *expectations(kind))
    peer.wait_for("reached")
    peer.finish()
    pipeline.finish()
    server.finish()


def two_pipelines(bench, codec):
    """Both send, both receive."""
    first_pictures, first_video = bench.video_sink("video_src_0", "first.gray")
    first_sound, first_audio = bench.audio_sink("audio_src_0", "first.pcm")
    second_pictures, second_video = bench.video_sink("video_src_0", "second.gray")
    second_sound, second_audio = bench.audio_sink("audio_src_0", "second.pcm")
    first = bench.listener(*sending(codec), first_video, first_audio, name="first")
    second = bench.caller(*sending(codec), second_video, second_audio, name="second")
    received(first_pictures, first_sound, TONE, first)
    received(second_pictures, second_sound, TONE, second)
    second.finish()
    first.finish()


def next_fills_the_pads(bench):
    """One sender after the other fills the same linked pads of a pipeline that only receives."""
    pictures, video = bench.video_sink("video_src_0", "received.gray")
    sound, audio = bench.audio_sink("audio_src_0", "received.pcm")
    pipeline = bench.listener(video, audio)
    for visit, kind in enumerate(("aiortc", "pion", "aiortc")):
        frames, seconds = pictures.count(), sound.seconds()
        peer = bench.peer(kind, "vp8", "--role", "send", name=f"visit-{visit}")
        wait_until(lambda: pictures.count() >= frames + FRAMES and sound.seconds() >= seconds + SECONDS, 30,
                   f"visit {visit} brought too few pictures, or too little sound")
        received(pictures, sound, PEER_TONE, pipeline)
        peer.finish()
        wait_until(lambda: len(pipeline.messages("rtc-peer-left")) > visit, 15, f"visit {visit} has not left")
    pipeline.finish()


def leave_and_come(bench):
    """One visit after the other, each a new peer that sends too, to a pipeline that links nothing to its pads."""
    pipeline = bench.listener(*sending("vp8"))
    for visit in range(3):
        peer = bench.aiortc("--offers", "prefer", *expectations("aiortc"), name=f"visit-{visit}")
        peer.wait_for("reached")
        peer.finish()
        # And one that is cut off before it has said anything but its name.
        Client(URI, role="receive").close()
    pipeline.finish()
