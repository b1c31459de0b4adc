// rtclink: pion as a sender of the benchmark tests/bench/fan-out
//
// SPDX-License-Identifier: LGPL-2.1-or-later

// Sends the benchmark's stream to many, as one does with pion: one track of each kind, a peer connection a viewer. It
// talks in the lines of tests/bench/fan-out/bare.c: in come "join NAME" and "answer NAME BASE64", out go "ready" and
// "offer NAME BASE64" with all candidates.
package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

type program struct {
	api          *webrtc.API
	video, audio *webrtc.TrackLocalStaticRTP
	stream       *stream
	mutex        sync.Mutex
	peers        map[string]*webrtc.PeerConnection
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1)
	}
}

// watch reads what viewers report: without that, nothing is sent again.
func (p *program) watch(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			switch packet.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				p.stream.wantKey()
			}
		}
	}
}

func (p *program) join(name string) {
	connection, err := p.api.NewPeerConnection(webrtc.Configuration{})
	fail(err)
	p.mutex.Lock()
	p.peers[name] = connection
	p.mutex.Unlock()
	for _, track := range []*webrtc.TrackLocalStaticRTP{p.video, p.audio} {
		sender, err := connection.AddTrack(track)
		fail(err)
		go p.watch(sender)
	}
	connection.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			p.stream.wantKey()
		}
	})
	offer, err := connection.CreateOffer(nil)
	fail(err)
	gathered := webrtc.GatheringCompletePromise(connection)
	fail(connection.SetLocalDescription(offer))
	<-gathered
	sdp := connection.LocalDescription().SDP
	fmt.Println("offer", name, base64.StdEncoding.EncodeToString([]byte(sdp)))
}

func (p *program) answer(name, coded string) {
	sdp, err := base64.StdEncoding.DecodeString(coded)
	fail(err)
	p.mutex.Lock()
	connection := p.peers[name]
	p.mutex.Unlock()
	if connection == nil {
		fail(fmt.Errorf("there is no viewer %s", name))
	}
	fail(connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(sdp)}))
}

func (p *program) send(track *webrtc.TrackLocalStaticRTP, video bool) {
	packets := newTrack(video)
	for {
		time.Sleep(time.Until(packets.due()))
		payloads, timestamp := packets.next(video && p.stream.takeKey())
		for i, payload := range payloads {
			packet := rtp.Packet{
				Header: rtp.Header{
					Version: 2, SequenceNumber: packets.sequence, Timestamp: timestamp, Marker: i == len(payloads)-1,
				},
				Payload: payload,
			}
			packets.sequence++
			// It returns the errors of viewers that are gone, which are nothing to the others.
			_ = track.WriteRTP(&packet)
		}
	}
}

func main() {
	// What a webrtc.NewPeerConnection would have, made once: all codecs, NACK, reports, TWCC.
	engine, interceptors := &webrtc.MediaEngine{}, &interceptor.Registry{}
	fail(engine.RegisterDefaultCodecs())
	err := webrtc.RegisterDefaultInterceptors(engine, interceptors)
	fail(err)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(interceptors))
	p := &program{stream: &stream{}, peers: map[string]*webrtc.PeerConnection{}, api: api}
	h264 := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}
	p.video, err = webrtc.NewTrackLocalStaticRTP(h264, "video", "fan")
	fail(err)
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	p.audio, err = webrtc.NewTrackLocalStaticRTP(opus, "audio", "fan")
	fail(err)
	go p.send(p.video, true)
	go p.send(p.audio, false)
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch words := strings.Split(lines.Text(), " "); {
		case words[0] == "join" && len(words) == 2:
			p.join(words[1])
		case words[0] == "answer" && len(words) == 3:
			p.answer(words[1], words[2])
		case words[0] == "candidate":
			// The viewers' are in their answers.
		default:
			fail(fmt.Errorf("what is %q?", words[0]))
		}
	}
}
