// rtclink: what the pion peer does when it plays an attacker
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/pion/transport/v4/packetio"
	"github.com/pion/webrtc/v4"
)

var fingerprintLine = regexp.MustCompile(`a=fingerprint:[^\r\n]*`)

// forgeFingerprint puts the fingerprint of a certificate that is not used in place of every one in the description:
// what a man in the middle looks like who has its own certificate, when the signaling can be trusted.
func forgeFingerprint(sdp string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return "", err
	}
	prints, err := certificate.GetFingerprints()
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("a=fingerprint:%s %s", prints[0].Algorithm, strings.ToUpper(prints[0].Value))
	return fingerprintLine.ReplaceAllString(sdp, line), nil
}

// decrypted counts every packet that the SRTP sessions could decrypt, whether a track is known for it or not.
type decrypted struct {
	rtp, rtcp atomic.Int64
}

type countedBuffer struct {
	*packetio.Buffer
	count *atomic.Int64
}

func (b countedBuffer) Write(packet []byte) (int, error) {
	b.count.Add(1)
	return b.Buffer.Write(packet)
}

func (d *decrypted) factory(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	buffer := packetio.NewBuffer()
	buffer.SetLimitSize(1 << 20)
	if kind == packetio.RTPBufferPacket {
		return countedBuffer{buffer, &d.rtp}
	}
	return countedBuffer{buffer, &d.rtcp}
}
