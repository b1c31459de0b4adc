#!/usr/bin/env python3
# rtclink: runs one test between rtcbin and other implementations of WebRTC
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""usage: netns-run interop.py [--transport NAME] CASE   (--list names the cases of a transport)

Exits 0 when the case passed, 1 with a sentence when it did not, 77 when a program that it needs is not installed. What
the processes said is kept in RTC_TEST_ARTEFACTS, where that is set.

environment:
  RTC_PEER_PYTHON     Python with the packages of tests/peers/requirements.txt
  RTC_PEER_PION       the program built from tests/peers/pion
  RTC_TEST_TURNSERVER coturn's turnserver (default: where scripts/setup puts it)
  RTC_TEST_ARTEFACTS  folder for logs
"""

import argparse
import functools
import os
import shutil
import subprocess
import sys
import traceback

import addresses
import badinput
import cases
import leaves
import turn
from harness import Bench, Failure

SKIPPED = 77


def all_cases(transport):
    """Name to (function of a Bench, peers that it needs)."""
    found = {}

    def add(name, function, *arguments, needs=("aiortc", "pion")):
        found[name] = (functools.partial(function, **dict(arguments)) if arguments else function, needs)

    for kind in ("aiortc", "pion"):
        for part in ("offers", "answers"):
            for codec in ("vp8", "h264"):
                for direction in ("both", "send", "receive"):
                    add(f"{kind}-{part}-{codec}-{direction}", cases.exchange, ("kind", kind), ("part", part),
                        ("codec", codec), ("direction", direction), needs=(kind,))
            add(f"caller-{kind}-{part}", cases.caller, ("kind", kind), ("part", part), needs=(kind,))
    for part in ("offers", "answers"):
        for role in ("both", "receive"):
            add(f"attacker-{part}-{role}", cases.attack, ("part", part), ("role", role))
        add(f"no-common-codec-{part}", cases.no_common_codec, ("part", part), needs=("pion",))
        add(f"some-common-codec-{part}", cases.some_common_codec, ("part", part), needs=("pion",))
        add(f"several-tracks-{part}", cases.several_tracks, ("part", part), needs=("aiortc",))
    for codec in ("vp8", "h264"):
        add(f"two-pipelines-{codec}", cases.two_pipelines, ("codec", codec), needs=())
    add("come-and-go", cases.come_and_go)
    add("leave-and-come", cases.leave_and_come, needs=("aiortc",))
    add("next-fills-the-pads", cases.next_fills_the_pads)
    add("each-other", cases.each_other)
    for name, function in badinput.CASES.items():
        add(name, function, needs=("pion",))
    add("nothing-leaves", leaves.nothing_leaves, needs=())
    add("names-are-not-looked-up", leaves.names_are_not_looked_up, needs=())
    if transport == "native":
        for name, (function, arguments, needs) in turn.CASES.items():
            add(name, function, *arguments.items(), needs=(*needs, "coturn"))
        for name, (function, arguments) in addresses.CASES.items():
            add(name, function, *arguments.items(), needs=())
    return found


def lacking(needs):
    """The sentence that says what is not installed, or None."""
    python = os.environ.get("RTC_PEER_PYTHON", sys.executable)
    if "aiortc" in needs:
        try:
            # Found, not imported: that would take longer than many a case.
            look = "from importlib.util import find_spec; exit(not all(map(find_spec, ('aiortc', 'websockets', 'numpy'))))"
            probe = subprocess.run([python, "-c", look], capture_output=True, check=False, text=True)
            if probe.returncode:
                return f"{python} lacks the packages of tests/peers/requirements.txt: run scripts/setup test"
        except OSError as error:
            return f"{python} cannot be run ({error.strerror}): run scripts/setup test"
    pion = os.environ.get("RTC_PEER_PION", "")
    if "pion" in needs and not os.access(pion, os.X_OK):
        return f"RTC_PEER_PION ({pion or 'not set'}) is no program: build tests/peers/pion with go build"
    if "coturn" in needs and not os.access(turn.TURNSERVER, os.X_OK):
        return f"{turn.TURNSERVER} is no program: run scripts/setup test"
    if not shutil.which("gst-launch-1.0"):
        return "gst-launch-1.0 is not installed: run scripts/setup test"
    return None


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--transport", default="webrtcbin")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("case", nargs="?")
    arguments = parser.parse_args()
    known = all_cases(arguments.transport)
    if arguments.list:
        print("\n".join(known))
        return 0
    if arguments.case not in known:
        print(f"there is no case {arguments.case}; --list names them", file=sys.stderr)
        return 2
    function, needs = known[arguments.case]
    missing = lacking(needs)
    if missing:
        print(f"skipped: {missing}")
        return SKIPPED
    bench = Bench(arguments.transport, arguments.case)
    try:
        function(bench)
    except (Failure, TimeoutError) as failure:
        print(f"{arguments.case}: {failure}\n(logs: {bench.folder})", file=sys.stderr)
        return 1
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
        print(f"(logs: {bench.folder})", file=sys.stderr)
        return 1
    finally:
        bench.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
