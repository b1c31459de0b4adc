// rtclink: pion as a peer of the native protocol
//
// SPDX-License-Identifier: LGPL-2.1-or-later

// Joins a room, sends what is in files, receives what others send, and prints JSON lines of what happens. Exits 0 when
// everything that -expect-... asks for was received, 1 with a reason otherwise.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
)

type fields map[string]any

var output sync.Mutex

// tell prints an event; any goroutine may call it.
func tell(event string, more fields) {
	line := fields{"event": event}
	for key, value := range more {
		line[key] = value
	}
	text, err := json.Marshal(line)
	output.Lock()
	defer output.Unlock()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(string(text))
}

type options struct {
	uri, room, token, offers, role, codec  string
	videoFile, audioFile, save             string
	attack, expectError                    string
	video, audio                           int
	duration, deadline, expectAudio        float64
	expectFrames, expectVideo, expectSound int
	roomGiven                              bool
}

type source struct {
	capability webrtc.RTPCodecCapability
	samples    []media.Sample
}

// peer owns the sessions. All its fields belong to the loop in run, which does what post hands to it.
type peer struct {
	options   options
	signaling *signaling
	sources   []source
	infos     map[string]peerInfo
	sessions  map[string]*session
	work      chan func()
	ended     string
	refusal   string
	rtp, rtcp int64 // of sessions that are over
}

// post hands f to the loop; any goroutine but the loop's own may call it.
func (p *peer) post(f func()) {
	p.work <- f
}

func (p *peer) codec() string {
	return map[string]string{"vp8": webrtc.MimeTypeVP8, "h264": webrtc.MimeTypeH264}[p.options.codec]
}

func (p *peer) tracks() tracks {
	if p.options.role == "receive" {
		return tracks{}
	}
	return tracks{Video: p.options.video, Audio: p.options.audio}
}

func (p *peer) load() error {
	mine := p.tracks()
	if mine.Video > 0 {
		samples, err := readVideo(p.options.videoFile)
		if err != nil {
			return err
		}
		for range mine.Video {
			p.sources = append(p.sources, source{webrtc.RTPCodecCapability{MimeType: p.codec()}, samples})
		}
	}
	if mine.Audio > 0 {
		samples, err := readAudio(p.options.audioFile)
		if err != nil {
			return err
		}
		for range mine.Audio {
			p.sources = append(p.sources, source{webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, samples})
		}
	}
	return nil
}

func (p *peer) end(peerID string) {
	if s := p.sessions[peerID]; s != nil {
		delete(p.sessions, peerID)
		s.close()
		p.rtp += s.counters.rtp.Load()
		p.rtcp += s.counters.rtcp.Load()
	}
}

func (p *peer) replace(peerID, name, role string) (*session, error) {
	p.end(peerID)
	s, err := newSessionWith(p, peerID, name)
	if err == nil {
		p.sessions[peerID] = s
		tell("session", fields{"peer": peerID, "session": name, "role": role})
	}
	return s, err
}

func (p *peer) offer(peerID string) error {
	s, err := p.replace(peerID, newSession(), "offerer")
	if err != nil {
		return err
	}
	return s.offer(p.infos[peerID].Tracks)
}

// learn takes what the server told of a peer, and offers when that is ours to do and something is new.
func (p *peer) learn(info peerInfo) error {
	before, known := p.infos[info.PeerID]
	p.infos[info.PeerID] = info
	if info.Offerer != p.signaling.peerID {
		return nil
	}
	same := known && before.Tracks == info.Tracks && p.sessions[info.PeerID] != nil
	if same || (info.Tracks == tracks{} && p.tracks() == tracks{}) {
		return nil
	}
	return p.offer(info.PeerID)
}

