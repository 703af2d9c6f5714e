package wire

import (
	"encoding/json"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

var same = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

var (
	texts = rapid.OneOf(rapid.Map(rapid.String(), toText[string]), rapid.Map(rapid.SliceOf(rapid.Byte()), toText[[]byte]))
	ports = rapid.Custom(func(t *rapid.T) Port {
		return Port{rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "proto"), rapid.Uint16Min(1).Draw(t, "number")}
	})
	addresses = rapid.Custom(func(t *rapid.T) netip.Addr {
		if b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"); rapid.Bool().Draw(t, "ipv6") {
			return netip.AddrFrom16([16]byte(b))
		} else {
			return netip.AddrFrom4([4]byte(b))
		}
	})
	prefixes = rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := addresses.Draw(t, "source")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
	})
	durations = rapid.Map(rapid.Int64Min(0), func(ns int64) time.Duration { return time.Duration(ns) })
	grants    = rapid.Custom(func(t *rapid.T) *Grant {
		g := &Grant{
			ID: rapid.Uint64Range(1, math.MaxInt64).Draw(t, "id"), Door: texts.Draw(t, "door"), By: optional(addresses).Draw(t, "by"),
			Timeout: durations.Draw(t, "timeout"), AnyStatus: rapid.Bool().Draw(t, "any status"), Observed: rapid.Bool().Draw(t, "observed"), Cut: rapid.Bool().Draw(t, "cut"),
			Shared: rapid.Bool().Draw(t, "shared"),
			TTL:    durations.Draw(t, "ttl"), End: rapid.Int64().Draw(t, "end"),
		}
		if rapid.Bool().Draw(t, "window") {
			g.WindowEnd = rapid.Int64Min(1).Draw(t, "window end")
			g.TTLEnd = rapid.Int64Range(max(g.End, 1), math.MaxInt64).Draw(t, "ttl end")
		}
		if rapid.Bool().Draw(t, "command") {
			g.Source, g.Argv = optional(prefixes).Draw(t, "source"), rapid.SliceOfN(texts, 1, 4).Draw(t, "argv")
			g.Undo = rapid.OneOf(rapid.Just[[]Text](nil), rapid.SliceOf(texts)).Draw(t, "undo")
		} else {
			g.Source, g.Port = prefixes.Draw(t, "source"), ports.Draw(t, "port")
		}
		return g
	})
	records = rapid.Custom(func(t *rapid.T) Record {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return Record{Grant: grants.Draw(t, "grant"), Ended: rapid.Bool().Draw(t, "ended")}
		case 1:
			return Record{Consumed: &Consumed{texts.Draw(t, "file"), texts.Draw(t, "line")}, Ended: rapid.Bool().Draw(t, "commented out")}
		}
		value, err := EncodeScalar(rapid.SampledFrom([]any{nil, true, false, 0.1, math.Inf(1), math.Inf(-1), "", "n", "s\xff"}).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		return Record{Value: &Value{
			Script: texts.Draw(t, "script"), Source: optional(addresses).Draw(t, "source"), Key: texts.Draw(t, "key"), Value: value,
			Until: rapid.Int64().Draw(t, "until"), TTL: durations.Draw(t, "ttl"),
		}}
	})
)

func toText[T string | []byte](s T) Text { return Text(s) }

func optional[T any](g *rapid.Generator[T]) *rapid.Generator[T] {
	return rapid.OneOf(g, rapid.Map(rapid.Bool(), func(bool) (zero T) { return zero }))
}

func TestARecordComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := records.Draw(t, "record")
		var got Record
		carry(t, want, &got)
		if err := got.Check(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("record (-want +got):\n%s", diff)
		}
	})
}

func TestAnEffectComesBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Effect{
			ID: rapid.Uint64().Draw(t, "id"), Effect: rapid.Uint8().Draw(t, "effect"), Awaited: rapid.Bool().Draw(t, "awaited"),
			Runs: rapid.Bool().Draw(t, "runs"), AnyStatus: rapid.Bool().Draw(t, "any status"), File: texts.Draw(t, "file"),
			Line: texts.Draw(t, "line"), Door: texts.Draw(t, "door"), Source: optional(prefixes).Draw(t, "source"),
			Port: optional(ports).Draw(t, "port"), Grant: rapid.Uint64().Draw(t, "grant"), Was: rapid.Int64().Draw(t, "was"),
			WasWindow: rapid.Int64().Draw(t, "window before"), WasTTL: rapid.Int64().Draw(t, "ttl before"),
			End: rapid.Int64().Draw(t, "end"), Over: optional(grants).Draw(t, "over"),
		}
		var got Effect
		carry(t, want, &got)
		if err := got.Check(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatalf("effect (-want +got):\n%s", diff)
		}
	})
}

// carry writes a value as JSON and reads it into another.
func carry(t interface{ Fatal(...any) }, from, into any) {
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err, string(text))
	}
}

