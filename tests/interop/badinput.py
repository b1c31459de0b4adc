# rtclink: what a peer may say that it should not
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scripted client sends what is malformed, too much, too late or not its turn. Each time the answer must be the
protocol's error, and a viewer beside it must not notice."""

import contextlib

from cases import Steady, expectations
from harness import URI, Failure, check, sending, wait_until
from wsclient import Client

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["A5"] * 32)
CREDENTIALS = ["a=ice-ufrag:abcd", "a=ice-pwd:0123456789abcdef01234567", FINGERPRINT]


def section(kind="video", mid="0", payload="96", codec="VP8/90000", direction="recvonly", setup="actpass", without=()):
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {payload}", "c=IN IP4 0.0.0.0", "a=rtcp-mux", f"a=rtpmap:{payload} {codec}",
        f"a={direction}", f"a=setup:{setup}", f"a=mid:{mid}", *CREDENTIALS,
    ]
    return [line for line in lines if not any(line.startswith(f"a={name}") for name in without)]


def audio_section(**more):
    return section(**{"kind": "audio", "mid": "1", "payload": "111", "codec": "opus/48000/2", **more})


def description(*sections, bundle=True):
    mids = [line[6:] for part in sections for line in part if line.startswith("a=mid:")]
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    if bundle:
        lines.append("a=group:BUNDLE " + " ".join(mids))
    return "".join(line + "\r\n" for part in [lines, *sections] for line in part)


def many_sections(count):
    tiny = [["m=audio 9 UDP/TLS/RTP/SAVPF 0", f"a=mid:{at}", "a=inactive"] for at in range(count)]
    head = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", *CREDENTIALS, "a=setup:actpass"]
    return "".join(line + "\r\n" for part in [head, *tiny] for line in part)


# Name to the SDP of an offer and the codes that answer it. bad-message is the server's, where it looks itself.
BAD_OFFERS = {
    "not SDP": ("hello", {"bad-sdp"}),
    "nothing": ("", {"bad-sdp", "bad-message"}),
    "nothing but zeros": ("\0" * 100, {"bad-sdp", "bad-message"}),
    "no section": (description(), {"bad-sdp"}),
    "cut in the middle": (description(section())[:60], {"bad-sdp"}),
    "no mid": (description(section(without=["mid"]), bundle=False), {"bad-sdp"}),
    "one mid of two": (description(section(), audio_section(without=["mid"]), bundle=False), {"bad-sdp"}),
    "the same mid twice": (description(section(), audio_section(mid="0")), {"bad-sdp"}),
    "no fingerprint": (description(section(without=["fingerprint"])), {"bad-sdp"}),
    "a fingerprint that is none": (
        description(section()).replace(FINGERPRINT, "a=fingerprint:sha-256 zz:yy"), {"bad-sdp"}),
    "no ice-ufrag": (description(section(without=["ice-ufrag"])), {"bad-sdp"}),
    "no ice-pwd": (description(section(without=["ice-pwd"])), {"bad-sdp"}),
    "1000 sections": (many_sections(1000), {"bad-sdp"}),
    "200 whole sections": (
        description(*[section(mid=str(at)) for at in range(200)])[:59000].rsplit("m=", 1)[0], {"bad-sdp"}),
    "a codec that nobody has": (description(section(codec="X-NOTHING/90000")), {"no-common-codec"}),
    "no rtpmap": (description(section(without=["rtpmap"])), {"no-common-codec", "bad-sdp"}),
}


@contextlib.contextmanager
def watched(bench):
    """A pipeline that sends, and a viewer of it that must stay content until the end. Yields both."""
    pipeline = bench.listener(*sending("vp8"))
    steady = Steady(bench)
    yield pipeline, steady
    check(pipeline.running(), f"the pipeline ended: {pipeline.errors()}")
    # It serves whoever comes next.
    after = bench.aiortc("--role", "receive", *expectations("aiortc"), name="after")
    after.wait_for("reached")
    after.finish()
    steady.finish()
    pipeline.finish()


def pipeline_of(client):
    """The peer that sends: the pipeline. It joins its own server when it has caps, maybe after the client."""
    peers = client.peers
    while not any(sends(peer) for peer in peers):
        peers = [client.expect("joined")["peer"]]
    return next(peer["peerId"] for peer in peers if sends(peer))


