// rtclink: a client of the native signaling protocol in Go
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	protocolVersion = 1
	maxFrame        = 65536
)

// tracks is how many streams of each kind a peer sends.
type tracks struct {
	Video int `json:"video"`
	Audio int `json:"audio"`
}

// peerInfo is what the server tells of a peer.
type peerInfo struct {
	PeerID  string `json:"peerId"`
	Role    string `json:"role"`
	Tracks  tracks `json:"tracks"`
	Offerer string `json:"offerer"`
}

type iceServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// message has the fields of every message that this client reads or writes.
type message struct {
	Type          string      `json:"type"`
	Version       int         `json:"version,omitempty"`
	From          string      `json:"from,omitempty"`
	To            string      `json:"to,omitempty"`
	Session       string      `json:"session,omitempty"`
	Room          *string     `json:"room,omitempty"`
	DisplayName   string      `json:"displayName,omitempty"`
	Role          string      `json:"role,omitempty"`
	Offers        string      `json:"offers,omitempty"`
	Tracks        *tracks     `json:"tracks,omitempty"`
	Token         string      `json:"token,omitempty"`
	PeerID        string      `json:"peerId,omitempty"`
	PingInterval  int         `json:"pingInterval,omitempty"`
	ICEServers    []iceServer `json:"iceServers,omitempty"`
	Peers         []peerInfo  `json:"peers,omitempty"`
	Peer          *peerInfo   `json:"peer,omitempty"`
	SDP           string      `json:"sdp,omitempty"`
	Candidate     string      `json:"candidate,omitempty"`
	SDPMid        *string     `json:"sdpMid,omitempty"`
	SDPMLineIndex *uint16     `json:"sdpMLineIndex,omitempty"`
	Code          string      `json:"code,omitempty"`
	Reason        string      `json:"reason,omitempty"`
}

// signaling is one connection to a server. send may be called from any goroutine.
type signaling struct {
	socket     *websocket.Conn
	mutex      sync.Mutex
	lastSent   time.Time
	peerID     string
	iceServers []iceServer
}

func newSession() string {
	var bytes [8]byte
	_, _ = rand.Read(bytes[:]) // never fails, says crypto/rand
	return hex.EncodeToString(bytes[:])
}

// join connects and joins. The error names the server's code and reason when it refuses.
func join(ctx context.Context, uri string, request message) (*signaling, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	socket, _, err := websocket.Dial(ctx, uri, nil) //nolint:bodyclose // the library closes it
	if err != nil {
		return nil, err
	}
	socket.SetReadLimit(maxFrame)
	s := &signaling{socket: socket}
	request.Type, request.Version = "join", protocolVersion
	s.send(request)
	welcome, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	if welcome.Type != "welcome" {
		return nil, fmt.Errorf("expected welcome, the server sent %s %s: %s", welcome.Type, welcome.Code, welcome.Reason)
	}
	s.peerID, s.iceServers = welcome.PeerID, welcome.ICEServers
	if welcome.PingInterval > 0 {
		go s.ping(time.Duration(welcome.PingInterval) * time.Millisecond)
	}
	return s, nil
}

func (s *signaling) ping(interval time.Duration) {
	for {
		s.mutex.Lock()
		idle := time.Since(s.lastSent)
		s.mutex.Unlock()
		if idle >= interval {
			if s.send(message{Type: "ping"}) != nil {
				return
			}
			idle = 0
		}
		time.Sleep(interval - idle)
	}
}

func (s *signaling) send(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.lastSent = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.socket.Write(ctx, websocket.MessageText, text)
}

func (s *signaling) read(ctx context.Context) (message, error) {
	var m message
	kind, text, err := s.socket.Read(ctx)
	if err != nil {
		return m, err
	}
	if kind != websocket.MessageText {
		return m, errors.New("the server sent a binary frame")
	}
	return m, json.Unmarshal(text, &m)
}

func (s *signaling) close() {
	_ = s.send(message{Type: "bye"})
	_ = s.socket.Close(websocket.StatusNormalClosure, "")
}
