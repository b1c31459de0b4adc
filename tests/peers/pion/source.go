// rtclink: what the pion peer sends: files that another program has encoded, over and over
//
// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/h264reader"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"
)

const frameTime = time.Second / 30

// readVideo returns the pictures of an .ivf (VP8) or .h264 (Annex B, one access unit delimiter a picture) file.
func readVideo(path string) ([]media.Sample, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var samples []media.Sample
	if filepath.Ext(path) == ".h264" {
		samples, err = splitH264(content)
	} else {
		samples, err = splitIVF(content)
	}
	if err == nil && len(samples) == 0 {
		err = errors.New("no picture in it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return samples, nil
}

func splitIVF(content []byte) ([]media.Sample, error) {
	reader, _, err := ivfreader.NewWith(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	var samples []media.Sample
	for {
		frame, _, err := reader.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, media.Sample{Data: frame, Duration: frameTime})
	}
}

func splitH264(content []byte) ([]media.Sample, error) {
	reader, err := h264reader.NewReaderWithOptions(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	var samples []media.Sample
	var picture []byte
	for {
		nal, err := reader.NextNAL()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return nil, err
		}
		if (last || nal.UnitType == h264reader.NalUnitTypeAUD) && len(picture) > 0 {
			samples = append(samples, media.Sample{Data: picture, Duration: frameTime})
			picture = nil
		}
		if last {
			return samples, nil
		}
		picture = append(append(picture, 0, 0, 0, 1), nal.Data...)
	}
}

// readAudio returns the packets of an .ogg file with Opus, one packet a page.
func readAudio(path string) ([]media.Sample, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader, _, err := oggreader.NewWith(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var samples []media.Sample
	var before uint64
	for {
		page, header, err := reader.ParseNextPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if header.GranulePosition <= before || bytes.HasPrefix(page, []byte("OpusTags")) {
			continue
		}
		duration := time.Duration(header.GranulePosition-before) * time.Second / 48000
		before = header.GranulePosition
		if duration > 120*time.Millisecond {
			return nil, fmt.Errorf("%s: a page holds %v; write it with oggmux max-page-delay=0 max-delay=0", path, duration)
		}
		samples = append(samples, media.Sample{Data: page, Duration: duration})
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s: no Opus packet in it", path)
	}
	return samples, nil
}

// play writes the samples in real time, again from the start at their end, until stop is closed. A late sample is
// sent at once, and the clock goes on from where it should be.
func play(track *webrtc.TrackLocalStaticSample, samples []media.Sample, stop <-chan struct{}) {
	at := time.Now()
	for {
		for _, sample := range samples {
			select {
			case <-stop:
				return
			case <-time.After(time.Until(at)):
			}
			_ = track.WriteSample(sample) // a connection that is not there is no error of the source
			at = at.Add(sample.Duration)
		}
	}
}
