package craft_test

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/simulate/craft"
)

var (
	source4 = netip.MustParseAddr("203.0.113.9")
	source6 = netip.MustParseAddr("2001:db8:9::9")
	begin   = time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)
)

// packets draws what a client can send.
func packets(t *rapid.T) craft.Packet {
	p := craft.Packet{
		Source: source4, Dest: craft.Host4,
		SourcePort: rapid.Uint16Min(1).Draw(t, "source port"),
		Port:       packet.Port{Proto: packet.UDP, Number: rapid.Uint16Min(1).Draw(t, "port")},
		Payload:    rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "payload"),
	}
	if rapid.Bool().Draw(t, "IPv6") {
		p.Source, p.Dest = source6, craft.Host6
	}
	if rapid.Bool().Draw(t, "TCP") {
		p.Port.Proto, p.Sequence = packet.TCP, rapid.Uint32().Draw(t, "sequence")
		flags := rapid.SampledFrom([]packet.Flags{packet.SYN, packet.SYN | packet.ACK, packet.FIN, 0, packet.PSH | packet.ACK})
		p.Flags = flags.Draw(t, "flags")
	}
	return p
}

// TestFramesAreDecodedAsTheyWereMade compares packets with what the decoder says of their frames,
// with and without a file of each format in between. The decoder gets them as live ones, so that it
// looks at each checksum.
func TestFramesAreDecodedAsTheyWereMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom([]packet.LinkType{packet.Ethernet, packet.Raw}).Draw(t, "link")
		name := "x." + rapid.SampledFrom([]string{"pcap", "pcapng", "pcap.gz", "pcapng.zst"}).Draw(t, "format")
		want, file := rapid.SliceOfN(rapid.Custom(packets), 1, 5).Draw(t, "packets"), craft.NewFile(link)
		file.Nano = rapid.Bool().Draw(t, "nanoseconds")
		for i, p := range want {
			if err := file.Add(begin.Add(time.Duration(i)*1001*time.Microsecond), p); err != nil {
				t.Fatal(err)
			}
		}
		data, err := file.Encode(name)
		if err != nil {
			t.Fatal(err)
		}
		got, times := decoded(t, data)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("packets (-made +decoded):\n%s", diff)
		}
		for i, at := range times {
			if want := begin.Add(time.Duration(i) * 1001 * time.Microsecond); !at.Equal(want) {
				t.Errorf("packet %d: at %v, want %v", i+1, at, want)
			}
		}
	})
}

func decoded(t *rapid.T, data []byte) (packets []craft.Packet, times []time.Time) {
	r, err := record.NewReader(bytes.NewReader(data), int64(len(data)), "the file")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	decoder := packet.NewDecoder()
	for f, err := r.Next(); err == nil; f, err = r.Next() {
		var p packet.Packet
		if drop := decoder.DecodeReceived(f.Link, f.Data, f.Wire, packet.Live, &p); drop != packet.NotDropped {
			t.Fatalf("packet %d is dropped: %v", f.Number, drop)
		}
		times = append(times, f.Time())
		packets = append(packets, craft.Packet{
			Source: p.Source, Dest: p.Dest, SourcePort: p.SourcePort, Port: p.Port,
			Flags: p.Flags, Sequence: p.Sequence, Payload: bytes.Clone(p.Payload),
		})
	}
	return packets, times
}