// Whatever can be read and passes its check can be written, and is the same when it is read
// again.
func FuzzRecord(f *testing.F) {
	for _, text := range []string{
		`{"grant":{"id":7,"door":"ssh","by":"203.0.113.9","source":"203.0.113.9/32","port":"tcp/22","ttl":30000000000,"end":5}}`,
		`{"grant":{"id":7,"door":["/w=="],"argv":["a"],"undo":[],"anyStatus":true,"shared":true,"observed":true,"end":5},"ended":true}`,
		`{"Grant":{"ID":7,"Source":"::/0","Port":{"Proto":2,"Number":53},"AnyStatus":true}}`,
		`{"value":{"script":"a.lua","source":"::1","key":"k","value":"n+Inf","until":5,"ttl":4}}`,
		`{"value":{"value":"sx"}}`, `{"spent":{"file":"/f","line":"1,2"},"ended":true}`, `{}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want, got Record
		if json.Unmarshal(text, &want) != nil || want.Check() != nil {
			return
		}
		carry(t, want, &got)
		if want.Grant != nil && len(want.Grant.Argv) == 0 { // an ended grant may have anything
			want.Grant.Argv, got.Grant.Argv = nil, nil
		}
		if diff := cmp.Diff(want, got, same); diff != "" || got.Check() != nil {
			t.Fatalf("read, written and read again (-want +got):\n%s", diff)
		}
	})
}

func TestVersion1OfRecordingsIsRead(t *testing.T) {
	var got Grant
	err := json.Unmarshal([]byte(`{"ID":7,"Door":"a","By":"","Source":"203.0.113.0/24","Port":{"Proto":1,"Number":22},"Argv":null,"Undo":null,`+
		`"Timeout":1,"TTL":2,"End":3,"AnyStatus":true,"Observed":true}`), &got)
	want := Grant{
		ID: 7, Door: "a", Source: netip.MustParsePrefix("203.0.113.0/24"), Port: Port{packet.TCP, 22}, Timeout: 1, TTL: 2, End: 3,
		AnyStatus: true, Observed: true,
	}
	if diff := cmp.Diff(want, got, same); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestWhatNoEngineGivesIsRefused(t *testing.T) {
	access := func(change func(*Grant)) Record {
		g := &Grant{ID: 1, Source: netip.MustParsePrefix("203.0.113.0/24"), Port: Port{packet.TCP, 22}}
		change(g)
		return Record{Grant: g}
	}
	for _, tt := range []struct {
		name string
		r    Record
		want string
	}{
		{"nothing", Record{}, "not of one grant"},
		{"two things", Record{Value: &Value{}, Consumed: &Consumed{}}, "not of one grant"},
		{"no id", access(func(g *Grant) { g.ID = 0 }), "cannot be"},
		{"an id that wraps", access(func(g *Grant) { g.ID = 1 << 63 }), "cannot be"},
		{"an end of no id", Record{Grant: &Grant{}, Ended: true}, "cannot be"},
		{"access of nobody", access(func(g *Grant) { g.Source = netip.Prefix{} }), "expected a source"},
		{"bits behind the prefix", access(func(g *Grant) { g.Source = netip.MustParsePrefix("203.0.113.9/24") }), "expected a source"},
		{"ICMP", access(func(g *Grant) { g.Port.Proto = packet.ICMP }), "expected a source and a port"},
		{"an unknown protocol", access(func(g *Grant) { g.Port.Proto = 200 }), "expected a source and a port"},
		{"port 0", access(func(g *Grant) { g.Port.Number = 0 }), "expected a source and a port"},
		{"a command without a name", access(func(g *Grant) { g.Argv = []Text{} }), "without a name"},
		{"a TTL below zero", access(func(g *Grant) { g.TTL = -1 }), "is for -1ns"},
		{"a value of no kind", Record{Value: &Value{Key: "k", Value: "?"}}, `the value of "k"`},
		{"a number that is none", Record{Value: &Value{Value: "nx"}}, "invalid syntax"},
	} {
		if err := tt.r.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", tt.name, err, tt.want)
		}
	}
	if err := (&Effect{Port: Port{packet.ICMP, 8}}).Check(); err == nil {
		t.Error("an effect on ICMP was accepted")
	}
	for _, text := range []string{`"icmp/8"`, `"tcp/0"`, `{"Proto":9,"Number":1}`, `{"Proto":3,"Number":1}`, `7`, `"tcp/65536"`} {
		if err := json.Unmarshal([]byte(text), new(Port)); err == nil {
			t.Errorf("port %s was accepted", text)
		}
	}
	if _, err := json.Marshal(Port{packet.ICMP, 8}); err == nil {
		t.Error("a port of ICMP was written")
	}
	if _, err := EncodeScalar(1); err == nil {
		t.Error("an int was written as a value")
	}
}

func TestTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Int64().Draw(t, "ns")
		if back := Nanoseconds(Time(ns)); back != ns {
			t.Fatalf("%d became %d", ns, back)
		}
	})
	for _, tt := range []struct {
		time time.Time
		want int64
	}{{time.Time{}, math.MinInt64}, {Time(Forever).Add(1), Forever}, {time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Forever}} {
		if got := Nanoseconds(tt.time); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.time, got, tt.want)
		}
	}
	for _, tt := range []struct {
		ns   int64
		d    time.Duration
		want int64
	}{
		{5, 6, 11}, {5, -6, -1}, {math.MaxInt64 - 1, 1, Forever}, {math.MaxInt64 - 1, 2, Forever}, {Forever, -5, Forever},
		{math.MinInt64, -1, math.MinInt64}, {math.MinInt64, 1, math.MinInt64 + 1}, {-5, math.MaxInt64, math.MaxInt64 - 5},
	} {
		if got := Add(tt.ns, tt.d); got != tt.want {
			t.Errorf("%d + %d: %d, want %d", tt.ns, tt.d, got, tt.want)
		}
	}
}
