// SPDX-License-Identifier: LGPL-2.1-or-later

// usage: channels offer|answer   (tests/peers/channels/channels.py says what it does)
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"
)

// What pion takes unless told otherwise, and therefore what may be sent back to it.
const limit = 65536

// In the words of the W3C.
type channelInit struct {
	Label             string  `json:"label"`
	Protocol          *string `json:"protocol"`
	Ordered           *bool   `json:"ordered"`
	MaxRetransmits    *uint16 `json:"maxRetransmits"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime"`
	Negotiated        *bool   `json:"negotiated"`
	ID                *uint16 `json:"id"`
	Sizes             []int   `json:"sizes"`
	Largest           int     `json:"largest"`
}

type line struct {
	Own        []channelInit `json:"own"`
	Negotiated []channelInit `json:"negotiated"`
	Type       string        `json:"type"`
	SDP        string        `json:"sdp"`
	Send       int           `json:"send"`
	Close      bool          `json:"close"`
}

type message struct {
	text bool
	data []byte
}

// A channel on which everything is to come back.
type ownChannel struct {
	init    channelInit
	channel *webrtc.DataChannel
	mutex   sync.Mutex
	wanted  []message
}

var output sync.Mutex

func say(message any) {
	output.Lock()
	defer output.Unlock()
	text, _ := json.Marshal(message)
	fmt.Println(string(text))
}

func sayOne(key, value string) { say(map[string]string{key: value}) }

func check(err error) {
	if err != nil {
		sayOne("failed", err.Error())
		os.Exit(1)
	}
}

func binary(size int) message {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(size + i*7)
	}
	return message{false, data}
}

func watch(channel *webrtc.DataChannel) {
	channel.OnClose(func() { sayOne("closed", channel.Label()) })
	channel.OnError(func(err error) { sayOne("wrong", err.Error()) })
}

func send(channel *webrtc.DataChannel, what message) {
	var err error
	if what.text {
		err = channel.SendText(string(what.data))
	} else {
		err = channel.Send(what.data)
	}
	if err != nil {
		sayOne("wrong", err.Error())
	}
}

func create(pc *webrtc.PeerConnection, init channelInit) *webrtc.DataChannel {
	channel, err := pc.CreateDataChannel(init.Label, &webrtc.DataChannelInit{
		Ordered: init.Ordered, MaxPacketLifeTime: init.MaxPacketLifeTime, MaxRetransmits: init.MaxRetransmits,
		Protocol: init.Protocol, Negotiated: init.Negotiated, ID: init.ID})
	check(err)
	watch(channel)
	channel.OnOpen(func() { sayOne("open", init.Label) })
	return channel
}

func echo(channel *webrtc.DataChannel) {
	channel.OnMessage(func(what webrtc.DataChannelMessage) { send(channel, message{what.IsString, what.Data}) })
}

func open(pc *webrtc.PeerConnection, init channelInit) *ownChannel {
	own := &ownChannel{init: init, channel: create(pc, init)}
	own.channel.OnMessage(func(what webrtc.DataChannelMessage) {
		own.mutex.Lock()
		defer own.mutex.Unlock()
		at := slices.IndexFunc(own.wanted, func(wanted message) bool {
			return wanted.text == what.IsString && bytes.Equal(wanted.data, what.Data)
		})
		if at < 0 || (at > 0 && own.channel.Ordered()) {
			sayOne("wrong", fmt.Sprintf("%s: message %d came back, or none that was sent", init.Label, at))
			return
		}
		own.wanted = slices.Delete(own.wanted, at, at+1)
		if len(own.wanted) == 0 {
			sayOne("echoed", init.Label)
		}
	})
	return own
}

func (own *ownChannel) send(largest int) {
	messages := []message{{true, []byte("früh ☂")}, {true, nil}}
	for _, size := range own.init.Sizes {
		messages = append(messages, binary(size))
	}
	if own.init.Largest > 0 {
		messages = append(messages, binary(min(largest, own.init.Largest)))
	}
	own.mutex.Lock()
	own.wanted = slices.Clone(messages)
	own.mutex.Unlock()
	for _, one := range messages {
		send(own.channel, one)
	}
}

func takeChannel(channel *webrtc.DataChannel) {
	watch(channel)
	say(map[string]any{"opened": channel.Label(), "settings": map[string]any{
		"protocol": channel.Protocol(), "ordered": channel.Ordered(), "maxRetransmits": channel.MaxRetransmits(),
		"maxPacketLifeTime": channel.MaxPacketLifeTime()}})
	echo(channel)
}

func describe(pc *webrtc.PeerConnection, mine webrtc.SessionDescription, err error) {
	check(err)
	gathered := webrtc.GatheringCompletePromise(pc)
	check(pc.SetLocalDescription(mine))
	<-gathered
	say(map[string]string{"type": mine.Type.String(), "sdp": pc.LocalDescription().SDP})
}

func main() {
	offers := len(os.Args) > 1 && os.Args[1] == "offer"
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	pc.OnDataChannel(takeChannel)
	var own []*ownChannel
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said line
		check(json.Unmarshal(lines.Bytes(), &said))
		switch {
		case said.Own != nil:
			for _, init := range said.Own {
				own = append(own, open(pc, init))
			}
			for _, init := range said.Negotiated {
				echo(create(pc, init))
			}
			if offers {
				offer, err := pc.CreateOffer(nil)
				describe(pc, offer, err)
			}
		case said.SDP != "":
			check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.NewSDPType(said.Type), SDP: said.SDP}))
			if !offers {
				answer, err := pc.CreateAnswer(nil)
				describe(pc, answer, err)
			}
			say(map[string]int{"limit": limit})
		case said.Send > 0:
			for _, one := range own {
				one.send(said.Send)
			}
		case said.Close:
			for _, one := range own {
				check(one.channel.Close())
			}
		}
	}
	check(pc.Close())
}
