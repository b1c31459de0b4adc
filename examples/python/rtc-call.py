#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A call between two applications that have signaling of their own: rtcbin without wssignalsrc.

Here the signaling is a TCP connection with one JSON object a line; in your application it is whatever connects
your users already. All that rtcbin wants of it is this:

- Messages from its signal "on-message" go to the peer whose name is in "to". They come from rtcbin's own thread.
- Messages of a peer go to its action signal "handle-message", with the name of that peer in "from".
- It is told who it is ("welcome"), who is there and which of the two makes the offers ("joined"), and who left
  ("left"). There is no server here, so the application says it.

docs/design/signaling-protocol.md describes the messages. The first line on the connection, a "hello", is this
program's own: the one that makes the offers has to know how many streams the other one sends. c/rtc-call.c is the
same program in C; the two can call each other.

    rtc-call.py --listen 127.0.0.1:5000
    rtc-call.py --connect 127.0.0.1:5000

Whoever can reach the port can call: the connection is neither encrypted nor asks for a password.

Needs Debian's packages python3-gi and gir1.2-gstreamer-1.0.
"""

import argparse
import json
import signal
import socket
import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gio, GLib, Gst  # noqa: E402

MAX_LINE = 65536


class Link:
    """A connection to one peer. NAME is what our rtcbin knows it by."""

    def __init__(self, call, name, connection):
        self.call, self.name, self.connection = call, name, connection
        self.greeted = False  # its hello came
        self.ended = Gio.Cancellable()
        self.stream = Gio.DataInputStream.new(connection.get_input_stream())
        print(f"{name}: connected")
        self.send({"type": "hello", "name": call.options.name, "tracks": {"video": 1, "audio": 1}})
        self.read()

    def send(self, message):
        line = json.dumps(message) + "\n"
        try:
            # A few kilobytes at a time, which the system takes at once.
            self.connection.get_output_stream().write_all(line.encode(), self.ended)
        except GLib.Error as e:
            self.end(e.message)

    def read(self):
        if not self.ended.is_cancelled():
            self.stream.read_line_async(GLib.PRIORITY_DEFAULT, self.ended, self.on_line)

    def on_line(self, stream, result):
        try:
            line, length = stream.read_line_finish_utf8(result)
        except GLib.Error as e:
            self.end(e.message)
            return
        if line is None:
            self.end("hung up")
        elif length > MAX_LINE:
            self.end("sent a line that is too long")
        else:
            try:
                self.on_message(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as e:
                self.end(f"sent a line that is no message: {e}")
        self.read()

    def on_message(self, message):
        if message.get("type") == "hello" and not self.greeted:
            tracks = {kind: int(message["tracks"].get(kind, 0)) for kind in ("video", "audio")}
            self.greeted = True
            # Both sides say the same of who offers: the caller does.
            offerer = self.name if self.call.listens else self.call.own_id
            self.call.tell({"type": "joined", "peer": {
                "peerId": self.name, "displayName": str(message.get("name", "")), "role": "both",
                "tracks": tracks, "offerer": offerer}})
        elif self.greeted:
            # Whoever it says it is: it came over this link.
            self.call.tell(message | {"from": self.name})

    def end(self, reason):
        if self.ended.is_cancelled():
            return
        print(f"{self.name}: {reason}")
        self.ended.cancel()
        self.call.on_link_end(self)


class Call:
    def __init__(self, options):
        self.options = options
        self.listens = options.listen is not None
        self.own_id = "listener" if self.listens else "caller"
        self.loop = GLib.MainLoop()
        self.links = {}
        self.callers = self.frames = self.status = 0

        self.pipeline = Gst.parse_launch(
            f"rtcbin name=rtc  {options.video_source} ! videoconvert ! queue ! vp8enc deadline=1 ! rtc.  "
            f"{options.audio_source} ! audioconvert ! audioresample ! queue ! opusenc ! rtc.")
        self.rtcbin = self.pipeline.get_by_name("rtc")
        self.rtcbin.connect("on-message", self.on_message)
        self.rtcbin.connect("pad-added", self.on_pad_added)
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message", self.on_bus)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.tell({"type": "welcome", "version": 1, "peerId": self.own_id})

    def tell(self, message):
        self.rtcbin.emit("handle-message", json.dumps(message))

    def on_message(self, _rtcbin, text):
        """rtcbin's thread: it is handed over to the main loop, which owns the links."""
        GLib.idle_add(self.send, json.loads(text), priority=GLib.PRIORITY_DEFAULT)

    def send(self, message):
        # What names nobody is for a server; and our name for the peer means nothing to it.
        link = self.links.get(message.pop("to", None))
        if link:
            link.send(message)
        return GLib.SOURCE_REMOVE

    def on_link_end(self, link):
        self.links.pop(link.name, None)
        if link.greeted:
            self.tell({"type": "left", "peerId": link.name, "reason": "closed"})
        if not self.listens:
            self.loop.quit()

    def on_caller(self, _service, connection, _source):
        self.callers += 1
        name = f"caller-{self.callers}"
        self.links[name] = Link(self, name, connection)
        return True

    def listen(self):
        service = Gio.SocketService.new()
        address = Gio.NetworkAddress.parse(self.options.listen, 0).enumerate().next(None)
        _, bound = service.add_address(address, Gio.SocketType.STREAM, Gio.SocketProtocol.TCP, None)
        service.connect("incoming", self.on_caller)
        print(f"waiting for callers on port {bound.get_port()}")
        return service

    def connect(self):
        connection = Gio.SocketClient.new().connect_to_host(self.options.connect, 0, None)
        self.links["listener"] = Link(self, "listener", connection)

    def on_pad_added(self, _rtcbin, pad):
        """A stream of a peer: it is decoded and shown. Called in rtcbin's thread."""
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        is_video = pad.get_name().startswith("video")
        if is_video:
            line = f"queue name=in ! decodebin ! videoconvert name=out ! {self.options.video_sink}"
        else:
            line = f"queue name=in ! decodebin ! audioconvert name=out ! audioresample ! {self.options.audio_sink}"
        view = Gst.parse_bin_from_description(line, False)
        print(f"{pad.get_property('peer-id')}: shows {pad.get_name()}")
        self.pipeline.add(view)
        if is_video:
            view.get_by_name("out").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, self.on_frame)
        entry = Gst.GhostPad.new("sink", view.get_by_name("in").get_static_pad("sink"))
        view.add_pad(entry)
        view.sync_state_with_parent()
        if pad.link(entry) != Gst.PadLinkReturn.OK:
            print(f"{pad.get_name()} could not be linked", file=sys.stderr)

    def on_frame(self, _pad, _info):
        """A streaming thread."""
        self.frames += 1
        if self.frames == self.options.frames:
            GLib.idle_add(self.loop.quit)
        return Gst.PadProbeReturn.OK

    def on_bus(self, _bus, message):
        if message.type == Gst.MessageType.ERROR:
            error, _debug = message.parse_error()
            print(f"{message.src.get_name()}: {error.message}", file=sys.stderr)
            self.status = 1
            self.loop.quit()
        elif message.type == Gst.MessageType.WARNING:
            error, _debug = message.parse_warning()
            print(f"{message.src.get_name()}: {error.message}", file=sys.stderr)
        elif message.type == Gst.MessageType.LATENCY:
            self.pipeline.recalculate_latency()
        elif message.type == Gst.MessageType.ELEMENT:
            # rtc-peer-joined, -connected, -disconnected, -failed, -left
            name = message.get_structure().get_name()
            if name.startswith("rtc-peer-"):
                print(f"{message.get_structure().get_string('peer-id')}: {name.removeprefix('rtc-peer-')}")

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, number, self.loop.quit)
        self.loop.run()
        print(f"{self.frames} frames shown")
        self.pipeline.set_state(Gst.State.NULL)
        return self.status


