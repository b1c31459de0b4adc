#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Show a live picture with sound in a browser, from one pipeline.

usage: scripts/demo [--address ADDRESS] [--port PORT] [--codec vp8|h264]

  --address ADDRESS  where to listen: 127.0.0.1 (the default: only this machine), 0.0.0.0 (everybody who can
                     reach it may watch), or the address of one of this machine's interfaces
  --port PORT        8080; the next free one when that is taken
  --codec CODEC      vp8 (the default) or h264

Installs what is missing, builds, and takes the first camera that works, else the screen, else a test picture with a
clock; the default microphone, else a spoken voice. Ctrl-C ends it.
"""

import argparse
import ctypes
import errno
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import wave
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PROBE_SECONDS = 8
START_SECONDS = 30
END_SECONDS = 3
PORTS_TO_TRY = 50
PR_SET_PDEATHSIG = 1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

TEST_PICTURE = ("videotestsrc is-live=true ! video/x-raw,width=1280,height=720,framerate=30/1 ! "
                "clockoverlay time-format=%H:%M:%S halignment=center valignment=center font-desc=\"Sans 64\" "
                "shaded-background=true")
ENCODERS = {
    "vp8": "vp8enc deadline=1 cpu-used=8 target-bitrate=2500000",
    "h264": "x264enc tune=zerolatency speed-preset=superfast bitrate=2500",
}
# Most cameras give a smooth large picture only as JPEG; what a camera cannot do, it is not asked for twice.
CAMERA_CAPS = [
    "image/jpeg,width=1280,height=720",
    "video/x-raw,width=640,height=480",
    "video/x-raw",
    "image/jpeg",
]
SPEECH = ("This is r t c link. What you see and hear comes from one GStreamer pipeline. "
          "Plug in a camera or a microphone, and start the demo again, to see and hear yourself.")


class Stop(Exception):
    """Somebody wants the demo to end."""


class Trouble(Exception):
    """The demo cannot go on; the text says why and what to do."""


def die_with_parent():
    """In the child: not even kill -9 of the demo leaves the pipeline behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def say(text):
    print(text, flush=True)


