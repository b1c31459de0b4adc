// SPDX-License-Identifier: LGPL-2.1-or-later

// usage: channels offer|answer   (tests/peers/channels/channels.py says what it does)
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/pion/webrtc/v4"
)

type description struct {
	Type  string `json:"type,omitempty"`
	SDP   string `json:"sdp,omitempty"`
	Close bool   `json:"close,omitempty"`
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

func binary(size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(size + i*7)
	}
	return data
}

func watch(channel *webrtc.DataChannel) {
	channel.OnClose(func() { sayOne("closed", channel.Label()) })
	channel.OnError(func(err error) { sayOne("wrong", err.Error()) })
}

func send(channel *webrtc.DataChannel, text bool, data []byte) {
	var err error
	if text {
		err = channel.SendText(string(data))
	} else {
		err = channel.Send(data)
	}
	if err != nil {
		sayOne("wrong", err.Error())
	}
}

func openOwn(pc *webrtc.PeerConnection, label string) *webrtc.DataChannel {
	protocol := "pion"
	channel, err := pc.CreateDataChannel(label, &webrtc.DataChannelInit{Protocol: &protocol})
	check(err)
	texts := []string{"früh ☂", ""}
	messages := [][]byte{[]byte(texts[0]), []byte(texts[1])}
	for _, size := range []int{0, 1, 1200, 16384, 65536, 262144} {
		messages = append(messages, binary(size))
	}
	watch(channel)
	channel.OnOpen(func() {
		for i, message := range messages {
			send(channel, i < len(texts), message)
		}
	})
	echoed := 0
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		if message.IsString != (echoed < len(texts)) || !bytes.Equal(message.Data, messages[echoed]) {
			sayOne("wrong", fmt.Sprintf("message %d came back as another one", echoed))
		}
		if echoed++; echoed == len(messages) {
			sayOne("echoed", label)
		}
	})
	return channel
}

func echo(channel *webrtc.DataChannel) {
	watch(channel)
	sayOne("opened", fmt.Sprintf("%s protocol=%s", channel.Label(), channel.Protocol()))
	channel.OnMessage(func(message webrtc.DataChannelMessage) { send(channel, message.IsString, message.Data) })
}

func describe(pc *webrtc.PeerConnection, mine webrtc.SessionDescription) {
	gathered := webrtc.GatheringCompletePromise(pc)
	check(pc.SetLocalDescription(mine))
	<-gathered
	say(description{Type: mine.Type.String(), SDP: pc.LocalDescription().SDP})
}

func main() {
	offers := len(os.Args) > 1 && os.Args[1] == "offer"
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	label := "from-answerer"
	if offers {
		label = "from-offerer"
	}
	own := openOwn(pc, label)
	pc.OnDataChannel(echo)
	if offers {
		offer, err := pc.CreateOffer(nil)
		check(err)
		describe(pc, offer)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var message description
		check(json.Unmarshal(lines.Bytes(), &message))
		if message.Close {
			check(own.Close())
		}
		if message.SDP == "" {
			continue
		}
		check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.NewSDPType(message.Type), SDP: message.SDP}))
		if !offers {
			answer, err := pc.CreateAnswer(nil)
			check(err)
			describe(pc, answer)
		}
	}
	check(pc.Close())
}