def main():
    parser = argparse.ArgumentParser(description="A call with signaling of its own.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen", metavar="HOST:PORT", help="wait for callers here")
    where.add_argument("--connect", metavar="HOST:PORT", help="call the one that waits there")
    parser.add_argument("--name", default=socket.gethostname(), help="your name, for the other side")
    parser.add_argument("--video-source", metavar="LINE", help="raw video to send, as for gst-launch-1.0",
                        default="videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360")
    parser.add_argument("--audio-source", metavar="LINE", help="raw audio to send, as for gst-launch-1.0",
                        default="audiotestsrc is-live=true wave=ticks")
    parser.add_argument("--video-sink", metavar="ELEMENT", default="autovideosink")
    parser.add_argument("--audio-sink", metavar="ELEMENT", default="autoaudiosink")
    parser.add_argument("--frames", metavar="N", type=int, default=0, help="end after this many frames were shown")
    options = parser.parse_args()

    Gst.init(None)
    sys.stdout.reconfigure(line_buffering=True)
    try:
        call = Call(options)
        service = call.listen() if call.listens else call.connect()
    except GLib.Error as e:
        print(e.message, file=sys.stderr)
        return 1
    status = call.run()
    if service:
        service.stop()
    return status


if __name__ == "__main__":
    sys.exit(main())
