# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two networks with a path between them that can be delayed, cut and translated, for tests under netns-run.

   a: 192.0.2.1 (rtc0) ──── relay, 25 ms each way ──── b: 192.0.2.2 (rtc0)
   a: 127.0.0.1:8080 ◄──── signaling, 50 ms each way, never cut ──── b: 127.0.0.1:8080

The relay carries Ethernet frames from one cable to the other. Neighbours are known beforehand, so that a cut costs no
time for finding them again, as it would not behind a router.
"""

import ctypes
import fcntl
import heapq
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
SIOCETHTOOL = 0x8946
ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO = 0x17, 0x1F, 0x24, 0x2C
MACS = {"a": "02:00:00:00:00:0a", "b": "02:00:00:00:00:0b"}
ADDRESSES = {"a": "192.0.2.1", "b": "192.0.2.2"}
OTHERS = {"a": "192.0.2.11", "b": "192.0.2.12"}  # to change to
OUTSIDE = ("192.0.2.101", "192.0.2.102")  # of the NAT
DELAY = 0.025
SIGNALING_DELAY = 0.050
PORT = 8080

libc = ctypes.CDLL(None, use_errno=True)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Namespace:
    """A network namespace, held by a process that sleeps."""

    def __init__(self):
        self.keeper = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                       stdout=subprocess.PIPE)
        self.keeper.stdout.readline()
        self.path = f"/proc/{self.keeper.pid}/ns/net"

    def run(self, *command):
        run("nsenter", f"--net={self.path}", *command)

    def command(self, *command):
        return ["nsenter", f"--net={self.path}", *command]

    def socket(self, *args):
        """A socket of the other network, in this process."""
        with open("/proc/thread-self/ns/net", encoding="ascii") as here, open(self.path, encoding="ascii") as there:
            if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(*args)
            finally:
                libc.setns(here.fileno(), CLONE_NEWNET)

    def close(self):
        self.keeper.terminate()
        self.keeper.wait()


def without_offload(name):
    """Frames have to leave as they are on a wire: one packet each, with its checksum."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in (ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO):
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("@16sP16x", name.encode(), ctypes.addressof(value)))


