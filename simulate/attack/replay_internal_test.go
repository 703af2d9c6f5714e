package attack

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate"
	"sesame/simulate/opening"
)

// captured returns what mattered of knocks that are typed.
func captured(t *testing.T, target Target, lines ...string) []packet.Packet {
	t.Helper()
	var parsed []opening.Line
	for _, text := range lines {
		line, err := opening.ParseLine(text)
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, line)
	}
	file, err := opening.Type(t.Context(), parsed, simulate.SessionConfig{Set: target.Set, Facts: target.Facts}, begin)
	if err != nil {
		t.Fatal(err)
	}
	found, err := simulate.Matter(t.Context(), simulate.Config{Knocks: file.PCAPNG(), Set: target.Set, Facts: target.Facts})
	if err != nil {
		t.Fatal(err)
	}
	return found.Packets
}

// replayed returns what each replay of an opening did, as "again: a; elsewhere: a, b refused when".
// What is by design is in brackets.
func replayed(t *testing.T, target Target, o *Opening) string {
	t.Helper()
	var all []string
	for _, r := range Replays(o, Stranger4) {
		var did []string
		for _, d := range r.Run(target) {
			switch {
			case d.Opened > 0 && r.ByDesign(target.Set, d.Door):
				did = append(did, "("+d.Door+")")
			case d.Opened > 0:
				did = append(did, d.Door)
			case d.Refused > 0:
				did = append(did, d.Door+" refused "+d.Reason)
			}
		}
		if len(did) > 0 {
			all = append(all, r.Name+": "+strings.Join(did, ", "))
		}
	}
	return strings.Join(all, "; ")
}

