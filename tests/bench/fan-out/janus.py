# SPDX-License-Identifier: LGPL-2.1-or-later
"""Janus as Debian builds it, as a sender of fan-out.py: its configuration, and its API over HTTP.

scripts/setup test unpacks the package into .venv/janus. Of Janus only its Streaming plugin and HTTP are loaded. (The
Unix socket would be simpler, but in 1.1.2 its thread ends at once whenever it starts before the plugin is ready.)"""

import base64
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

FOLDER = Path(os.environ.get("RTC_TEST_JANUS") or Path(__file__).resolve().parents[3] / ".venv" / "janus")
API_PORT = 8088
AUDIO_PORT, VIDEO_PORT, VIDEO_RTCP_PORT = 5002, 5004, 5005
MOUNTPOINT = 1

# Debian's file as far as it sets something, with other folders, and a session that outlives a run without keep-alives.
CORE = """
general: {{
  configs_folder = "{work}"
  plugins_folder = "{work}/plugins"
  transports_folder = "{work}/transports"
  events_folder = "{work}/none"
  loggers_folder = "{work}/none"
  debug_level = {debug_level}
  debug_colors = false
  session_timeout = 0
  {general}
}}
media: {{ {media} }}
nat: {{
  nice_debug = false
  ice_ignore_list = "vmnet"
  {nat}
}}
"""

TRANSPORT = """
general: {{
  json = "compact"
  base_path = "/janus"
  http = true
  ip = "127.0.0.1"
  port = {api_port}
  https = false
}}
"""

STREAMING = """
stream: {{
  type = "rtp"
  id = {mountpoint}
  media = (
    {{ type = "audio", mid = "a", port = {audio_port}, pt = 111, codec = "opus" }},
    {{ type = "video", mid = "v", port = {video_port}, rtcpport = {video_rtcp_port}, pt = 96, codec = "h264",
      fmtp = "profile-level-id=42e01f;packetization-mode=1" }}
  )
  {mountpoint_settings}
}}
"""

DEFAULTS = {"debug_level": 4, "general": "", "media": "", "nat": "", "mountpoint_settings": ""}


def tuned():
    """What Janus' own files and its authors name for many viewers: event loops and helper threads that are as many as
    there are cores instead of a thread a viewer, a short history, ICE-lite, no log. AES-GCM it prefers by itself."""
    cores = len(os.sched_getaffinity(0))
    return {
        "debug_level": 2,
        "general": f"event_loops = {cores}\n  task_pool_size = {cores}",
        "media": 'min_nack_queue = 100, rtp_port_range = "20000-40000", nack_optimizations = true',
        "nat": "ice_lite = true",
        "mountpoint_settings": f"threads = {cores}",
    }


class Missing(Exception):
    pass


class Trouble(Exception):
    pass


def find_libraries():
    found = list(FOLDER.glob("usr/lib/*/janus"))
    if not found or not os.access(FOLDER / "usr/bin/janus", os.X_OK):
        raise Missing(f"there is no Janus in {FOLDER}: run scripts/setup test, which unpacks Debian's package")
    return found[0]


def write_configuration(work, settings):
    libraries = find_libraries()
    for folder, name in (("plugins", "libjanus_streaming.so"), ("transports", "libjanus_http.so")):
        (work / folder).mkdir()
        (work / folder / name).symlink_to(libraries / folder / name)
    (work / "none").mkdir()
    values = DEFAULTS | settings | {
        "work": work, "api_port": API_PORT, "mountpoint": MOUNTPOINT, "audio_port": AUDIO_PORT, "video_port": VIDEO_PORT,
        "video_rtcp_port": VIDEO_RTCP_PORT}
    for name, text in (("janus", CORE), ("janus.transport.http", TRANSPORT), ("janus.plugin.streaming", STREAMING)):
        (work / f"{name}.jcfg").write_text(text.format(**values), encoding="ascii")


class Server:
    """A process of Janus in the foreground, and one session with it."""

    def __init__(self, settings):
        self.work = Path(tempfile.mkdtemp(prefix="janus-"))
        self.process = self.api = None
        self.path = "/janus"  # of the session
        self.handles = {}  # of Janus, by viewer
        self.transactions = 0
        try:
            write_configuration(self.work, settings)
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self):
        with open(self.work / "log", "wb") as log:
            # pylint: disable=consider-using-with
            self.process = subprocess.Popen(
                [FOLDER / "usr/bin/janus", "--configs-folder", self.work, "--disable-colors"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        self.api = http.client.HTTPConnection("127.0.0.1", API_PORT, timeout=15)
        deadline = time.monotonic() + 15
        while self.api.sock is None:
            try:
                self.api.connect()
            except OSError as error:
                if self.process.poll() is not None:
                    raise Trouble(f"Janus ended (exit {self.process.returncode}): {self._tail()}") from error
                if time.monotonic() > deadline:
                    raise Trouble(f"Janus does not listen ({error}): {self._tail()}") from error
                time.sleep(0.05)
        self.path += f"/{self._create(deadline)['data']['id']}"

    def _create(self, deadline):
        """It listens before it is ready, and then closes what has connected."""
        while True:
            try:
                return self.ask("", {"janus": "create"})
            except Trouble:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _tail(self):
        return " / ".join((self.work / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:])

    def _get(self, method, path, body=None):
        try:
            self.api.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            return json.loads(self.api.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Trouble(f"Janus does not answer {method} ({error!r}): {self._tail()}") from error

    def ask(self, path, request):
        """What answers REQUEST; other events that come meanwhile are of no interest here."""
        self.transactions += 1
        request["transaction"] = str(self.transactions)
        answer = self._get("POST", self.path + path, json.dumps(request))
        deadline = time.monotonic() + 15
        while answer["janus"] == "ack" or answer.get("transaction") != request["transaction"]:
            if time.monotonic() > deadline:
                raise Trouble(f"Janus does not answer {request['janus']}: {self._tail()}")
            answer = self._get("GET", self.path + "?maxev=1")
        failure = answer.get("error") or answer.get("plugindata", {}).get("data", {}).get("error")
        if failure:
            raise Trouble(f"Janus refuses {json.dumps(request)}: {failure}")
        return answer

    def offer(self, name):
        """SDP for another viewer."""
        attached = self.ask("", {"janus": "attach", "plugin": "janus.plugin.streaming"})
        self.handles[name] = attached["data"]["id"]
        return self._message(name, {"request": "watch", "id": MOUNTPOINT})["jsep"]["sdp"]

    def answer(self, name, sdp):
        self._message(name, {"request": "start"}, {"type": "answer", "sdp": sdp, "trickle": False})

    def _message(self, name, body, jsep=None):
        request = {"janus": "message", "body": body} | ({"jsep": jsep} if jsep else {})
        return self.ask(f"/{self.handles[name]}", request)

    def close(self):
        if self.api:
            self.api.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


def encode(sdp):
    return base64.b64encode(sdp.encode()).decode()


def decode(word):
    return base64.b64decode(word).decode()
