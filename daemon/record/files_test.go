package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"sesame/daemon/packet"
)

// A sample is a frame as a test wants it to come out.
type sample struct {
	Data string
	Wire int
	Link packet.LinkType
	Time time.Time
}

var start = time.Date(2026, 5, 4, 3, 2, 1, 123456000, time.UTC)

// samples returns n frames of different lengths, one a second.
func samples(n int) []sample {
	list := make([]sample, n)
	for i := range list {
		data := fmt.Sprintf("frame %d%s", i, bytes.Repeat([]byte("."), i%70))
		list[i] = sample{data, len(data) + i%3, packet.Ethernet, start.Add(time.Duration(i) * time.Second)}
	}
	return list
}

func info(s sample) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: s.Time, CaptureLength: len(s.Data), Length: s.Wire}
}

// pcap returns a file that pcapgo wrote, little endian.
func pcap(t testing.TB, list []sample) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	check(t, w.WriteFileHeader(65535, layers.LinkTypeEthernet))
	for _, s := range list {
		check(t, w.WritePacket(info(s), []byte(s.Data)))
	}
	return b.Bytes()
}

// pcapng returns a file that pcapgo wrote, with an interface for each link type.
func pcapng(t testing.TB, list []sample) []byte {
	var b bytes.Buffer
	links := []packet.LinkType{packet.Ethernet, packet.Raw}
	w, err := pcapgo.NewNgWriter(&b, layers.LinkType(links[0]))
	check(t, err)
	_, err = w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkType(links[1]), Name: "tun0", TimestampResolution: 6})
	check(t, err)
	for _, s := range list {
		ci := info(s)
		ci.InterfaceIndex = slices.Index(links, s.Link)
		check(t, w.WritePacket(ci, []byte(s.Data)))
	}
	check(t, w.Flush())
	return b.Bytes()
}

// A writer writes what pcapgo cannot: either byte order, any block, any lie.
type writer struct {
	order binary.AppendByteOrder
	b     []byte
}

func (w *writer) u16(v ...uint16) *writer {
	for _, v := range v {
		w.b = w.order.AppendUint16(w.b, v)
	}
	return w
}

func (w *writer) u32(v ...uint32) *writer {
	for _, v := range v {
		w.b = w.order.AppendUint32(w.b, v)
	}
	return w
}

func (w *writer) text(s string) *writer { w.b = append(w.b, s...); return w }

// block writes a pcapng block around what body writes.
func (w *writer) block(kind uint32, body func(*writer)) *writer {
	inner := &writer{order: w.order}
	body(inner)
	for len(inner.b)%4 != 0 {
		inner.b = append(inner.b, 0)
	}
	length := uint32(len(inner.b) + blockFrame)
	w.u32(kind, length).text(string(inner.b)).u32(length)
	return w
}

func (w *writer) section() *writer {
	return w.block(magicPcapng, func(b *writer) { b.u32(byteOrderMagic).u16(1, 0).u32(^uint32(0), ^uint32(0)) })
}

func (w *writer) source(link packet.LinkType, snap uint32, options string) *writer {
	return w.block(blockInterface, func(b *writer) { b.u16(uint16(link), 0).u32(snap).text(options) })
}

func (w *writer) option(code uint16, value string) string {
	o := &writer{order: w.order}
	o.u16(code, uint16(len(value))).text(value)
	for len(o.b)%4 != 0 {
		o.b = append(o.b, 0)
	}
	return string(o.b)
}

func (w *writer) packet(id uint32, ticks uint64, data string, wire int) *writer {
	return w.block(blockEnhanced, func(b *writer) {
		b.u32(id, uint32(ticks>>32), uint32(ticks), uint32(len(data)), uint32(wire)).text(data)
	})
}

func (w *writer) pcapHeader(magic uint32, link packet.LinkType) *writer {
	return w.u32(magic).u16(2, 4).u32(0, 0, 65535, uint32(link))
}

func (w *writer) record(seconds, fraction uint32, data string, wire int) *writer {
	return w.u32(seconds, fraction, uint32(len(data)), uint32(wire)).text(data)
}

func little() *writer { return &writer{order: binary.LittleEndian} }
func big() *writer    { return &writer{order: binary.BigEndian} }

func gzipped(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	check(t, err)
	_, err = w.Write(b)
	check(t, err)
	check(t, w.Close())
	return out.Bytes()
}

// encoder is kept: a new one costs more than all that it does in a test.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<18))
	if err != nil {
		panic(err)
	}
	return w
})

func zstded(b []byte) []byte { return encoder().EncodeAll(b, nil) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(b []byte) (*Reader, error) {
	return NewReader(bytes.NewReader(b), int64(len(b)), "knocks")
}

// read returns all frames, and what ended the reading; nil for a good end.
func read(r *Reader) (list []sample, err error) {
	for {
		f, err := r.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, sample{string(f.Data), f.Wire, f.Link, f.Time()})
	}
}

func readAll(b []byte) (list []sample, err error) {
	r, err := open(b)
	if err != nil {
		return nil, err
	}
	list, err = read(r)
	if closing := r.Close(); closing != nil {
		return nil, closing
	}
	return list, err
}
