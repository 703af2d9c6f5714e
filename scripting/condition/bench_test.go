package condition

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// aList returns the text of a list of a million networks, and sources of which every second is in
// one of them. The networks are of 16 to 32 bits, as in lists of hosters and of attackers, and
// every eighth is of IPv6.
func aList(seed uint64) (text []byte, sources []netip.Addr) {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	b.WriteString("# a million networks\n")
	four := func() netip.Addr {
		return netip.AddrFrom4([4]byte{byte(1 + r.IntN(223)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))})
	}
	six := func() netip.Addr {
		a := [16]byte{0x20, 1, byte(r.IntN(64)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}
		return netip.AddrFrom16(a)
	}
	for i := range maxNetworks {
		a, bits := four(), 16+r.IntN(17)
		if i%8 == 0 {
			a, bits = six(), 32+r.IntN(33)
		}
		b.WriteString(netip.PrefixFrom(a, bits).Masked().String())
		b.WriteByte('\n')
		if i%1000 == 0 {
			sources = append(sources, a, four())
		}
	}
	return b.Bytes(), sources
}

// BenchmarkNetworksLoad reads a list of a million networks. It reports the memory that the list
// takes beside its text.
func BenchmarkNetworksLoad(b *testing.B) {
	text, _ := aList(1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var l any
	for b.Loop() {
		var err error
		if l, err = readNetworks("a", text); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
	b.ReportMetric(float64(len(text))/(1<<20), "MiB-text")
	runtime.KeepAlive(text)
	runtime.KeepAlive(l)
}

// someFacts answer every question alike.
type someFacts engine.Answer

// Answer implements [engine.Facts].
func (f someFacts) Answer(engine.Question) engine.Answer { return engine.Answer(f) }

// A probe is a condition that measures others in a call of an engine.
type probe struct{ measure func(*engine.Call) }

// Check implements [engine.Condition].
func (p probe) Check(c *engine.Call) (engine.Verdict, error) {
	p.measure(c)
	return engine.Verdict{}, nil
}

// Name implements [engine.Condition].
func (probe) Name() string { return "probe" }

// String implements [engine.Condition].
func (probe) String() string { return "probe" }

// within calls measure as a condition of a door, for a source that has a grant of the door "vpn".
// Whoever knocks there also completes its sequence.
func within(b *testing.B, measure func(*engine.Call)) {
	start := time.Unix(0, 0)
	e := engine.New(engine.Config{}, start)
	door := func(name string, port uint16, when ...engine.Condition) *engine.Door {
		return &engine.Door{
			Name: name, Sequence: []engine.Knock{{Port: packet.Port{Proto: packet.UDP, Number: port}}}, Within: time.Second, TTL: time.Hour,
			Guards: []packet.Port{{Proto: packet.TCP, Number: 22}}, NoteCompletions: true, When: when,
		}
	}
	e.Swap(start, &engine.Set{Doors: []*engine.Door{door("vpn", 1), door("probe", 2, probe{measure})}})
	e.SetFacts(someFacts{Known: true, Country: "ES", ASN: 3352, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, From: "a database"})
	for i := range uint16(2) {
		e.Packet(&packet.Packet{
			Time: start.Add(time.Duration(i) * time.Second), Number: int(i) + 1, Source: netip.MustParseAddr("203.0.113.9"), Dest: netip.MustParseAddr("198.51.100.1"),
			SourcePort: 20000, Port: packet.Port{Proto: packet.UDP, Number: i + 1},
		})
	}
}

// BenchmarkCondition has the cost of one check, of each kind. Sources change, and one of four is in
// the list of a million networks.
func BenchmarkCondition(b *testing.B) {
	text, sources := aList(1)
	made := func(k Kind, v Values) engine.Condition {
		c, err := k.Build(k.Name, v)
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	large, office := buildNetworks(b, nil, string(text)), buildNetworks(b, []string{"203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"})
	days, _ := parseDays("mon-fri")
	hours := made(Window(), Values{Named: map[string]any{"days": days, "from": 8 * 60, "to": 19 * 60, "tz": time.UTC}})
	country := made(Country(), Values{List: []any{"ES", "PT"}})
	both := Values{List: []any{office, country}}
	for _, one := range []struct {
		name      string
		condition engine.Condition
	}{
		{"window", hours},
		{"networks/3", office},
		{"networks/1000000", large},
		{"country", country},
		{"asn", made(ASN(), Values{List: []any{asn(3352)}})},
		{"continent", made(Continent(), Values{List: []any{"europe"}})},
		{"hosts", made(Hosts(), Values{List: []any{"home.example.net"}})},
		{"granted", made(Granted(), Values{List: []any{"vpn"}})},
		{"completed", made(Completed(), Values{List: []any{"vpn"}, Named: map[string]any{"within": time.Hour}})},
		{"any", made(Any(), both)},
		{"all", made(All(), both)},
		{"none", made(None(), both)},
	} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			within(b, func(c *engine.Call) {
				own := c.Source
				for i := 0; b.Loop(); i++ {
					if c.Source = own; i%2 == 0 {
						c.Source = sources[i/2%len(sources)]
					}
					if _, err := one.condition.Check(c); err != nil {
						b.Fatal(err)
					}
				}
				c.Source = own
			})
		})
	}
	list := large.(*networks).files[0]
	b.Run("look-up/1000000", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			list.find(sources[i%len(sources)])
		}
	})
}
