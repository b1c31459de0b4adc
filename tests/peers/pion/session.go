// rtclink: one connection of the pion peer
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// session is one connection with one peer. Its methods run on the peer's loop.
type session struct {
	owner    *peer
	peerID   string
	name     string
	pc       *webrtc.PeerConnection
	meters   []*meter
	early    []message
	stop     chan struct{}
	counters decrypted
	failed   bool
}

// newAPI registers nothing but Opus and the one video codec, so that a peer without it has none in common with us.
func newAPI(codec string, counters *decrypted) (*webrtc.API, error) {
	engine := &webrtc.MediaEngine{}
	opus := webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}
	err := engine.RegisterCodec(
		webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio)
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	formats := map[string][]string{
		webrtc.MimeTypeVP8: {""},
		webrtc.MimeTypeH264: {
			"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
			"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
		},
	}
	payloadType := webrtc.PayloadType(96)
	for _, format := range formats[codec] {
		video := webrtc.RTPCodecCapability{
			MimeType: codec, ClockRate: 90000, SDPFmtpLine: format, RTCPFeedback: feedback,
		}
		rtx := webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", payloadType),
		}
		for _, capability := range []webrtc.RTPCodecCapability{video, rtx} {
			if err == nil {
				err = engine.RegisterCodec(webrtc.RTPCodecParameters{
					RTPCodecCapability: capability, PayloadType: payloadType,
				}, webrtc.RTPCodecTypeVideo)
			}
			payloadType++
		}
	}
	registry := &interceptor.Registry{}
	if err == nil {
		err = webrtc.RegisterDefaultInterceptors(engine, registry)
	}
	settings := webrtc.SettingEngine{BufferFactory: counters.factory}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(settings)), err
}

func newSessionWith(owner *peer, peerID, name string) (*session, error) {
	s := &session{owner: owner, peerID: peerID, name: name, stop: make(chan struct{})}
	api, err := newAPI(owner.codec(), &s.counters)
	if err != nil {
		return nil, err
	}
	configuration := webrtc.Configuration{}
	for _, server := range owner.signaling.iceServers {
		configuration.ICEServers = append(configuration.ICEServers, webrtc.ICEServer{
			URLs: server.URLs, Username: server.Username, Credential: server.Credential,
		})
	}
	if s.pc, err = api.NewPeerConnection(configuration); err != nil {
		return nil, err
	}
	s.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		tell("state", fields{"peer": peerID, "session": name, "connection": state.String()})
		owner.post(func() { s.failed = state == webrtc.PeerConnectionStateFailed })
	})
	s.pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		out := message{Type: "end-of-candidates", To: peerID, Session: name}
		if candidate != nil {
			init := candidate.ToJSON()
			out.Type, out.Candidate = "candidate", init.Candidate
			out.SDPMid, out.SDPMLineIndex = init.SDPMid, init.SDPMLineIndex
		}
		// From the loop, so that it follows the description that it belongs to.
		owner.post(func() { _ = owner.signaling.send(out) })
	})
	s.pc.OnTrack(s.onTrack)
	return s, nil
}

func (s *session) midOf(receiver *webrtc.RTPReceiver) string {
	for _, transceiver := range s.pc.GetTransceivers() {
		if transceiver.Receiver() == receiver {
			return transceiver.Mid()
		}
	}
	return ""
}

func (s *session) onTrack(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := s.midOf(receiver)
	m, err := newMeter(track, mid, s.owner.options.save, s.peerID)
	if err != nil {
		tell("exception", fields{"reason": err.Error()})
		return
	}
	s.owner.post(func() { s.meters = append(s.meters, m) })
	tell("track", fields{"peer": s.peerID, "session": s.name, "kind": m.kind, "mid": mid, "codec": m.codec})
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			m.close()
			return
		}
		if err = m.take(packet); err != nil {
			tell("exception", fields{"reason": "cannot save: " + err.Error()})
		}
		if m.keyWanted() {
			_ = s.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
		}
	}
}

// addTracks adds what we send, a sendonly section each.
func (s *session) addTracks() error {
	for index, source := range s.owner.sources {
		track, err := webrtc.NewTrackLocalStaticSample(
			source.capability, fmt.Sprintf("track%d", index), fmt.Sprintf("stream%d", index))
		if err != nil {
			return err
		}
		direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
		transceiver, err := s.pc.AddTransceiverFromTrack(track, direction)
		if err != nil {
			return err
		}
		sender := transceiver.Sender()
		go func() {
			for { // the interceptors that answer NACKs work only while somebody reads
				if _, _, err := sender.ReadRTCP(); err != nil {
					return
				}
			}
		}()
		go play(track, source.samples, s.stop)
	}
	return nil
}

// offer lays the sections out as the protocol says: what they send, then what we send.
func (s *session) offer(theirs tracks) error {
	if s.owner.options.role != "send" {
		direction := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
		for range theirs.Video {
			if _, err := s.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, direction); err != nil {
				return err
			}
		}
		for range theirs.Audio {
			if _, err := s.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, direction); err != nil {
				return err
			}
		}
	}
	if err := s.addTracks(); err != nil {
		return err
	}
	description, err := s.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	return s.describe(description)
}

func (s *session) answer(sdp string) error {
	if err := s.addTracks(); err != nil {
		return err
	}
	if err := s.setRemote(webrtc.SDPTypeOffer, sdp); err != nil {
		return err
	}
	description, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	return s.describe(description)
}

// describe sets and sends our description: as it is, or forged.
func (s *session) describe(description webrtc.SessionDescription) error {
	if err := s.pc.SetLocalDescription(description); err != nil {
		return err
	}
	sdp := description.SDP
	if s.owner.options.attack == "wrong-fingerprint" {
		forged, err := forgeFingerprint(sdp)
		if err != nil {
			return err
		}
		if forged == sdp || !strings.Contains(forged, "a=fingerprint:") {
			return fmt.Errorf("no fingerprint in our description could be forged")
		}
		sdp = forged
	}
	return s.owner.signaling.send(message{Type: description.Type.String(), To: s.peerID, Session: s.name, SDP: sdp})
}

func (s *session) setRemote(kind webrtc.SDPType, sdp string) error {
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	for _, m := range s.early {
		s.candidate(m)
	}
	s.early = nil
	return nil
}

func (s *session) candidate(m message) {
	if s.pc.RemoteDescription() == nil {
		s.early = append(s.early, m)
		return
	}
	init := webrtc.ICECandidateInit{
		Candidate: strings.TrimPrefix(m.Candidate, "a="), SDPMid: m.SDPMid, SDPMLineIndex: m.SDPMLineIndex,
	}
	if err := s.pc.AddICECandidate(init); err != nil {
		tell("exception", fields{"type": m.Type, "reason": err.Error(), "candidate": m.Candidate})
	}
}

func (s *session) report() {
	for _, m := range s.meters {
		report := m.report()
		report["peer"], report["session"] = s.peerID, s.name
		tell("stats", report)
	}
}

func (s *session) close() {
	close(s.stop)
	_ = s.pc.Close()
	for _, m := range s.meters {
		m.close()
	}
}
