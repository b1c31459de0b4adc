# rtclink: what the aiortc peer sends, and how it looks at what it receives
#
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A moving box, a tone, and measures of pictures and sound that tell a real stream from a frozen or silent one."""

import asyncio
import fractions
import time

import numpy
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

WIDTH, HEIGHT, RATE = 320, 240, 30
BOX = 64
SAMPLE_RATE = 48000
AUDIO_FRAME = SAMPLE_RATE // 50


class MovingBox(MediaStreamTrack):
    """A bright box on dark ground that crosses the picture once every two seconds."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self._count = 0
        self._start = None

    async def recv(self):
        if self.readyState != "live":
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        await asyncio.sleep(max(0, self._start + self._count / RATE - time.monotonic()))
        picture = numpy.full((HEIGHT, WIDTH, 3), 24, numpy.uint8)
        x = (self._count * (WIDTH - BOX) // (2 * RATE)) % (WIDTH - BOX)
        y = (HEIGHT - BOX) // 2
        picture[y : y + BOX, x : x + BOX] = 232
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = self._count * 90000 // RATE
        frame.time_base = fractions.Fraction(1, 90000)
        self._count += 1
        return frame


class Tone(MediaStreamTrack):
    """A sine at a quarter of full scale."""

    kind = "audio"

    def __init__(self, frequency):
        super().__init__()
        self._frequency = frequency
        self._sample = 0
        self._start = None

    async def recv(self):
        if self.readyState != "live":
            raise MediaStreamError
        if self._start is None:
            self._start = time.monotonic()
        await asyncio.sleep(max(0, self._start + self._sample / SAMPLE_RATE - time.monotonic()))
        at = numpy.arange(self._sample, self._sample + AUDIO_FRAME)
        wave = 8192 * numpy.sin(2 * numpy.pi * self._frequency * at / SAMPLE_RATE)
        frame = AudioFrame.from_ndarray(wave.astype(numpy.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._sample
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        self._sample += AUDIO_FRAME
        return frame


class VideoMeter:
    """Counts frames that show something, and follows the bright spot in them."""

    kind = "video"

    def __init__(self):
        self.frames = 0
        self.width = self.height = 0
        self.mean = self.deviation = 0.0
        self.bright_min = self.bright_max = None
        self.moved = 0
        self.longest_gap = 0.0
        self._before = None
        self._at = None

    def take(self, frame):
        now = time.monotonic()
        if self._at is not None:
            self.longest_gap = max(self.longest_gap, now - self._at)
        self._at = now
        self.frames += 1
        self.width, self.height = frame.width, frame.height
        grey = frame.reformat(width=80, height=60, format="gray").to_ndarray().astype(numpy.float32)
        self.mean, self.deviation = float(grey.mean()), float(grey.std())
        bright = numpy.nonzero(grey > 160)[1]
        if bright.size:
            at = float(bright.mean()) / 80
            self.bright_min = at if self.bright_min is None else min(self.bright_min, at)
            self.bright_max = at if self.bright_max is None else max(self.bright_max, at)
        if self._before is not None and float(numpy.abs(grey - self._before).mean()) > 0.2:
            self.moved += 1
        self._before = grey

    def missing(self, frames, tone):
        """What is not there yet, as a sentence, or None."""
        if self.frames < frames:
            return f"{self.frames} of {frames} frames"
        if self.deviation < 8:
            return f"the picture is blank (standard deviation {self.deviation:.1f})"
        if self.moved < frames // 2:
            return f"the picture moved in {self.moved} of {self.frames} frames only"
        return None

    def report(self):
        return {
            "frames": self.frames,
            "moved": self.moved,
            "width": self.width,
            "height": self.height,
            "mean": round(self.mean, 1),
            "deviation": round(self.deviation, 1),
            "brightFrom": None if self.bright_min is None else round(self.bright_min, 3),
            "brightTo": None if self.bright_max is None else round(self.bright_max, 3),
            "longestGapMs": round(self.longest_gap * 1000),
        }


class AudioMeter:
    """Adds up seconds of sound that is not silence, and finds its strongest frequency."""

    kind = "audio"

    def __init__(self):
        self.frames = 0
        self.seconds = 0.0
        self.energy = 0.0
        self.frequency = 0.0
        self._recent = numpy.zeros(0, numpy.float32)

    def take(self, frame):
        self.frames += 1
        samples = frame.to_ndarray().astype(numpy.float32)
        channels = len(frame.layout.channels)
        mono = samples.reshape(-1, channels).mean(axis=1) / 32768
        energy = float(numpy.sqrt((mono**2).mean()))
        if energy > 0.01:
            self.seconds += mono.size / frame.sample_rate
            self.energy = energy
        self._recent = numpy.concatenate([self._recent, mono])
        if self._recent.size >= frame.sample_rate // 4:
            spectrum = numpy.abs(numpy.fft.rfft(self._recent * numpy.hanning(self._recent.size)))
            self.frequency = float(spectrum.argmax()) * frame.sample_rate / self._recent.size
            self._recent = numpy.zeros(0, numpy.float32)

    def missing(self, seconds, tone):
        """What is not there yet, as a sentence, or None."""
        if self.seconds < seconds:
            return f"{self.seconds:.2f} of {seconds:.2f} s of sound"
        if tone and abs(self.frequency - tone) > 20:
            return f"the strongest frequency is {self.frequency:.0f} Hz, not {tone:.0f} Hz"
        return None

    def report(self):
        return {
            "frames": self.frames,
            "seconds": round(self.seconds, 2),
            "energy": round(self.energy, 4),
            "frequency": round(self.frequency),
        }
