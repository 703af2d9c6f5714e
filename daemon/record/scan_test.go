package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// seen is a frame that somebody wants, or an end.
type seen struct {
	Number int
	At     time.Time
	Back   time.Duration
	Data   string
	Err    string
	Latest time.Time
}

// Scan returns what a loop over Next finds, and steps over the rest.
func TestScanFindsWhatNextFinds(t *testing.T) {
	wanted := func(_ packet.LinkType, data []byte) bool { return len(data) > 0 && data[0]%4 == 0 }
	rapid.Check(t, func(t *rapid.T) {
		file := drawPcap(t)
		most := rapid.IntRange(1, 9).Draw(t, "most")
		var want, got []seen
		r, err := NewReader(bytes.NewReader(file), -1, "next")
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			var f *Frame
			if f, err = r.Next(); err != nil || f.Back > 0 || wanted(f.Link, f.Data) {
				want = append(want, see(r, f, err))
			}
		}
		frames := r.Frames()
		r, err = NewReader(iotest.OneByteReader(bytes.NewReader(file)), -1, "next")
		if rapid.Bool().Draw(t, "at once") {
			r, err = NewReader(bytes.NewReader(file), -1, "next")
		}
		total := 0
		for err == nil {
			var f *Frame
			var passed int
			f, passed, err = r.Scan(most, wanted)
			if passed > most || f == nil && err == nil && passed != most {
				t.Fatalf("passed %d of at most %d", passed, most)
			}
			if total += passed; f != nil || err != nil {
				got = append(got, see(r, f, err))
			}
			if f != nil {
				total++
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || total != frames {
			t.Fatalf("%d frames, want %d (-next +scan):\n%s", total, frames, diff)
		}
	})
}

func see(r *Reader, f *Frame, err error) seen {
	s := seen{Latest: r.Latest()}
	if err != nil {
		s.Err = err.Error()
		return s
	}
	s.Number, s.At, s.Back, s.Data = f.Number, f.Time(), f.Back, string(f.Data)
	return s
}

// drawPcap returns a pcap file of either byte order, with stamps in some order, that may be cut.
func drawPcap(t *rapid.T) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if rapid.Bool().Draw(t, "big") {
		order = binary.BigEndian
	}
	b := order.AppendUint32(nil, rapid.SampledFrom([]uint32{magicPcap, magicPcapNano}).Draw(t, "magic"))
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	for _, word := range []uint32{0, 0, 65535, 1} {
		b = order.AppendUint32(b, word)
	}
	for range rapid.IntRange(0, 30).Draw(t, "frames") {
		data := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")
		for _, word := range []uint32{rapid.Uint32Range(100, 103).Draw(t, "s"), rapid.Uint32Range(0, 999_999).Draw(t, "fraction"), uint32(len(data)), uint32(len(data))} {
			b = order.AppendUint32(b, word)
		}
		b = append(b, data...)
	}
	return b[:max(fileHeader, len(b)-rapid.SampledFrom([]int{0, 0, 0, 1, 7, 20}).Draw(t, "cut"))]
}

func TestStepsOfAClock(t *testing.T) {
	micro, second := clock{rate: 1e6}, clock{rate: 1}
	var s stamp
	for i, tt := range []struct {
		next stamp
		back time.Duration
		at   int64 // microseconds
	}{
		{stamp{10e6, micro}, 0, 10e6},
		{stamp{9e6, micro}, 0, 10e6}, // just a second: out of order
		{stamp{9e6 - 1, micro}, 1000001 * time.Microsecond, 9e6 - 1},
		{stamp{9e6, micro}, 0, 9e6},
		{stamp{8, second}, 0, 9e6},
		{stamp{7, second}, 2 * time.Second, 7e6},
		{stamp{20, second}, 0, 20e6},
		{stamp{20e6 + 1, micro}, 0, 20e6 + 1},
	} {
		if back := s.follow(tt.next); back != tt.back || s.time().UnixMicro() != tt.at {
			t.Errorf("%d: back by %v, at %v", i, back, s.time())
		}
	}
}

func TestFramesWithoutStamps(t *testing.T) {
	simple := func(data string) []byte {
		b := appendWords(nil, blockSimple, uint32(blockFrame+4+len(data)), uint32(len(data)))
		return appendWords(append(b, data...), uint32(blockFrame+4+len(data)))
	}
	file := appendWords(nil, magicPcapng, 28, byteOrderMagic, 1, 0xffffffff, 0xffffffff, 28)
	file = appendWords(file, blockInterface, 20, 1, 0, 20)
	file = append(append(file, simple("abcd")...), simple("efgh")...)
	for name, tt := range map[string]struct {
		file []byte
		want int
	}{
		"simple packet blocks": {file, 2},
		"stamps of zero":       {pcapOf(0, 0, 0), 3},
		"stamps":               {pcapOf(0, 1, 2), 0},
		"no frames":            {pcapOf(), 0},
	} {
		r, err := NewReader(bytes.NewReader(tt.file), -1, "a")
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, io.EOF) || r.Unstamped() != tt.want {
			t.Errorf("%s: %v, %d without a stamp, want %d", name, err, r.Unstamped(), tt.want)
		}
	}
}

// pcapOf returns a pcap file of frames stamped at these seconds.
func pcapOf(seconds ...uint32) []byte {
	b := appendWords(nil, magicPcap, 2|4<<16, 0, 0, 65535, 1)
	for _, s := range seconds {
		b = append(appendWords(b, s, 0, 4, 4), "data"...)
	}
	return b
}