def checksum(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Nat:
    """Gives UDP packets of one address another one, and another port. Knows only who sent first."""

    def __init__(self, inside):
        self.inside = socket.inet_aton(inside)
        self.rebind(0)

    def rebind(self, generation):
        self.outside = socket.inet_aton(OUTSIDE[generation % 2])
        self.shift = 1000 + 500 * generation
        self.seen = set()  # ports

    @staticmethod
    def _rewrite(frame, source, address, port):
        frame = bytearray(frame)
        start = 14 + (frame[14] & 15) * 4
        at = 26 if source else 30
        frame[at:at + 4] = address
        at = start + (0 if source else 2)
        frame[at:at + 2] = struct.pack("!H", port)
        frame[start + 6:start + 8] = b"\0\0"  # no checksum, as UDP over IPv4 may have
        frame[24:26] = b"\0\0"
        frame[24:26] = struct.pack("!H", checksum(bytes(frame[14:start])))
        return bytes(frame)

    def out(self, frame):
        start = 14 + (frame[14] & 15) * 4
        port = struct.unpack_from("!H", frame, start)[0]
        self.seen.add(port)
        return self._rewrite(frame, True, self.outside, (port + self.shift) & 0xFFFF)

    def back(self, frame):
        start = 14 + (frame[14] & 15) * 4
        port = (struct.unpack_from("!H", frame, start + 2)[0] - self.shift) & 0xFFFF
        if frame[30:34] != self.outside or port not in self.seen:
            return None
        return self._rewrite(frame, False, self.inside, port)


class Network:
    """Everything above; close() ends it."""

    def __init__(self):
        self.spaces = {"a": Namespace(), "b": Namespace()}
        self.cut = False
        self.nat = None  # of b
        self.wires = {}
        self.queue = []
        self.count = 0
        for side, space in self.spaces.items():
            other = "b" if side == "a" else "a"
            run("ip", "link", "add", f"mid{side}", "type", "veth", "peer", "name", "rtc0", "address", MACS[side],
                "netns", str(space.keeper.pid))
            run("sysctl", "-qw", f"net.ipv6.conf.mid{side}.disable_ipv6=1")
            space.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
            space.run("ip", "link", "set", "lo", "up")
            space.run("ip", "link", "set", "rtc0", "up")
            space.run("ip", "addr", "add", f"{ADDRESSES[side]}/24", "dev", "rtc0")
            for address in (ADDRESSES[other], OTHERS[other], *OUTSIDE):
                space.run("ip", "neigh", "replace", address, "lladdr", MACS[other], "dev", "rtc0", "nud", "permanent")
            space.run("python3", os.path.abspath(__file__), "--without-offload", "rtc0")
            run("ip", "link", "set", f"mid{side}", "up", "promisc", "on")
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            wire.bind((f"mid{side}", ETH_P_ALL))
            wire.setblocking(False)
            self.wires[side] = wire
        self.stopping = False
        self.thread = threading.Thread(target=self._relay, daemon=True)
        self.thread.start()
        self.signaling = threading.Thread(target=self._signal, daemon=True)
        self.listener = self.spaces["b"].socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", PORT))
        self.listener.listen()
        self.signaling.start()

    def _take(self, side):
        other = "b" if side == "a" else "a"
        while True:
            try:
                frame, (_, _, kind, _, _) = self.wires[side].recvfrom(65536)
            except BlockingIOError:
                return
            if kind == socket.PACKET_OUTGOING or self.cut:
                continue
            udp = frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP
            if self.nat and udp:
                frame = self.nat.back(frame) if side == "a" else self.nat.out(frame)
            if frame:
                self.count += 1
                heapq.heappush(self.queue, (time.monotonic() + DELAY, self.count, other, frame))

    def _relay(self):
        poll = select.epoll()
        for side, wire in self.wires.items():
            poll.register(wire.fileno(), select.EPOLLIN)
        while not self.stopping:
            wait = max(0, self.queue[0][0] - time.monotonic()) if self.queue else 0.1
            poll.poll(wait)
            for side in self.wires:
                self._take(side)
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, side, frame = heapq.heappop(self.queue)
                if not self.cut:
                    try:
                        self.wires[side].send(frame)
                    except OSError:
                        pass  # the interface is down at the moment

    def _carry(self, source, sink):
        """Bytes of one direction of a signaling connection, later."""
        waiting = []
        source.setblocking(False)
        poll = select.poll()
        poll.register(source, select.POLLIN)
        ended = None
        while ended is None or waiting:
            wait = max(0, waiting[0][0] - time.monotonic()) if waiting else 0.1
            if ended is None and poll.poll(wait * 1000 + 0.5):
                try:
                    data = source.recv(65536)
                except OSError:
                    data = b""
                if data:
                    waiting.append((time.monotonic() + SIGNALING_DELAY, data))
                else:
                    ended = time.monotonic()
            elif ended is not None:
                time.sleep(wait)
            while waiting and waiting[0][0] <= time.monotonic():
                try:
                    sink.sendall(waiting.pop(0)[1])
                except OSError:
                    return
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _signal(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = self.spaces["a"].socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                far.connect(("127.0.0.1", PORT))
            except OSError:
                near.close()
                continue
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def wait_server(self, timeout=20):
        deadline = time.monotonic() + timeout
        while True:
            with self.spaces["a"].socket(socket.AF_INET, socket.SOCK_STREAM) as s:
                if s.connect_ex(("127.0.0.1", PORT)) == 0:
                    return
            if time.monotonic() > deadline:
                raise TimeoutError("nobody listens on port 8080 of a")
            time.sleep(0.05)

    def change_address(self, side):
        """Takes its address away from SIDE and gives it another one, as another network would."""
        other = "b" if side == "a" else "a"
        old, new = ADDRESSES[side], OTHERS[side]
        ADDRESSES[side], OTHERS[side] = new, old
        batch = f"addr del {old}/24 dev rtc0\naddr add {new}/24 dev rtc0\n"
        batch += "".join(f"neigh replace {address} lladdr {MACS[other]} dev rtc0 nud permanent\n"
                         for address in (ADDRESSES[other], OTHERS[other], *OUTSIDE))
        subprocess.run(self.spaces[side].command("ip", "-batch", "-"), input=batch, text=True, check=True)

    def close(self):
        self.stopping = True
        self.thread.join()
        self.listener.close()
        for space in self.spaces.values():
            space.close()


class Peer:
    """A process in a or b that tells of each frame: network-peer, or the browser's driver. times: monotonic seconds."""

    def __init__(self, network, side, command, environment=None):
        self.frames = []
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(network.spaces[side].command(*command), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1,
                                        env=os.environ | (environment or {}))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            kind, _, rest = line.strip().partition(" ")
            with self.changed:
                if kind == "frame":
                    self.frames.append(int(rest) / 1e6)
                else:
                    self.lines.append((kind, rest))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(("ended", ""))
            self.changed.notify_all()

    def wait(self, what, condition, timeout=30):
        """Until CONDITION(), which is asked again whenever something was told."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition() or ("ended", "") in self.lines, timeout):
                raise TimeoutError(f"waited {timeout} s for {what}; last: {self.lines[-5:]}, {len(self.frames)} frames")
            if not condition():
                raise RuntimeError(f"ended instead of {what}: {self.lines[-5:]}")

    def wait_frames(self, n, timeout=30):
        goal = len(self.frames) + n
        self.wait(f"{n} frames", lambda: len(self.frames) >= goal, timeout)

    def stats(self):
        before = sum(kind == "stats" for kind, _ in self.lines)
        self.process.stdin.write("stats\n")
        self.wait("stats", lambda: sum(kind == "stats" for kind, _ in self.lines) > before, 10)
        return [rest for kind, rest in self.lines if kind == "stats"][-1]

    def messages(self, name):
        return sum(line == ("message", name) for line in self.lines)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["--without-offload"]:
        without_offload(sys.argv[2])
