package record

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var someAsked = []engine.Asked{
	{Question: engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr("203.0.113.9")},
		Answer: engine.Answer{Known: true, Country: "ES", From: "GeoLite2-Country, 2026-11-20"}},
	{Question: engine.Question{Kind: engine.FactASN, Address: netip.MustParseAddr("2001:db8::9")},
		Answer: engine.Answer{Known: true, ASN: 1<<32 - 1, ASName: "\xff\"<", From: "\xfe"}},
	{Question: engine.Question{Kind: engine.FactHost, Name: "home.example.net"},
		Answer: engine.Answer{Known: true, Addresses: []netip.Addr{netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::1")}, From: "DNS"}},
	{Question: engine.Question{Kind: engine.FactHost, Name: "\xff"}, Answer: engine.Answer{Known: true}},
	{Question: engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr("2001:db8::9")},
		Answer: engine.Answer{From: "tor-geoipdb, 2026-11-01", Why: "it has no IPv6 addresses"}},
	{Question: engine.Question{Kind: engine.FactASN, Address: netip.MustParseAddr("203.0.113.9")}},
}

// Facts stand before the input that asked, and nothing stands there when nothing was asked.
func TestFactsStandBeforeTheirInput(t *testing.T) {
	r := NewRecorder(0)
	r.Begin(start, anEngine().State(), Scripts{})
	r.Facts(start, nil)
	r.Packet(&packet.Packet{Time: start, Number: 1}, frame, len(frame))
	r.Facts(start, someAsked)
	r.Packet(&packet.Packet{Time: start, Number: 2}, frame, len(frame))
	r.Facts(start, someAsked[:1])
	r.Input(Input{Kind: InputTick, Time: start})
	items, err := all(t, saved(t, r.Recording()))
	check(t, err)
	if len(items) != 6 || items[1].Frame == nil || items[3].Frame == nil || items[5].Input == nil {
		t.Fatalf("%d items: %+v", len(items), items)
	}
	for at, want := range map[int][]engine.Asked{2: someAsked, 4: someAsked[:1]} {
		in := items[at].Input
		if in == nil || in.Kind != InputFacts || !in.Time.Equal(start) {
			t.Fatalf("item %d: %+v", at, items[at])
		}
		if diff := cmp.Diff(want, in.Asked, comparing, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("item %d (-want +got):\n%s", at, diff)
		}
	}
}

// A recorder that has no room for an input keeps neither it nor what follows: an input without its
// facts would be replayed differently.
func TestFactsWithoutRoomEndTheRecording(t *testing.T) {
	r := NewRecorder(1 << 12)
	r.Begin(start, anEngine().State(), Scripts{})
	many := engine.Asked{Question: engine.Question{Kind: engine.FactHost, Name: "h"}}
	for range 200 {
		many.Answer.Addresses = append(many.Answer.Addresses, netip.MustParseAddr("2001:db8:1234:5678::9"))
	}
	r.Facts(start, []engine.Asked{many})
	r.Input(Input{Kind: InputTick, Time: start})
	items, err := all(t, saved(t, r.Recording()))
	check(t, err)
	if len(items) != 1 {
		t.Errorf("%d items: want the snapshot", len(items))
	}
}

func TestHostileFacts(t *testing.T) {
	for _, tt := range []struct{ name, facts, want string }{
		{"no list", `7`, "reading its JSON"},
		{"an unknown kind", `[{"kind":"weather","address":"203.0.113.9"}]`, `fact 1: its kind is "weather"`},
		{"no kind", `[{"address":"203.0.113.9"}]`, `fact 1: its kind is ""`},
		{"no address", `[{"kind":"country","address":"203.0.113.9"},{"kind":"asn","name":"x"}]`, "fact 2: it has no question"},
		{"an address that is none", `[{"kind":"country","address":"203.0.113"}]`, "reading its JSON"},
		{"no name", `[{"kind":"host"}]`, "it has no question"},
		{"a name and an address", `[{"kind":"host","name":"x","address":"203.0.113.9"}]`, "it has no question"},
		{"a number that is too large", `[{"kind":"asn","address":"203.0.113.9","asn":4294967296}]`, "reading its JSON"},
		{"an empty address", `[{"kind":"host","name":"x","addresses":[""]}]`, "is empty"},
		{"many addresses", `[{"kind":"host","name":"x","addresses":["::1"` + strings.Repeat(`,"::1"`, maxAddresses) + `]}]`, "expected at most 4096"},
		{"many facts", `[{}` + strings.Repeat(`,{}`, maxFacts) + `]`, "expected at most 262144"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readInput(InputFacts, []byte(`{"Time":5,"Facts":`+tt.facts+`}`))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v: want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzFacts reads facts of a stranger. What can be read is written and read again the same.
func FuzzFacts(f *testing.F) {
	for _, n := range []int{0, 1, len(someAsked)} {
		in := Input{Kind: InputFacts, Time: start, Asked: someAsked[:n]}
		payload, err := in.payload()
		check(f, err)
		f.Add(payload)
	}
	f.Add([]byte(`{"Time":5,"Facts":[{"kind":"host","name":["/w=="],"addresses":["::ffff:203.0.113.9","fe80::1%x"]}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		in, err := readInput(InputFacts, payload)
		if err != nil {
			if errors.Unwrap(err) == nil && err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		again, err := in.payload()
		check(t, err)
		second, err := readInput(InputFacts, again)
		check(t, err)
		if diff := cmp.Diff(in.Asked, second.Asked, comparing, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}
