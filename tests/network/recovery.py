#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What happens when the network breaks: rtclink to rtclink, or to Chromium. Run by netns-run.

usage: recovery.py [--agent full|lite|lite-viewer] [--viewer rtclink|chromium] [--runs N] [--bound CASE=MS] CASE..

cases, each with the time from the mend or the change to the next frame that is decoded:
  cut-SECONDS   nothing passes for so long
  address       the sender has another address
  viewer-address  the viewer has
  nat           the NAT that the viewer is behind forgets it and gives it another address

The connection must be the same afterwards (its session is, and no other was tried). Exit status 1 when it was not, or when
a time was over its bound. Environment: RTC_NETWORK_PEER, the program network-peer.
"""

import argparse
import os
import re
import statistics
import sys
import time

from network import ADDRESSES, Nat, Network, Peer

HERE = os.path.dirname(os.path.abspath(__file__))
GAP = 0.12  # between frames, that is more than jitter
QUIET = 4  # seconds between runs
VIDEO = ("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! timeoverlay ! "
         "vp8enc deadline=1 threads=1 keyframe-max-dist=3000 target-bitrate=500000 ! rtc.")


def words(text):
    return [word for word in text.split() if word]


class Link:
    def __init__(self, network, agent, viewer):
        peer = os.environ["RTC_NETWORK_PEER"]
        own, their = ("udp-port=5000" if agent == side else "" for side in ("lite", "lite-viewer"))
        self.network = network
        self.viewer_is_ours = viewer == "rtclink"
        self.sender = Peer(network, "a", [peer, *words(
            f"wssignalsrc mode=listener address=127.0.0.1 port=8080 ! rtcbin name=rtc transport=native {own} {VIDEO}")])
        network.wait_server()
        if self.viewer_is_ours:
            command = [peer, *words(
                "wssignalsrc mode=caller uri=ws://127.0.0.1:8080/ role=receive ! "
                f"rtcbin name=rtc transport=native {their} rtc.video_src_0 ! vp8dec ! fakesink name=watched sync=false "
                "async=false")]
        else:
            command = ["node", os.path.join(HERE, "chromium.mjs"), "http://127.0.0.1:8080"]
        self.viewer = Peer(network, "b", command)

    def close(self):
        self.viewer.close()
        self.sender.close()

    def session(self):
        found = re.search(r"session=\(string\)(\w+)", self.sender.stats().replace("\\", ""))
        return found and found[1]

    def check_same(self, session):
        """The connection is the first one: its session is, and no other was tried."""
        if self.session() != session:
            raise AssertionError(f"session {self.session()}, expected {session} as before")
        for peer in (self.sender, self.viewer):
            if peer.messages("rtc-peer-failed"):
                raise AssertionError("another connection was tried (rtc-peer-failed)")

    def restarts(self):
        found = re.search(r"ice-restarts=\(uint\)(\d+)", self.sender.stats().replace("\\", ""))
        return int(found[1]) if found else -1


def first_after_gap(viewer, since, timeout):
    """When the first frame came after the gap that begins around SINCE; SINCE when there was none. The last frames
    before it are still decoded for as long as packets are under way or in the jitterbuffer."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        frames = [at for at in viewer.frames[-2000:] if at > since - 1]
        for before, after in zip(frames, frames[1:]):
            if after > since and after - before > GAP and before < since + 1:
                return after
        if frames and frames[-1] > since + 2:
            return since
        with viewer.changed:
            viewer.changed.wait(0.05)
    raise TimeoutError(f"no frame within {timeout} s")


def run_case(case, network, link):
    if case.startswith("cut-"):
        network.cut = True
        time.sleep(float(case[4:]))
        before = len(link.viewer.frames)
        network.cut = False
        since = time.monotonic()
        link.viewer.wait("a frame", lambda: len(link.viewer.frames) > before, 60)
        return next(at for at in link.viewer.frames[before:]) - since
    if case == "address":
        since = time.monotonic()
        network.change_address("a")
    elif case == "viewer-address":
        since = time.monotonic()
        network.change_address("b")
    elif case == "nat":
        run_case.generation += 1
        since = time.monotonic()
        network.nat.rebind(run_case.generation)
    else:
        raise SystemExit(f"no case is called {case}; see --help")
    return first_after_gap(link.viewer, since, 60) - since


run_case.generation = 0


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, round(p * (len(values) - 1)))]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--agent", default="full", choices=("full", "lite", "lite-viewer"))
    parser.add_argument("--viewer", default="rtclink", choices=("rtclink", "chromium"))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--bound", action="append", default=[])
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    bounds = {case: float(ms) for case, _, ms in (bound.partition("=") for bound in options.bound)}
    network = Network()
    bad = 0
    try:
        for case in options.cases:
            network.nat = Nat(ADDRESSES["b"]) if case == "nat" else None
            link = Link(network, options.agent, options.viewer)
            times = []
            try:
                link.viewer.wait_frames(60, 60)
                session = link.session()
                for _ in range(options.runs):
                    time.sleep(QUIET)
                    times.append(run_case(case, network, link) * 1000)
                    link.viewer.wait_frames(20, 30)
                link.check_same(session)
                print(f"{options.agent:12} {options.viewer:9} {case:15} n={len(times):3} median "
                      f"{statistics.median(times):6.0f} p95 {percentile(times, 0.95):6.0f} most {max(times):6.0f} ms, "
                      f"{link.restarts()} restarts   {' '.join(f'{t:.0f}' for t in times)}", flush=True)
                if case in bounds and max(times) > bounds[case]:
                    print(f"{case}: {max(times):.0f} ms, expected at most {bounds[case]:.0f}")
                    bad = 1
            except (TimeoutError, AssertionError, RuntimeError) as e:
                print(f"{options.agent} {options.viewer} {case}: {e}; so far {[round(t) for t in times]}", flush=True)
                bad = 1
            finally:
                link.close()
    finally:
        network.close()
    return bad


if __name__ == "__main__":
    sys.exit(main())