func (p *peer) onOffer(m message) error {
	s, err := p.replace(m.From, m.Session, "answerer")
	if err != nil {
		return err
	}
	if err = s.answer(m.SDP); err == nil {
		return nil
	}
	code := "bad-sdp"
	if strings.Contains(err.Error(), "codec") {
		code = "no-common-codec"
	}
	tell("refused", fields{"peer": m.From, "session": m.Session, "code": code, "reason": err.Error()})
	p.end(m.From)
	return p.signaling.send(message{Type: "error", To: m.From, Session: m.Session, Code: code, Reason: err.Error()})
}

func (p *peer) onMessage(m message) error {
	switch m.Type {
	case "welcome":
		p.signaling.iceServers = m.ICEServers
	case "peers":
		for _, info := range m.Peers {
			if err := p.learn(info); err != nil {
				return err
			}
		}
	case "joined":
		if m.Peer != nil {
			return p.learn(*m.Peer)
		}
	case "left":
		tell("left", fields{"peer": m.PeerID, "reason": m.Reason})
		delete(p.infos, m.PeerID)
		p.end(m.PeerID)
	case "offer":
		return p.onOffer(m)
	case "offer-request":
		if _, known := p.infos[m.From]; known {
			return p.offer(m.From)
		}
	case "error":
		tell("error", fields{"code": m.Code, "reason": m.Reason, "peer": m.From})
		p.refusal = m.Code
	}
	s := p.sessions[m.From]
	if s == nil || s.name != m.Session {
		return nil
	}
	switch m.Type {
	case "answer":
		return s.setRemote(webrtc.SDPTypeAnswer, m.SDP)
	case "candidate", "end-of-candidates":
		s.candidate(m)
	case "bye":
		tell("bye", fields{"peer": m.From, "reason": m.Reason})
		p.end(m.From)
	case "error":
		// An attacker does not go because it was found out: it stays to see what it can get.
		if m.Code != "bad-candidate" && p.options.attack == "" {
			p.end(m.From)
		}
	}
	return nil
}

// missing is the first thing that was asked for and is not there, or "".
func (p *peer) missing() string {
	if p.options.expectError != "" && p.refusal != p.options.expectError {
		return fmt.Sprintf("no error %s was received, but %q", p.options.expectError, p.refusal)
	}
	kinds := []struct {
		kind   string
		wanted bool
		count  int
	}{
		{"video", p.options.expectFrames > 0, p.options.expectVideo},
		{"audio", p.options.expectAudio > 0, p.options.expectSound},
	}
	for _, k := range kinds {
		if !k.wanted {
			continue
		}
		good, reasons := 0, []string{}
		for _, s := range p.sessions {
			for _, m := range s.meters {
				if m.kind != k.kind {
					continue
				}
				if reason := m.missing(p.options.expectFrames, p.options.expectAudio); reason == "" {
					good++
				} else {
					reasons = append(reasons, reason)
				}
			}
		}
		if good < k.count {
			return fmt.Sprintf("%s: %d of %d tracks as expected (%s)", k.kind, good, k.count, strings.Join(reasons, "; "))
		}
	}
	return ""
}

func (p *peer) read(ctx context.Context) {
	for {
		m, err := p.signaling.read(ctx)
		if err != nil {
			p.work <- func() { p.ended = "the signaling connection ended: " + err.Error() }
			return
		}
		p.work <- func() {
			if err := p.onMessage(m); err != nil {
				tell("exception", fields{"type": m.Type, "reason": err.Error()})
			}
		}
	}
}

// run returns the reason of its failure, or "".
func (p *peer) run(ctx context.Context) string {
	start := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	reached, reports := false, 1
	for p.ended == "" && time.Since(start) < seconds(p.options.duration) {
		select {
		case <-ctx.Done():
			p.ended = "stopped"
			continue
		case f := <-p.work:
			f()
			continue
		case <-tick.C:
		}
		if !reached && p.missing() == "" {
			reached = true
			tell("reached", fields{"after": time.Since(start).Seconds()})
		}
		if !reached && time.Since(start) > seconds(p.options.deadline) {
			break
		}
		if time.Since(start) > time.Duration(reports)*time.Second {
			reports++
			for _, s := range p.sessions {
				s.report()
			}
			p.tellDecrypted()
		}
	}
	if reached {
		return ""
	}
	return p.missing()
}

