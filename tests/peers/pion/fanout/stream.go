// rtclink: pion as a sender of the benchmark tests/bench/fan-out
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The stream as tests/bench/fan-out/fan.c makes it, whose viewers look at each byte.
const (
	frameRate    = 30
	audioRate    = 50
	videoBytes   = 2000000 / 8 / frameRate
	videoPayload = 960
	keyFactor    = 4
	audioPayload = 160
	maxPackets   = 64
	maxPayload   = 1180
	header       = 28
	tableSize    = 8192
	audioOffset  = 7 * time.Millisecond
)

type stream struct {
	key atomic.Bool
}

func (s *stream) wantKey() {
	s.key.Store(true)
}

func (s *stream) takeKey() bool {
	return s.key.Swap(false)
}

var table = func() []byte {
	bytes := make([]byte, tableSize)
	x := uint32(1)
	for i := range bytes {
		x = x*1664525 + 1013904223
		bytes[i] = byte(x >> 24)
	}
	return bytes
}()

type track struct {
	video    bool
	n, frame uint32
	sequence uint16
	began    time.Time
	space    [maxPackets][maxPayload]byte
}

func newTrack(video bool) *track {
	t := &track{video: video, began: time.Now()}
	if !video {
		t.began = t.began.Add(audioOffset)
	}
	return t
}

func (t *track) due() time.Time {
	rate := audioRate
	if t.video {
		rate = frameRate
	}
	return t.began.Add(time.Duration(t.frame) * time.Second / time.Duration(rate))
}

func (t *track) sizes(key bool) []int {
	if !t.video {
		return []int{audioPayload}
	}
	bytes := videoBytes * int(768+t.frame*2654435761%512)
	if key {
		bytes *= keyFactor
	}
	bytes /= 1024
	var sizes []int
	for ; bytes > 0 && len(sizes) < maxPackets; bytes -= min(bytes, videoPayload) {
		sizes = append(sizes, max(min(bytes, videoPayload), header))
	}
	return sizes
}

// monotonic is the clock that the viewers compare with, in microseconds.
func monotonic() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return uint64(now.Nano() / 1000)
}

func (t *track) write(out []byte, index, count int, key bool, stamp uint64) {
	clear(out[:header])
	if t.video {
		out[0], out[1] = 0x7c, 1
		if key {
			out[1] = 5
		}
		if index == 0 {
			out[1] |= 0x80
		}
		if index == count-1 {
			out[1] |= 0x40
		}
	} else {
		out[0] = 0xfc
		key = true
	}
	binary.BigEndian.PutUint32(out[2:], t.n)
	binary.BigEndian.PutUint32(out[6:], t.frame)
	binary.BigEndian.PutUint16(out[10:], uint16(index))
	binary.BigEndian.PutUint16(out[12:], uint16(count))
	if key {
		out[14] = 1
	}
	out[15] = 'F'
	binary.BigEndian.PutUint16(out[16:], uint16(len(out)))
	binary.BigEndian.PutUint64(out[18:], stamp)
	out[26], out[27] = 'A', 'N'
	from := t.n * 61 % (tableSize - maxPayload)
	copy(out[header:], table[from:])
	t.n++
}

// next makes the payloads of the next frame; they are good until the next call.
func (t *track) next(key bool) ([][]byte, uint32) {
	sizes, stamp := t.sizes(key), monotonic()
	payloads := make([][]byte, len(sizes))
	for i, size := range sizes {
		payloads[i] = t.space[i][:size]
		t.write(payloads[i], i, len(sizes), key, stamp)
	}
	timestamp := t.frame * (48000 / audioRate)
	if t.video {
		timestamp = t.frame * (90000 / frameRate)
	}
	t.frame++
	return payloads, timestamp
}
