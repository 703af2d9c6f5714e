package condition

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"sesame/daemon/engine"
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

// someFacts answers every question alike.
type someFacts engine.Answer

func (f someFacts) Answer(engine.Question) engine.Answer { return engine.Answer(f) }

// BenchmarkCondition has the cost of a check, of each kind. Half of the sources are in the list of
// a million networks.
func BenchmarkCondition(b *testing.B) {
	text, sources := aList(1)
	large := buildNetworks(b, nil, string(text))
	office := buildNetworks(b, []string{"203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"})
	hours := &window{name: "hours", to: midnight - 1, zone: time.UTC, days: weekdays{on: [7]bool{true, true, true, true, true, true, true}, text: "mon-sun"}}
	call := &engine.Call{Time: time.Unix(0, 0), Wall: time.Unix(0, 0), Facts: someFacts{Known: true, Country: "ES", ASN: 3352, From: "a database"}}
	for _, one := range []struct {
		name      string
		condition engine.Condition
	}{
		{"window", hours},
		{"networks of 3", office},
		{"networks of 1000000", large},
		{"any", &anyOf{of(office, hours)}},
		{"country", &countries{"iberia", []string{"ES", "PT"}}},
		{"continent", &continents{"near", []string{"europe"}}},
		{"asn", &systems{"hosters", []asn{14061, 16276}}},
	} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				call.Source = sources[i%len(sources)]
				if _, err := one.condition.Check(call); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	list := large.(*networks).files[0]
	b.Run("look-up in 1000000", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			list.find(sources[i%len(sources)])
		}
	})
}