func TestWhatCannotBeSent(t *testing.T) {
	good := craft.Packet{Source: source4, Dest: craft.Host4, Port: packet.Port{Proto: packet.UDP, Number: 7}, Payload: make([]byte, craft.MaxPayload)}
	for _, tt := range []struct {
		name   string
		link   packet.LinkType
		change func(*craft.Packet)
		err    string // a part of it; "": none
	}{
		{"the longest payload", packet.Raw, func(*craft.Packet) {}, ""},
		{"the longest payload of TCP", packet.Raw, func(p *craft.Packet) { p.Port.Proto = packet.TCP }, ""},
		{"one byte more", packet.Raw, func(p *craft.Packet) { p.Payload = make([]byte, craft.MaxPayload+1) }, "65496 bytes: expected 65495 at most"},
		{"two families", packet.Raw, func(p *craft.Packet) { p.Dest = craft.Host6 }, "expected two addresses of IPv4, or two of IPv6"},
		{"no source", packet.Raw, func(p *craft.Packet) { p.Source = netip.Addr{} }, "expected two addresses"},
		{"no destination", packet.Raw, func(p *craft.Packet) { p.Dest = netip.Addr{} }, "expected two addresses"},
		{"the longest payload over Ethernet", packet.Ethernet, func(*craft.Packet) {}, ""},
		{"no source, to IPv6", packet.Raw, func(p *craft.Packet) { p.Source, p.Dest = netip.Addr{}, craft.Host6 }, "expected two addresses"},
		{"no destination, from IPv6", packet.Raw, func(p *craft.Packet) { p.Source, p.Dest = source6, netip.Addr{} }, "expected two addresses"},
		{"a zone", packet.Raw, func(p *craft.Packet) { p.Source, p.Dest = source6.WithZone("eth0"), craft.Host6 }, "without a zone"},
		{"a mapped address", packet.Raw, func(p *craft.Packet) { p.Source, p.Dest = netip.MustParseAddr("::ffff:1.2.3.4"), craft.Host6 }, "without ::ffff:"},
		{"ICMP", packet.Raw, func(p *craft.Packet) { p.Port.Proto = packet.ICMP }, "expected TCP or UDP"},
		{"another link", packet.PPP, func(*craft.Packet) {}, "expected Ethernet or raw IP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := good
			tt.change(&p)
			err := craft.NewFile(tt.link).Add(begin, p)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

func TestEncodeNeedsAKnownExtension(t *testing.T) {
	for _, name := range []string{"x", "x.txt", "x.pcap.xz", "pcap"} {
		if _, err := craft.NewFile(packet.Raw).Encode(name); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestANewFileKeepsNanoseconds(t *testing.T) {
	if f := craft.NewFile(packet.Raw); !f.Nano || f.SnapLen != craft.SnapLen || f.Link != packet.Raw {
		t.Errorf("got %+v", f)
	}
}

func TestStartAt(t *testing.T) {
	f := craft.NewFile(packet.Raw)
	f.StartAt(begin)
	f.Frames = []craft.Frame{{Time: begin}, {Time: begin.Add(time.Second)}}
	f.StartAt(begin.AddDate(1, 0, 0))
	for i, want := range []time.Time{begin.AddDate(1, 0, 0), begin.AddDate(1, 0, 0).Add(time.Second)} {
		if got := f.Frames[i].Time; !got.Equal(want) {
			t.Errorf("frame %d: at %v, want %v", i, got, want)
		}
	}
}

// TestNoTwoPacketsOfASenderLookAlike: the engine takes a segment with the ports and the sequence
// number of another one for a retransmit.
func TestNoTwoPacketsOfASenderLookAlike(t *testing.T) {
	type identity struct {
		port     uint16
		sequence uint32
	}
	var s craft.Sender
	if p := s.Packet(source4, craft.Host4, craft.Knock{}); p.SourcePort != 40001 || p.Sequence != 1000 {
		t.Errorf("the first packet has the source port %d and the sequence number %d", p.SourcePort, p.Sequence)
	}
	seen, ports := map[identity]bool{}, map[uint16]int{}
	for i := range 50_000 {
		p := s.Packet(source4, craft.HostFor(source4), craft.Knock{Port: packet.Port{Proto: packet.TCP, Number: 7}})
		if id := (identity{p.SourcePort, p.Sequence}); seen[id] {
			t.Fatalf("packet %d has the source port and the sequence number of another one", i)
		} else {
			seen[id] = true
		}
		if last, used := ports[p.SourcePort]; used && i-last < 20_000 {
			t.Fatalf("packet %d has the source port of packet %d", i, last)
		}
		ports[p.SourcePort] = i
	}
}