def build(folder):
    """Configure (once) and compile. Returns the environment in which the plugins are found."""
    log = tempfile.TemporaryFile(mode="w+")  # pylint: disable=consider-using-with
    commands = [["meson", "compile", "-C", folder]]
    if not (folder / "build.ninja").exists():
        # A folder of its own: no test, and none of what tests need.
        commands.insert(0, ["meson", "setup", folder, ROOT, "-Dtests=disabled", "-Dexamples=disabled"])
    for command in commands:
        if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            log.seek(0)
            sys.stderr.write("".join(log.readlines()[-40:]))
            raise Trouble(f"`{shlex.join(map(str, command))}` failed; its last lines are above.")
    dump = subprocess.run(["sh", "-c", 'eval "$(meson devenv -C "$1" --dump)" && env -0', "sh", folder], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    return dict(entry.split("=", 1) for entry in dump.split("\0") if "=" in entry)


def works(source, environment):
    """Whether a few buffers come out of SOURCE."""
    command = ["gst-launch-1.0", "-q", *shlex.split(source), "!", "fakesink"]
    try:
        return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=PROBE_SECONDS, preexec_fn=die_with_parent,
                              check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def devices(kind, environment):
    """What gst-device-monitor-1.0 lists of KIND: (name, source as gst-launch takes it), the default first."""
    try:
        listed = subprocess.run(["gst-device-monitor-1.0", kind], env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=PROBE_SECONDS,
                                text=True, check=False).stdout
    except subprocess.TimeoutExpired:
        return []
    found = []
    for block in listed.split("Device found:")[1:]:
        name = re.search(r"^\s*name\s*: (.*)$", block, re.M)
        source = re.search(r"^\s*gst-launch-1\.0 (.*?) ! ", block, re.M)
        # A monitor is what the loudspeaker plays, which is no microphone.
        if name and source and not re.search(r"device\.class = \"?monitor", block):
            found.append((not re.search(r"is-default = true", block), name[1], source[1]))
    return [(name, source) for _, name, source in sorted(found, key=lambda device: device[0])]


def choose_picture(environment):
    """(what to say, the source)"""
    cameras = [d for d in devices("Video/Source", environment) if d[1].startswith("v4l2src")]
    for name, source in cameras:
        for caps in CAMERA_CAPS:
            if works(f"{source} num-buffers=3 ! {caps}", environment):
                return f"the camera {name}", f"{source} ! {caps} ! decodebin"
        say(f"The camera {name} gives no picture; perhaps another program has it.")
    if os.environ.get("WAYLAND_DISPLAY"):
        say("This is a Wayland session, where a program does not see the screen without being asked.")
    elif os.environ.get("DISPLAY"):
        if works("ximagesrc num-buffers=3", environment):
            return (f"the screen {os.environ['DISPLAY']}",
                    "ximagesrc use-damage=false ! video/x-raw,framerate=25/1")
        say(f"The display {os.environ['DISPLAY']} cannot be read.")
    return "a test picture with a clock (there is no camera and no screen)", TEST_PICTURE


def write_voice(path):
    """Raw sound to repeat for ever. Returns its caps' fields as rawaudioparse takes them."""
    spoken = path.with_suffix(".wav")
    try:
        subprocess.run(["espeak-ng", "-s", "150", "-w", spoken, SPEECH], check=True, stdin=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Trouble("espeak-ng does not work; `scripts/setup run` installs it.") from e
    with wave.open(str(spoken)) as voice:
        rate, channels, width = voice.getframerate(), voice.getnchannels(), voice.getsampwidth()
        pause = b"\0" * (rate * channels * width)
        path.write_bytes(voice.readframes(voice.getnframes()) + pause)
    return f"pcm-format=s16le sample-rate={rate} num-channels={channels}"


def choose_sound(environment, directory):
    """(what to say, the source)"""
    for name, source in devices("Audio/Source", environment):
        if works(f"{source} num-buffers=3", environment):
            return f"the microphone {name}", source
        say(f"The microphone {name} gives no sound.")
    path = Path(directory) / "voice.raw"
    form = write_voice(path)
    return ("a spoken voice (there is no microphone)",
            f"multifilesrc location={path} loop=true ! rawaudioparse format=pcm {form} ! "
            "audiobuffersplit output-buffer-duration=1/50 ! clocksync")


def choose_port(address, wanted):
    """The first free port from WANTED on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in range(wanted, min(wanted + PORTS_TO_TRY, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((address, port))
                s.listen()
            except PermissionError as e:
                raise Trouble(f"Port {port} may not be used by this user: take one from 1024 on.") from e
            except OSError as e:
                if e.errno != errno.EADDRINUSE:
                    raise Trouble(f"It is not possible to listen on {address}: {e.strerror}.") from e
                continue
        if port != wanted:
            say(f"Port {wanted} is taken by another program; this is port {port}.")
        return port
    raise Trouble(f"None of the ports {wanted} to {wanted + PORTS_TO_TRY - 1} is free; choose another with --port.")


def is_served(url):
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def end(process):
    """Like Ctrl-C in the pipeline's own terminal; killed when that does not help."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run_pipeline(line, environment, address, port, log):
    """Run LINE until Ctrl-C."""
    # --no-fault: after a crash it ends, instead of waiting for a debugger.
    process = subprocess.Popen(["gst-launch-1.0", "--no-fault", *shlex.split(line)], env=environment, stdout=log,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                               preexec_fn=die_with_parent)
    try:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and not is_served(url):
            if time.monotonic() > deadline:
                raise Trouble(f"The pipeline runs, but nothing answers at {url} after {START_SECONDS} s.")
            time.sleep(0.1)
        if process.poll() is None:
            say(f"\nOpen {url} in a browser. Ctrl-C ends the demo.")
            if address in ("0.0.0.0", "::"):
                say("Everybody who can reach this machine may watch, at its address and this port.")
            process.wait()
        log.seek(0)
        sys.stderr.write(log.read().decode("utf-8", "replace"))
        raise Trouble("The pipeline ended by itself; what it said is above.")
    finally:
        end(process)


def parse_arguments():
    parser = argparse.ArgumentParser(usage="scripts/demo [--address ADDRESS] [--port PORT] [--codec vp8|h264]",
                                     description=__doc__.split("\n\n")[0], epilog=__doc__.split("\n\n")[-1])
    parser.add_argument("--address", default="127.0.0.1",
                        help="where to listen: 127.0.0.1 (only this machine), 0.0.0.0 (everybody may watch), or the "
                             "address of an interface")
    parser.add_argument("--port", type=int, default=8080, help="8080; the next free one when that is taken")
    parser.add_argument("--codec", choices=ENCODERS, default="vp8", help="vp8 or h264")
    parser.add_argument("--build-dir", type=Path, default=ROOT / "build-demo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not 1 <= options.port <= 65535:
        parser.error("--port is a number from 1 to 65535")
    return options


def stop(_number, _frame):
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # once is enough; what follows takes END_SECONDS at most
    raise Stop


def main():
    options = parse_arguments()
    for number in SIGNALS:
        signal.signal(number, stop)
    if subprocess.run([ROOT / "scripts" / "setup", "run"], check=False).returncode:
        return 1
    say("Building.")
    environment = build(options.build_dir.resolve())
    with tempfile.TemporaryDirectory(prefix="rtclink-demo-") as directory, tempfile.TemporaryFile() as log:
        picture_name, picture = choose_picture(environment)
        sound_name, sound = choose_sound(environment, directory)
        say(f"Picture: {picture_name}\nSound:   {sound_name}")
        port = choose_port(options.address, options.port)
        line = (f"wssignalsrc mode=listener address={options.address} port={port} ! rtcbin name=rtc "
                f"{picture} ! queue leaky=downstream max-size-buffers=2 ! videoconvert ! {ENCODERS[options.codec]} ! rtc. "
                f"{sound} ! queue ! audioconvert ! audioresample ! opusenc ! rtc.")
        say(f"Pipeline: gst-launch-1.0 {line}")
        run_pipeline(line, environment, options.address, port, log)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Stop:
        say("\nEnded.")
        sys.exit(0)
    except Trouble as e:
        print(f"scripts/demo: {e}", file=sys.stderr)
        sys.exit(1)