def sends(peer):
    return peer["role"] != "receive" and peer["tracks"]["video"] > 0


def answered(client, codes, what, session=None):
    """Waits for an error with one of CODES, with a reason that a person can read."""
    try:
        error = client.expect("error", where=lambda m: session is None or m.get("session", session) == session)
    except TimeoutError as silence:
        raise Failure(f"{what}: {silence}") from None
    check(error["code"] in codes,
          f"{what}: answered with {error['code']} ({error.get('reason')}), not {' or '.join(codes)}")
    check(len(error.get("reason", "")) > 10, f"{what}: the error has no reason: {error}")
    return error


def bad_offers(bench):
    with watched(bench) as (pipeline, steady):
        client = Client(URI, role="receive", offers="prefer")
        to = pipeline_of(client)
        for number, (name, (sdp, codes)) in enumerate(BAD_OFFERS.items()):
            session = f"bad{number}"
            client.send({"type": "offer", "to": to, "session": session, "sdp": sdp})
            answered(client, codes, f"an offer with {name}", session)
        steady.check("all bad offers")
        # A good one is answered, by the same two.
        client.send({"type": "offer", "to": to, "session": "good", "sdp": description(section(), audio_section())})
        answer = client.expect("answer", where=lambda m: m["session"] == "good")
        check("a=mid:0" in answer["sdp"] and "a=mid:1" in answer["sdp"], "the answer to the good offer lacks a mid")
        client.close()
        failed = len(pipeline.messages("rtc-peer-failed"))
        check(failed >= len(BAD_OFFERS) - 2, f"rtc-peer-failed was posted {failed} times for {len(BAD_OFFERS)} offers")


def bad_answers(bench):
    with watched(bench) as (_, steady):
        client = Client(URI, role="receive", offers="avoid")
        to = pipeline_of(client)
        offer = client.expect("offer")
        bodies = {
            "not SDP": "hello",
            "one section of two": description(section(mid=mid_of(offer["sdp"], 0), setup="active")),
            "no fingerprint": answer_to(offer["sdp"]).replace(FINGERPRINT + "\r\n", ""),
            "other mids": answer_to(offer["sdp"]).replace("a=mid:", "a=mid:x"),
            "setup:actpass": answer_to(offer["sdp"]).replace("a=setup:active", "a=setup:actpass"),
        }
        for name, sdp in bodies.items():
            client.send({"type": "answer", "to": to, "session": offer["session"], "sdp": sdp})
            answered(client, {"bad-sdp"}, f"an answer with {name}", offer["session"])
            # The session is over; the next one is asked for.
            client.send({"type": "offer-request", "to": to, "session": offer["session"]})
            last = offer["session"]
            offer = client.expect("offer", where=lambda m, last=last: m["session"] != last)
        steady.check("all bad answers")
        # An answer to a session that is over is dropped without a word.
        client.send({"type": "answer", "to": to, "session": last, "sdp": "hello"})
        client.send({"type": "answer", "to": to, "session": "neverheardof", "sdp": "hello"})
        silent(client, "an answer to a session that is over")
        client.close()


def mid_of(sdp, index):
    return [line[6:] for line in sdp.splitlines() if line.startswith("a=mid:")][index]


def answer_to(sdp):
    """A plausible answer to our pipeline's offer, from somebody who will never be there."""
    sections, current = [], None
    for line in sdp.splitlines():
        if line.startswith("m="):
            current = {"kind": line[2:7], "payload": line.split()[3]}
            sections.append(current)
        elif current is not None and line.startswith("a=mid:"):
            current["mid"] = line[6:]
        elif current is not None and line.startswith(f"a=rtpmap:{current['payload']} "):
            current["codec"] = line.split(" ", 1)[1]
    return description(*[section(setup="active", direction="recvonly", **part) for part in sections])


def silent(client, what):
    """Nothing comes but what the server itself sends: a pong, asked for now, is the next message that matters."""
    client.send({"type": "ping"})
    message = client.expect("pong", "error", "offer", "bye")
    check(message["type"] == "pong", f"{what} was answered with {message}")


