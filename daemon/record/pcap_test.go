package record

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

func TestPcapVariants(t *testing.T) {
	at := func(nanoseconds int64) time.Time { return time.Unix(1777863721, nanoseconds).UTC() }
	for _, test := range []struct {
		name string
		file *writer
		want []sample
	}{
		{"little endian", little().pcapHeader(magicPcap, packet.Raw).record(1777863721, 999999, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(999999000)}}},
		{"big endian", big().pcapHeader(magicPcap, packet.Ethernet).record(1777863721, 5, "one", 9).record(1777863721, 6, "", 0),
			[]sample{{"one", 9, packet.Ethernet, at(5000)}, {"", 0, packet.Ethernet, at(6000)}}},
		{"nanoseconds", little().pcapHeader(magicPcapNano, packet.SLL2).record(1777863721, 5, "one", 3),
			[]sample{{"one", 3, packet.SLL2, at(5)}}},
		{"nanoseconds, big endian", big().pcapHeader(magicPcapNano, packet.SLL2).record(1777863721, 5, "one", 3),
			[]sample{{"one", 3, packet.SLL2, at(5)}}},
		{"no frames", little().pcapHeader(magicPcap, packet.Raw), nil},
		{"snap length 0", little().u32(magicPcap).u16(2, 4).u32(0, 0, 0, 1).record(1777863721, 0, "one", 3),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"snap length 2 GB", little().u32(magicPcap).u16(2, 4).u32(0, 0, 1<<31, 1).record(1777863721, 0, "one", 3),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"more captured than the snap length", little().u32(magicPcap).u16(2, 4).u32(0, 0, 2, 1).record(1777863721, 0, "one", 3),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"checksum length in the link type", little().u32(magicPcap).u16(2, 4).u32(0, 0, 9, 0x44000001).record(1777863721, 0, "one", 3),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"more captured than sent", little().pcapHeader(magicPcap, packet.Raw).record(1777863721, 0, "one", 1),
			[]sample{{"one", 3, packet.Raw, at(0)}}},
		{"version 2.0", little().u32(magicPcap).u16(2, 0).u32(0, 0, 99, 1).u32(1777863721, 0, 9, 3).text("one"),
			[]sample{{"one", 9, packet.Ethernet, at(0)}}},
		{"version 2.2, big endian", big().u32(magicPcap).u16(2, 2).u32(0, 0, 99, 1).u32(1777863721, 0, 9, 3).text("one"),
			[]sample{{"one", 9, packet.Ethernet, at(0)}}},
		{"version 2.2, less sent than captured", little().u32(magicPcap).u16(2, 2).u32(0, 0, 99, 1).u32(1777863721, 0, 2, 3).text("one"),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"version 2.3, in both orders", little().u32(magicPcap).u16(2, 3).u32(0, 0, 99, 1).
			u32(1777863721, 0, 9, 3).text("one").u32(1777863721, 0, 3, 8).text("two").u32(1777863721, 0, 2, 2).text("ab"),
			[]sample{{"one", 9, packet.Ethernet, at(0)}, {"two", 8, packet.Ethernet, at(0)}, {"ab", 2, packet.Ethernet, at(0)}}},
		{"version 543.0", big().u32(magicPcap).u16(543, 0).u32(0, 0, 99, 1).u32(1777863721, 0, 9, 3).text("one"),
			[]sample{{"one", 9, packet.Ethernet, at(0)}}},
		{"version 2.4 does not swap", little().u32(magicPcap).u16(2, 4).u32(0, 0, 99, 1).u32(1777863721, 0, 3, 1).text("one"),
			[]sample{{"one", 3, packet.Ethernet, at(0)}}},
		{"microseconds beyond a second", little().pcapHeader(magicPcap, packet.Raw).record(1777863720, 1000007, "one", 3),
			[]sample{{"one", 3, packet.Raw, at(7000)}}},
		{"largest frame", little().pcapHeader(magicPcap, packet.Raw).record(1777863721, 0, strings.Repeat("x", MaxFrame), MaxFrame),
			[]sample{{strings.Repeat("x", MaxFrame), MaxFrame, packet.Raw, at(0)}}},
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

func TestHostileFiles(t *testing.T) {
	header := func() *writer { return little().pcapHeader(magicPcap, packet.Raw) }
	ng := func() *writer { return little().section().source(packet.Raw, 0, "") }
	interfaces := little().section()
	for range maxSources + 1 {
		interfaces.source(packet.Raw, 0, "")
	}
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"record beyond the limit", header().record(0, 0, "one", 3).u32(0, 0, MaxFrame+1, 9).b,
			"knocks: damaged after packet 1: a record of 262145 bytes, expected at most 262144"},
		{"record of 4 GB", header().u32(0, 0, 1<<32-1, 1<<32-1).b,
			"knocks: damaged before the first packet: a record of 4294967295 bytes, expected at most 262144"},
		{"half a file header", header().b[:20], "knocks: truncated before the first packet"},
		{"pcap 1.0", little().u32(magicPcap).u16(1, 0).u32(0, 0, 0, 1).b,
			"knocks: damaged before the first packet: pcap version 1.0, expected 2.0 to 2.4"},

		{"byte order", little().u32(magicPcapng, 28, 0, 0, 0, 0, 28).b,
			"knocks: damaged before the first packet: a pcapng section without a byte order"},
		{"pcapng 2", little().block(magicPcapng, func(b *writer) { b.u32(byteOrderMagic).u16(2, 0).u32(0, 0) }).b,
			"knocks: damaged before the first packet: pcapng version 2, expected 1"},
		{"short section", little().block(magicPcapng, func(b *writer) { b.u32(byteOrderMagic).u16(1, 0) }).b,
			"knocks: damaged before the first packet: a pcapng section header of 8 bytes, expected at least 16"},
		{"block of 8 bytes", ng().u32(99, 8).b,
			"knocks: damaged before the first packet: a block of 8 bytes, expected a multiple of 4 from 12 on"},
		{"block of 14 bytes", ng().u32(99, 14).b,
			"knocks: damaged before the first packet: a block of 14 bytes, expected a multiple of 4 from 12 on"},
		{"packet block of 4 GB", ng().u32(blockEnhanced, 1<<32-4).b,
			"knocks: damaged before the first packet: a block of 4294967292 bytes, expected at most 1048576"},
		{"unknown block of 4 GB", ng().u32(99, 1<<32-4).b, "knocks: truncated before the first packet"},
		{"lengths that differ", ng().u32(99, 16, 0, 20).b,
			"knocks: damaged before the first packet: a block of 16 bytes that ends as one of 20"},
		{"packet before an interface", little().section().packet(0, 0, "one", 3).b,
			"knocks: damaged before the first packet: a packet of interface 0, of which the file has 0 so far"},
		{"interface of the section before", ng().packet(0, 0, "one", 3).section().packet(0, 0, "two", 3).b,
			"knocks: damaged after packet 1: a packet of interface 0, of which the file has 0 so far"},
		{"packet larger than its block", ng().block(blockEnhanced, func(b *writer) { b.u32(0, 0, 0, 200, 200).text("one") }).b,
			"knocks: damaged before the first packet: a packet of 200 bytes in a block that has room for 4, and at most 262144 are expected"},
		{"packet beyond the limit", ng().packet(0, 0, strings.Repeat("x", MaxFrame+4), 9).b,
			"knocks: damaged before the first packet: a packet of 262148 bytes in a block that has room for 262148, and at most 262144 are expected"},
		{"simple packet beyond the limit", ng().block(blockSimple, func(b *writer) { b.u32(1 << 20).text(strings.Repeat("x", MaxFrame+4)) }).b,
			"knocks: damaged before the first packet: a packet of 262148 bytes, expected at most 262144"},
		{"short packet block", ng().block(blockEnhanced, func(b *writer) { b.u32(0, 0, 0, 0) }).b,
			"knocks: damaged before the first packet: a packet block of 16 bytes, expected at least 20"},
		{"short simple block", ng().block(blockSimple, func(b *writer) {}).b,
			"knocks: damaged before the first packet: a simple packet block of 0 bytes, expected at least 4"},
		{"short interface block", little().section().block(blockInterface, func(b *writer) { b.u32(1) }).b,
			"knocks: damaged before the first packet: an interface block of 4 bytes, expected at least 8"},
		{"option beyond its block", little().section().source(packet.Raw, 0, "\x02\x00\x40\x00eth0").b,
			"knocks: damaged before the first packet: an option of 64 bytes in a block that has 4 left"},
		{"resolution of 2 bytes", little().section().source(packet.Raw, 0, little().option(optionResolution, "\x06\x06")).b,
			"knocks: damaged before the first packet: option 9 of 2 bytes"},
		{"offset of 4 bytes", little().section().source(packet.Raw, 0, little().option(optionOffset, "\x06\x06xx")).b,
			"knocks: damaged before the first packet: option 14 of 4 bytes"},
		{"resolution 10^-20", little().section().source(packet.Raw, 0, little().option(optionResolution, "\x14")).b,
			"knocks: damaged before the first packet: a resolution of stamps of 0x14, finer than any clock"},
		{"resolution 2^-64", little().section().source(packet.Raw, 0, little().option(optionResolution, "\xc0")).b,
			"knocks: damaged before the first packet: a resolution of stamps of 0xc0, finer than any clock"},
		{"16,385 interfaces", interfaces.b, "knocks: damaged before the first packet: more than 16384 interfaces"},

		{"gzip header alone", []byte("\x1f\x8b"), "knocks: truncated before the first packet"},
		{"gzip method", []byte("\x1f\x8b\x09\x00\x00\x00\x00\x00\x00\x00"), "knocks: damaged before the first packet: gzip: invalid header"},
		{"zstd window of 1 GB", []byte("\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00"),
			"knocks: damaged before the first packet: zstd: compressed with a window of more than 32 MiB: decompress the file first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var err error
			used := allocated(func() { _, err = readAll(test.file) })
			if _, ok := errors.AsType[*DamagedError](err); !ok || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			if used > 8<<20 {
				t.Errorf("%d bytes were allocated", used)
			}
		})
	}
}

