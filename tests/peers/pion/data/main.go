// rtclink: pion in the benchmark tests/bench/data-channel
//
// SPDX-License-Identifier: LGPL-2.1-or-later

// One end of a link with two channels, "bulk" and "ping", as tests/bench/data-channel/peer.h says.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"
)

const (
	high     = 1024 * 1024
	low      = 256 * 1024
	pingSize = 64
)

type program struct {
	connection      *webrtc.PeerConnection
	bulk, ping      *webrtc.DataChannel
	opened          atomic.Int32
	bytes, messages atomic.Int64
	slow            atomic.Int64
	room            chan struct{}
	stop            chan struct{}
	flooding        sync.WaitGroup
	start           time.Time
	mutex           sync.Mutex
	trips           []int64
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "data:", err)
		os.Exit(1)
	}
}

func (p *program) open(label string, id uint16) *webrtc.DataChannel {
	negotiated := true
	channel, err := p.connection.CreateDataChannel(label, &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	fail(err)
	channel.OnOpen(func() {
		if p.opened.Add(1) == 2 {
			fmt.Println("open")
		}
	})
	return channel
}

func (p *program) onBulk(message webrtc.DataChannelMessage) {
	p.bytes.Add(int64(len(message.Data)))
	p.messages.Add(1)
	if slow := p.slow.Load(); slow > 0 {
		time.Sleep(time.Duration(slow) * time.Microsecond)
	}
}

func (p *program) onPing(message webrtc.DataChannelMessage) {
	if binary.LittleEndian.Uint32(message.Data[8:]) != uint32(os.Getpid()) {
		fail(p.ping.Send(message.Data))
		return
	}
	took := time.Since(p.start).Microseconds() - int64(binary.LittleEndian.Uint64(message.Data))
	p.mutex.Lock()
	p.trips = append(p.trips, took)
	p.mutex.Unlock()
}

func (p *program) flood(size int) {
	defer p.flooding.Done()
	message := make([]byte, size)
	for {
		for p.bulk.BufferedAmount() < high {
			select {
			case <-p.stop:
				return
			default:
				fail(p.bulk.Send(message))
			}
		}
		select {
		case <-p.stop:
			return
		case <-p.room:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (p *program) count() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return len(p.trips)
}

func (p *program) sendPings(n int, interval time.Duration) {
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * interval)))
		message := make([]byte, pingSize)
		binary.LittleEndian.PutUint64(message, uint64(time.Since(p.start).Microseconds()))
		binary.LittleEndian.PutUint32(message[8:], uint32(os.Getpid()))
		fail(p.ping.Send(message))
	}
	for end := time.Now().Add(3 * time.Second); p.count() < n && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	p.mutex.Lock()
	line := "ping"
	for _, took := range p.trips {
		line += " " + strconv.FormatInt(took, 10)
	}
	p.trips = nil
	p.mutex.Unlock()
	fmt.Println(line)
}

func (p *program) describe() {
	gathered := webrtc.GatheringCompletePromise(p.connection)
	var description webrtc.SessionDescription
	var err error
	if p.connection.RemoteDescription() == nil {
		description, err = p.connection.CreateOffer(nil)
	} else {
		description, err = p.connection.CreateAnswer(nil)
	}
	fail(err)
	fail(p.connection.SetLocalDescription(description))
	<-gathered
	fmt.Println("description", base64.StdEncoding.EncodeToString([]byte(p.connection.LocalDescription().SDP)))
}

func (p *program) takeDescription(coded string) {
	sdp, err := base64.StdEncoding.DecodeString(coded)
	fail(err)
	kind := webrtc.SDPTypeAnswer
	if p.connection.LocalDescription() == nil {
		kind = webrtc.SDPTypeOffer
	}
	fail(p.connection.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: string(sdp)}))
	if kind == webrtc.SDPTypeOffer {
		p.describe()
	}
}

func (p *program) take(words []string) {
	numbers := make([]int, len(words))
	for i := range words {
		numbers[i], _ = strconv.Atoi(words[i])
	}
	switch {
	case words[0] == "description" && len(words) == 2:
		p.takeDescription(words[1])
	case words[0] == "flood" && len(words) == 2:
		p.stop = make(chan struct{})
		p.flooding.Add(1)
		go p.flood(numbers[1])
	case words[0] == "stop":
		close(p.stop)
		p.flooding.Wait()
	case words[0] == "count":
		fmt.Println("count", p.bytes.Load(), p.messages.Load())
	case words[0] == "ping" && len(words) == 3:
		p.sendPings(numbers[1], time.Duration(numbers[2])*time.Microsecond)
	case words[0] == "slow" && len(words) == 2:
		p.slow.Store(int64(numbers[1]))
	case words[0] == "path":
		fmt.Println("path")
	default:
		fail(fmt.Errorf("what is %q?", strings.Join(words, " ")))
	}
}

func main() {
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	connection, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	fail(err)
	p := &program{connection: connection, room: make(chan struct{}, 1), start: time.Now()}
	p.bulk, p.ping = p.open("bulk", 0), p.open("ping", 1)
	p.bulk.OnMessage(p.onBulk)
	p.ping.OnMessage(p.onPing)
	p.bulk.SetBufferedAmountLowThreshold(low)
	p.bulk.OnBufferedAmountLow(func() {
		select {
		case p.room <- struct{}{}:
		default:
		}
	})
	if len(os.Args) == 2 && os.Args[1] == "offer" {
		p.describe()
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.take(strings.Split(lines.Text(), " "))
	}
}