def bad_candidates(bench):
    texts = [
        "nonsense", "candidate:", "candidate:1 1 UDP", "candidate:1 1 UDP x 192.0.2.77 5000 typ host",
        "candidate:1 1 UDP 1 192.0.2.77 99999 typ host", "candidate:1 1 UDP 1 192.0.2.77 5000", "x" * 500,
        "candidate:1 1 UDP 1 192.0.2.77 5000 typ host\r\na=inactive",
    ]
    with watched(bench) as (_, steady):
        client = Client(URI, role="receive", offers="prefer")
        to = pipeline_of(client)
        client.send({"type": "offer", "to": to, "session": "good", "sdp": description(section(), audio_section())})
        client.expect("answer", where=lambda m: m["session"] == "good")
        envelope = {"type": "candidate", "to": to, "session": "good", "sdpMid": "0", "sdpMLineIndex": 0}
        for text in texts:
            client.send({**envelope, "candidate": text})
            answered(client, {"bad-candidate", "bad-message"}, f"the candidate {text[:60]!r}")
        good = "candidate:1 1 UDP 2122252543 192.0.2.77 5000 typ host"
        client.send({**envelope, "candidate": good, "sdpMid": "nowhere", "sdpMLineIndex": 77})
        answered(client, {"bad-candidate"}, "a candidate for a section that is not there")
        # The session lives: it takes good ones still, also with the a= that the protocol allows.
        client.send({**envelope, "candidate": good})
        client.send({**envelope, "candidate": f"a={good}"})
        client.send({**envelope, "session": "other", "candidate": "nonsense"})
        silent(client, "a good candidate")
        steady.check("all bad candidates")
        client.close()


def candidate_flood(bench):
    """More candidates than anybody needs, for a session that is not answered yet and for one that never was."""
    with watched(bench) as (_, steady):
        client = Client(URI, role="receive", offers="avoid")
        to = pipeline_of(client)
        offer = client.expect("offer")
        for number in range(2000):
            text = f"candidate:{number} 1 UDP 2122252543 192.0.2.77 {1024 + number} typ host"
            session = offer["session"] if number % 2 else "neverheardof"
            client.send({"type": "candidate", "to": to, "session": session, "candidate": text,
                         "sdpMid": mid_of(offer["sdp"], 0), "sdpMLineIndex": 0})
        steady.check("2000 candidates")
        client.send({"type": "ping"})
        client.expect("pong")
        client.close()


def out_of_turn(bench):
    """Offers from the one that does not offer, and messages to nobody."""
    with watched(bench) as (pipeline, steady):
        client = Client(URI, role="receive", offers="avoid")
        to = pipeline_of(client)
        client.expect("offer")
        client.send({"type": "offer", "to": to, "session": "mine", "sdp": description(section())})
        answered(client, {"not-offerer"}, "an offer from the one that does not offer")
        client.send({"type": "bye", "to": "nobody", "session": "mine"})
        answered(client, {"unknown-peer"}, "a bye to nobody")
        client.send({"type": "dance", "to": to, "session": "mine"})
        answered(client, {"unknown-type"}, "a message of an unknown type")
        # From a peer, about a session that is not there: dropped.
        for kind in ("bye", "end-of-candidates"):
            client.send({"type": kind, "to": to, "session": "neverheardof"})
        client.send({"type": "error", "to": to, "session": "neverheardof", "code": "setup-failed", "reason": "no"})
        silent(client, "a message about a session that is not there")
        check(not pipeline.messages("rtc-peer-failed"), "a message about no session failed a peer")
        steady.check("messages out of turn")
        client.close()


def storm_of_offers(bench):
    """Two hundred sessions, each replacing the one before."""
    with watched(bench) as (pipeline, steady):
        client = Client(URI, role="receive", offers="prefer")
        to = pipeline_of(client)
        sdp = description(section(), audio_section())
        for number in range(200):
            client.send({"type": "offer", "to": to, "session": f"s{number}", "sdp": sdp})
            client.send({"type": "offer", "to": to, "session": f"bad{number}", "sdp": "hello"})
        client.send({"type": "offer", "to": to, "session": "last", "sdp": sdp})
        client.expect("answer", timeout=60, where=lambda m: m["session"] == "last")
        client.close()
        steady.check("400 offers")
        wait_until(lambda: pipeline.messages("rtc-peer-left"), 30, "the one who offered is not reported as gone")


CASES = {
    "bad-offers": bad_offers,
    "bad-answers": bad_answers,
    "bad-candidates": bad_candidates,
    "candidate-flood": candidate_flood,
    "out-of-turn": out_of_turn,
    "storm-of-offers": storm_of_offers,
}
