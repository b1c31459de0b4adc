// rtclink: how the pion peer counts what it receives
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264writer"
	"github.com/pion/webrtc/v4/pkg/media/ivfwriter"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"
)

// meter counts one track's packets and frames, and looks at the continuity of its sequence numbers.
type meter struct {
	kind, mid, codec string
	save             media.Writer

	mutex      sync.Mutex
	packets    int
	frames     int
	keyFrames  int
	bytes      int
	audio      time.Duration
	first      int64 // sequence numbers without their wrap
	highest    int64
	seen       map[int64]bool
	repeated   int
	started    time.Time
	firstKey   time.Duration
	last       time.Time
	longestGap time.Duration
	ssrcs      map[uint32]bool
	keyAsked   int
}

func newMeter(track *webrtc.TrackRemote, mid, folder, peer string) (*meter, error) {
	m := &meter{
		kind: track.Kind().String(), mid: mid, codec: track.Codec().MimeType,
		seen: map[int64]bool{}, ssrcs: map[uint32]bool{}, started: time.Now(),
	}
	if folder == "" {
		return m, nil
	}
	name := filepath.Join(folder, fmt.Sprintf("%s-%s-%s", m.kind, peer, mid))
	var err error
	switch m.codec {
	case webrtc.MimeTypeVP8:
		m.save, err = ivfwriter.New(name+".ivf", ivfwriter.WithCodec(m.codec))
	case webrtc.MimeTypeH264:
		var file *os.File
		if file, err = os.Create(name + ".h264"); err == nil {
			m.save = h264writer.NewWith(file)
		}
	case webrtc.MimeTypeOpus:
		m.save, err = oggwriter.New(name+".ogg", 48000, 2)
	}
	return m, err
}

// isKeyFrame looks at the start of a VP8 frame (RFC 7741, 4.2 and 4.3), or for a sequence parameter set or an IDR slice
// in H.264 (RFC 6184, 5.6 to 5.8).
func isKeyFrame(codec string, payload []byte) bool {
	if codec == webrtc.MimeTypeH264 {
		if len(payload) < 2 {
			return false
		}
		switch unit := payload[0] & 0x1f; unit {
		case 5, 7:
			return true
		case 24: // STAP-A: a length, then the first unit
			return len(payload) > 3 && (payload[3]&0x1f == 7 || payload[3]&0x1f == 5)
		case 28: // FU-A
			return payload[1]&0x80 != 0 && payload[1]&0x1f == 5
		}
		return false
	}
	if len(payload) < 1 || payload[0]&0x10 == 0 || payload[0]&0x0f != 0 {
		return false // not the start of partition 0
	}
	header := 1
	if payload[0]&0x80 != 0 && len(payload) > 1 {
		extensions := payload[1]
		header++
		if extensions&0x80 != 0 && len(payload) > header {
			if payload[header]&0x80 != 0 {
				header++
			}
			header++
		}
		if extensions&0x40 != 0 {
			header++
		}
		if extensions&0x30 != 0 {
			header++
		}
	}
	return len(payload) > header && payload[header]&1 == 0
}

// take counts a packet, and writes it to the file if there is one.
func (m *meter) take(packet *rtp.Packet) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	now := time.Now()
	number := int64(packet.SequenceNumber)
	if m.packets == 0 {
		m.first, m.highest = number, number
	} else {
		// The nearest number to the highest so far that ends in these 16 bits.
		number = m.highest + int64(int16(packet.SequenceNumber-uint16(m.highest)))
	}
	m.highest, m.first = max(m.highest, number), min(m.first, number)
	if m.seen[number] {
		m.repeated++
		return nil
	}
	m.seen[number] = true
	m.packets++
	m.bytes += len(packet.Payload)
	m.ssrcs[packet.SSRC] = true
	if m.kind == "audio" {
		m.audio += 20 * time.Millisecond
	} else if isKeyFrame(m.codec, packet.Payload) {
		m.keyFrames++
		if m.firstKey == 0 {
			m.firstKey = now.Sub(m.started)
		}
	}
	if packet.Marker || m.kind == "audio" {
		m.frames++
		if !m.last.IsZero() {
			m.longestGap = max(m.longestGap, now.Sub(m.last))
		}
		m.last = now
	}
	if m.save != nil && len(packet.Payload) > 0 {
		return m.save.WriteRTP(packet)
	}
	return nil
}

func (m *meter) lost() int {
	return int(m.highest-m.first) + 1 - len(m.seen)
}

// keyWanted says whether a key frame must be asked for: none has come for as long as it may take, and none was asked
// for just now.
func (m *meter) keyWanted() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	due := time.Duration(m.keyAsked+1) * time.Second
	if m.kind != "video" || m.keyFrames > 0 || time.Since(m.started) < due {
		return false
	}
	m.keyAsked++
	return true
}

// missing is what is not there yet, or "".
func (m *meter) missing(frames int, seconds float64) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch {
	case m.kind == "video" && m.frames < frames:
		return fmt.Sprintf("%d of %d frames", m.frames, frames)
	case m.kind == "video" && m.keyFrames == 0:
		return "no key frame"
	case m.kind == "audio" && m.audio.Seconds() < seconds:
		return fmt.Sprintf("%.2f of %.2f s of sound", m.audio.Seconds(), seconds)
	case len(m.seen) > 0 && m.lost() > len(m.seen)/50:
		return fmt.Sprintf("%d of %d packets are missing", m.lost(), m.lost()+len(m.seen))
	case len(m.ssrcs) > 1:
		return fmt.Sprintf("%d different SSRCs", len(m.ssrcs))
	}
	return ""
}

func (m *meter) report() map[string]any {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	lost := 0
	if len(m.seen) > 0 {
		lost = m.lost()
	}
	return map[string]any{
		"kind": m.kind, "mid": m.mid, "codec": strings.ToLower(m.codec), "packets": m.packets, "frames": m.frames,
		"keyFrames": m.keyFrames, "firstKeyMs": m.firstKey.Milliseconds(), "keyAsked": m.keyAsked, "lost": lost,
		"repeated": m.repeated, "bytes": m.bytes, "longestGapMs": m.longestGap.Milliseconds(),
	}
}

func (m *meter) close() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.save != nil {
		_ = m.save.Close()
		m.save = nil
	}
}