func (p *peer) tellDecrypted() {
	rtp, rtcp := p.rtp, p.rtcp
	for _, s := range p.sessions {
		rtp += s.counters.rtp.Load()
		rtcp += s.counters.rtcp.Load()
	}
	tell("decrypted", fields{"rtp": rtp, "rtcp": rtcp})
}

func (p *peer) leave() {
	for peerID, s := range p.sessions {
		s.report()
		_ = p.signaling.send(message{Type: "bye", To: peerID, Session: s.name})
	}
	p.tellDecrypted()
	p.signaling.close()
	for peerID := range p.sessions {
		p.end(peerID)
	}
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.uri, "uri", "", "ws://... of the signaling server")
	flag.StringVar(&o.room, "room", "", "room to join (default: the one of the URI's path)")
	flag.StringVar(&o.token, "token", "", "token of the server")
	flag.StringVar(&o.offers, "offers", "accept", "prefer, accept or avoid")
	flag.StringVar(&o.role, "role", "both", "send, receive or both")
	flag.StringVar(&o.codec, "codec", "vp8", "the only video codec to speak: vp8 or h264")
	flag.IntVar(&o.video, "video", 1, "video tracks to send")
	flag.IntVar(&o.audio, "audio", 1, "audio tracks to send")
	flag.StringVar(&o.videoFile, "video-file", "", "what to send: .ivf with VP8 or .h264 with access unit delimiters")
	flag.StringVar(&o.audioFile, "audio-file", "", "what to send: .ogg with Opus, one packet a page")
	flag.StringVar(&o.save, "save", "", "folder for what is received: .ivf, .h264 and .ogg")
	flag.StringVar(&o.attack, "attack", "", "wrong-fingerprint: describe ourselves with another certificate's fingerprint")
	flag.Float64Var(&o.duration, "duration", 60, "seconds to stay at most")
	flag.Float64Var(&o.deadline, "deadline", 30, "seconds within which to receive what is expected")
	flag.IntVar(&o.expectFrames, "expect-frames", 0, "frames of video to receive")
	flag.Float64Var(&o.expectAudio, "expect-audio", 0, "seconds of sound to receive")
	flag.IntVar(&o.expectVideo, "expect-video-tracks", 1, "video tracks that must be as expected")
	flag.IntVar(&o.expectSound, "expect-audio-tracks", 1, "audio tracks that must be as expected")
	flag.StringVar(&o.expectError, "expect-error", "", "code of the error that we must be told")
	flag.Parse()
	flag.Visit(func(f *flag.Flag) { o.roomGiven = o.roomGiven || f.Name == "room" })
	if o.attack != "" && o.attack != "wrong-fingerprint" {
		fmt.Fprintf(os.Stderr, "-attack %s is not known; there is wrong-fingerprint\n", o.attack)
		os.Exit(2)
	}
	return o
}

func main() {
	p := &peer{
		options: parseOptions(), infos: map[string]peerInfo{}, sessions: map[string]*session{},
		work: make(chan func(), 4096),
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	err := p.load()
	if err == nil {
		mine := p.tracks()
		request := message{
			DisplayName: "pion", Role: p.options.role, Offers: p.options.offers, Token: p.options.token, Tracks: &mine,
		}
		if p.options.roomGiven {
			request.Room = &p.options.room
		}
		p.signaling, err = join(ctx, p.options.uri, request)
	}
	if err != nil {
		tell("done", fields{"ok": false, "reason": err.Error()})
		os.Exit(1)
	}
	tell("joined", fields{"peer": p.signaling.peerID})
	go p.read(context.Background())
	reason := p.run(ctx)
	p.leave()
	tell("done", fields{"ok": reason == "", "reason": reason})
	if reason != "" {
		os.Exit(1)
	}
}