func TestReplays(t *testing.T) {
	for _, tt := range []struct{ name, script, knock, want string }{
		{"a static sequence", `sesame.door "a" { sequence = { 7000, 7010, 7020 }, guards = 22 }`, "203.0.113.9 a",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"datagrams are no retransmits", `sesame.door "a" { sequence = { "udp/7000", "udp/7010" }, guards = 22 }`, "203.0.113.9 a",
			"again: (a); fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"a network", `local home = sesame.networks { "203.0.113.0/24" }
			sesame.door "a" { sequence = { 7000, 7010 }, guards = 22, when = home }`, "203.0.113.9 a",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: a refused when: home"},
		{"hours", `local hours = sesame.window { from = "10:00", to = "10:30", tz = "UTC" }
			sesame.door "a" { sequence = { 7000, 7010 }, guards = 22, when = hours }`, "203.0.113.9 a",
			"fresh: (a); hour_later: a refused when: hours; day_later: (a); elsewhere: (a)"},
		{"a limit", `sesame.door "a" { sequence = { 7000, 7010 }, guards = 22, limit = "1/2h" }`, "203.0.113.9 a",
			"fresh: a refused limit; hour_later: a refused limit; day_later: (a); elsewhere: a refused limit"},
		{"one knock", `sesame.door "a" { sequence = { "udp/7000" }, guards = 22 }`, "203.0.113.9 a",
			"again: (a); fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"a token that is used up", `sesame.script "s"
			sesame.listen "a" { on = "udp/7000", guards = 22, on_knock = function(k)
				if not sesame.store:once(k.payload, "48h") then return false, "used" end
				k:allow() end }`, `203.0.113.9 udp/7000 payload="token"`,
			"again: a refused when; fresh: a refused when; hour_later: a refused when; day_later: a refused when; elsewhere: a refused when"},
		{"the first knocks open another door", `sesame.door "a" { sequence = { 7000, 7010, 7020 }, guards = 22, tripwires = 0 }
			sesame.door "b" { sequence = { 7010, 7020 }, guards = 23, tripwires = 0 }
			sesame.door "c" { sequence = { 7020, 7010 }, guards = 24, tripwires = 0 }`, "203.0.113.9 tcp/7000 tcp/7010 tcp/7020",
			"fresh: (a), (b), c; hour_later: (a), (b); day_later: (a), (b); elsewhere: (a), (b); reversed: c; without_first: (b)"},
		{"all knocks but the last open another door", `sesame.door "a" { sequence = { 7000, 7010, 7020 }, guards = 22, tripwires = 0 }
			sesame.door "b" { sequence = { 7000, 7010 }, guards = 23, tripwires = 0 }`, "203.0.113.9 tcp/7000 tcp/7010 tcp/7020",
			"fresh: (a), (b); hour_later: (a), (b); day_later: (a), (b); elsewhere: (a), (b); without_last: (b)"},
		{"a door that its own knocks open without the first", `sesame.door "a" { sequence = { "udp/7000", "udp/7010" }, guards = 22, tripwires = 0 }
			sesame.door "b" { sequence = { "udp/7010" }, guards = 23 }`, "203.0.113.9 udp/7000 udp/7010",
			"again: (a), (b); fresh: (a), (b); hour_later: (a), (b); day_later: (a), (b); elsewhere: (a), (b); reversed: (b); without_first: (b)"},
		{"a palindrome is not reversed", `sesame.door "a" { sequence = { 7000, 7010, 7000 }, guards = 22 }`, "203.0.113.9 a",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"a sequence of which each is used once", `sesame.door "a" { one_time_sequences = "once.txt", guards = 22 }`, "203.0.113.9 a",
			""},
		{"one that another door opens before", `local first = sesame.granted { "b" }
			sesame.door "a" { sequence = { 7000, 7010 }, guards = 22, when = first }
			sesame.door "b" { sequence = { 7100 }, guards = 23, ttl = "2h" }`, "203.0.113.9 tcp/7100 tcp/7000 tcp/7010",
			"fresh: (a); hour_later: (a); day_later: a refused when: first; elsewhere: a refused when: first"},
		{"packets of others between the knocks", `sesame.door "a" { sequence = { 7000, 7010 }, guards = 22 }`, "203.0.113.9 tcp/7000 and 203.0.113.7 tcp/7010 tcp/7000 and 203.0.113.9 tcp/7010",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"a knock that was made twice", `sesame.door "a" { sequence = { 7000, 7010 }, guards = 22 }`, "203.0.113.9 tcp/7000 tcp/7000 tcp/7010",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"one of an attempt before", `sesame.door "a" { sequence = { 7000, 7010, 7020 }, guards = 22 }`, "203.0.113.9 tcp/7000 tcp/7010 tcp/7000 tcp/7010 tcp/7020",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
		{"one long before", `local b = sesame.granted { "b" }
			sesame.door "a" { sequence = { "udp/7000", "udp/7010" }, within = "1s", guards = 22, tripwires = 0 }
			sesame.door "c" { sequence = { "udp/7010", "udp/7000" }, within = "1s", guards = 23, tripwires = 0, when = b }
			sesame.door "b" { sequence = { "udp/7000" }, guards = 24, ttl = "5m" }`, "203.0.113.9 udp/7000 1m udp/7000 udp/7010",
			"again: (a), (b); fresh: (a), (b); hour_later: (a), (b); day_later: (a), (b); elsewhere: (a), (b); reversed: c, (b); without_last: (b)"},
		{"IPv6", `sesame.door "a" { sequence = { 7000, 7010 }, guards = 22 }`, "2001:db8::9 a",
			"fresh: (a); hour_later: (a); day_later: (a); elsewhere: (a)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := target(t, tt.script)
			openings := Openings(target, captured(t, target, strings.Split(tt.knock, " and ")...))
			of := slices.IndexFunc(openings, func(o Opening) bool { return o.Door == "a" })
			if of < 0 {
				t.Fatal("the door did not open")
			}
			if diff := cmp.Diff(tt.want, replayed(t, target, &openings[of])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhenAReplayOpens: the packets of an attack are counted from 1, whatever came before. Changed
// knocks may not open their own door.
func TestWhenAReplayOpens(t *testing.T) {
	target := target(t, `sesame.door "a" { sequence = { 7000, 7010, 7020 }, guards = 22 }
sesame.door "b" { sequence = { 7100 }, guards = 22 }`)
	for _, o := range Openings(target, captured(t, target, "203.0.113.9 tcp/7100 tcp/7000 1s tcp/7010 tcp/7020")) {
		for _, r := range Replays(&o, Stranger4) {
			if r.ByDesign(target.Set, o.Door) != r.Again {
				t.Errorf("%s: by design is %v", r.Name, !r.Again)
			}
			if r.Name != "elsewhere" {
				continue
			}
			want := Outcome{{Door: "a", Completed: 1, Opened: 1, First: 3, After: 1100 * time.Millisecond}}
			if o.Door == "b" {
				want = Outcome{{Door: "b", Completed: 1, Opened: 1, First: 1}}
			}
			if diff := cmp.Diff(want, r.Run(target)); diff != "" || r.Sender() != Stranger4 {
				t.Errorf("by %v (-want +got):\n%s", r.Sender(), diff)
			}
		}
	}
}

// TestWhatARecordingKnows: answers and addresses of a recording count where nobody gave others.
func TestWhatARecordingKnows(t *testing.T) {
	target := target(t, `local spain = sesame.country { "ES" }
sesame.door "a" { sequence = { 7000, 7010 }, guards = 22, when = spain }`)
	source := netip.MustParseAddr("203.0.113.9")
	question := engine.Question{Kind: engine.FactCountry, Address: source}
	found := &simulate.Mattered{
		Packets: captured(t, target, "203.0.113.9 a"), Local: []netip.Prefix{netip.PrefixFrom(dest4, 32)},
		Facts: []engine.Asked{{Question: question, Answer: engine.Answer{Known: true, Country: "ES", From: "the recording"}}},
	}
	if got := Openings(target, found.Packets); len(got) != 0 {
		t.Fatalf("%d openings without the country", len(got))
	}
	knowing := target.Knowing(found)
	openings := Openings(knowing, found.Packets)
	if len(openings) != 1 || !slices.Equal(knowing.Local, found.Local) {
		t.Fatalf("%d openings at %v, want 1 at that of the recording", len(openings), knowing.Local)
	}
	want := "fresh: (a); hour_later: (a); day_later: (a); elsewhere: a refused no_data: spain"
	if diff := cmp.Diff(want, replayed(t, knowing, &openings[0])); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var given simulate.Given
	if err := given.Add("203.0.113.9 country=PT"); err != nil {
		t.Fatal(err)
	}
	other := target
	other.Facts, other.Local = &given, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}
	knowing = other.Knowing(found)
	if got := Openings(knowing, found.Packets); len(got) != 0 || !slices.Equal(knowing.Local, other.Local) {
		t.Errorf("%d openings at %v, want none: who gave the facts and the addresses is right", len(got), knowing.Local)
	}
	knowing.Local = found.Local
	if got := Openings(knowing, found.Packets); len(got) != 0 {
		t.Errorf("%d openings from a country that was given as another one", len(got))
	}
}