func TestNotACapture(t *testing.T) {
	const expected = ", expected a capture: pcap or pcapng, plain or compressed with gzip or zstd"
	for _, test := range []struct{ name, file, want string }{
		{"knocks", "", "an empty file" + expected},
		{"knocks", "dear diary, café", "a text file" + expected},
		{"knocks", "x", "a text file" + expected},
		{"knocks", strings.Repeat("x", 1023) + "é", "a text file" + expected},
		{"knocks", "-- doors\nsesame.door \"ssh\" {}\n", "a Lua script" + expected},
		{"ssh.lua", "return 1", "a Lua script" + expected},
		{"knocks", "\x00\x01\x02\x03\x04", "data of an unknown kind" + expected},
		{"knocks", "\xff\xfe", "data of an unknown kind" + expected},
		{"knocks", "\x7fELF\x02\x01", "an ELF program" + expected},
		{"knocks", "\xa1\xb2\xcd\x34\x00\x02", "a pcap file of the modified kind (magic a1b2cd34)" + expected + "; convert it with editcap -F pcap"},
		{"knocks", "\x34\xcd\xb2\xa1\x02\x00", "a pcap file of the modified kind (magic a1b2cd34)" + expected + "; convert it with editcap -F pcap"},
		{"knocks", "BZh91AY", "a bzip2 file" + expected + "; decompress it first"},
		{"knocks", string(gzipped(t, nil)), "a gzip file that holds nothing" + expected},
		{"knocks", string(gzipped(t, []byte("dear diary"))), "a gzip file that holds a text file" + expected},
		{"knocks", string(zstded(gzipped(t, []byte("dear diary")))), "a zstd file that holds a gzip file" + expected + "; decompress it first"},
	} {
		_, err := NewReader(strings.NewReader(test.file), -1, test.name)
		if _, ok := errors.AsType[*NotCaptureError](err); !ok || err.Error() != test.name+": "+test.want {
			t.Errorf("got  %v\nwant %s: %s", err, test.name, test.want)
		}
	}
}
