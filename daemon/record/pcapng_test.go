package record

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

func TestPcapngVariants(t *testing.T) {
	for _, order := range []struct {
		name string
		new  func() *writer
	}{{"little endian", little}, {"big endian", big}} {
		t.Run(order.name, func(t *testing.T) { testPcapngVariants(t, order.new) })
	}
}

func testPcapngVariants(t *testing.T, file func() *writer) {
	const seconds = 1777863721
	at := func(nanoseconds int64) time.Time { return time.Unix(seconds, nanoseconds).UTC() }
	micro := at(5000)
	offset := string(file().order.AppendUint64(nil, 1<<64-3600)) // -3600
	resolution := func(r byte) string { return file().option(optionResolution, string([]byte{r})) }
	for _, test := range []struct {
		name string
		file *writer
		want []sample
	}{
		{"no interface", file().section(), nil},
		{"microseconds by default", file().section().source(packet.Raw, 0, "").packet(0, seconds*1e6+5, "one", 9),
			[]sample{{"one", 9, packet.Raw, micro}}},
		{"nanoseconds", file().section().source(packet.Raw, 0, resolution(9)).packet(0, seconds*1e9+5, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(5)}}},
		{"seconds", file().section().source(packet.Raw, 0, resolution(0)).packet(0, seconds, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(0)}}},
		{"powers of two", file().section().source(packet.Raw, 0, resolution(0x80|20)).packet(0, seconds<<20+1<<19, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(5e8)}}},
		{"offset", file().section().source(packet.Raw, 0, file().option(optionOffset, offset)).packet(0, (seconds+3600)*1e6+5, "one", 3),
			[]sample{{"one", 3, packet.Raw, micro}}},
		{"options", file().section().source(packet.Raw, 0, file().option(2, "eth0 ")+file().option(1, "hi")+resolution(9)+file().option(0, "")+"\x09\x00\x40\x00").
			packet(0, seconds*1e9+5, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(5)}}},
		{"cooked 2, and another interface", file().section().source(packet.SLL2, 0, "").source(packet.Ethernet, 0, resolution(9)).
			packet(1, seconds*1e9+7, "one", 3).packet(0, seconds*1e6+5, "two", 3),
			[]sample{{"one", 3, packet.Ethernet, at(7)}, {"two", 3, packet.SLL2, micro}}},
		{"blocks to step over", file().section().block(0xbad, func(b *writer) { b.u32(32473).text("ours") }).source(packet.Raw, 0, "").
			block(5, func(b *writer) { b.u32(0, 0, 0) }).block(99, func(b *writer) { b.text(strings.Repeat("x", 3<<20)) }).
			packet(0, seconds*1e6+5, "one", 3).block(0x40000bad, func(b *writer) { b.u32(32473) }),
			[]sample{{"one", 3, packet.Raw, micro}}},
		{"obsolete packet block", file().section().source(packet.Raw, 0, "").source(packet.Ethernet, 0, "").
			block(blockPacket, func(b *writer) {
				b.u16(1, 77).u32(uint32(seconds*1000000>>32), uint32(seconds*1000000&0xffffffff)+5, 3, 4).text("one")
			}),
			[]sample{{"one", 4, packet.Ethernet, micro}}},
		{"simple packet blocks", file().section().source(packet.Raw, 5, "").packet(0, seconds*1e6+5, "one", 3).
			block(blockSimple, func(b *writer) { b.u32(3).text("two") }).
			block(blockSimple, func(b *writer) { b.u32(9).text("three") }),
			[]sample{{"one", 3, packet.Raw, micro}, {"two", 3, packet.Raw, micro}, {"three", 9, packet.Raw, micro}}},
		{"simple packet block first", file().section().source(packet.Raw, 0, "").block(blockSimple, func(b *writer) { b.u32(3).text("one") }),
			[]sample{{"one", 3, packet.Raw, time.Unix(0, 0).UTC()}}},
		{"snap length 2 GB", file().section().source(packet.Raw, 1<<31, "").packet(0, seconds*1e6+5, "one", 3),
			[]sample{{"one", 3, packet.Raw, micro}}},
		{"more captured than sent", file().section().source(packet.Raw, 1, "").packet(0, seconds*1e6+5, "one", 1),
			[]sample{{"one", 3, packet.Raw, micro}}},
		{"second section", file().section().source(packet.Raw, 0, "").packet(0, seconds*1e6+5, "one", 3).
			text(string(other(file()).section().source(packet.Ethernet, 0, "").packet(0, seconds*1e6+5, "two", 3).b)),
			[]sample{{"one", 3, packet.Raw, micro}, {"two", 3, packet.Ethernet, micro}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := readAll(test.file.b)
			check(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("frames (-want +got):\n%s", diff)
			}
		})
	}
}

// other returns a writer of the other byte order.
func other(w *writer) *writer {
	if w.order == binary.AppendByteOrder(binary.BigEndian) {
		return little()
	}
	return big()
}

// A stamp can be any number. Times stay within what the engine can hold.
func TestStampsThatMakeNoSense(t *testing.T) {
	for _, test := range []struct {
		clock clock
		ticks uint64
		want  string
	}{
		{clock{}, 7, "1970-01-01T00:00:00Z"},
		{clock{rate: 1}, 1<<64 - 1, "2262-04-11T23:47:15Z"},
		{clock{rate: 1e6, offset: -1 << 63}, 5e6, "1970-01-01T00:00:00Z"},
		{clock{rate: 1e6, offset: 1<<63 - 1}, 5e6, "2262-04-11T23:47:15Z"},
		{clock{rate: 1 << 63}, 1<<64 - 1, "1970-01-01T00:00:01.999999999Z"},
		{clock{rate: 1e19}, 1<<64 - 1, "1970-01-01T00:00:01.844674407Z"},
	} {
		if got := test.clock.time(test.ticks).Format(time.RFC3339Nano); got != test.want {
			t.Errorf("%d ticks of %+v: got %s, want %s", test.ticks, test.clock, got, test.want)
		}
	}
}
