package draft

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/spec"
)

var (
	client = netip.MustParseAddr("203.0.113.9")
	one    = packet.Port{Proto: packet.UDP, Number: 1}
	two    = packet.Port{Proto: packet.TCP, Number: 2}
)

// handler and always are the function and the condition of a door.
type handler struct{ engine.Handler }

type always struct{ engine.Condition }

func drafterOf(doors ...*engine.Door) *drafter {
	return &drafter{Config: Config{Set: &scripting.Set{Engine: &engine.Set{Doors: doors}}}}
}

func sequence(ports ...packet.Port) (knocks []engine.Knock) {
	for _, p := range ports {
		k := engine.Knock{Port: p}
		if p.Proto == packet.TCP {
			k.Flags = engine.SYN
		}
		knocks = append(knocks, k)
	}
	return knocks
}

// A payload stands in the test when a door with a knock at its port may look at it.
func TestReads(t *testing.T) {
	for name, tt := range map[string]struct {
		door engine.Door
		want bool
	}{
		"nothing":    {engine.Door{}, false},
		"a payload":  {engine.Door{Payload: &engine.PayloadTest{}}, true},
		"a function": {engine.Door{Handler: handler{}}, true},
		"conditions": {engine.Door{When: []engine.Condition{always{}}}, true},
	} {
		tt.door.Sequence = sequence(one, two)
		d := drafterOf(&tt.door)
		if d.reads(one) != tt.want || d.reads(packet.Port{Proto: packet.TCP, Number: 1}) {
			t.Errorf("%s: reads it: %v", name, d.reads(one))
		}
	}
}

// The same came when terms of grants differ by less than a second.
func TestAlike(t *testing.T) {
	allows := func(ttl time.Duration) *spec.Step { return &spec.Step{Allows: []spec.Allow{{Port: two, TTL: ttl}}} }
	for _, tt := range []struct {
		a, b time.Duration
		want bool
	}{
		{time.Hour, time.Hour, true}, {time.Hour, time.Hour + 999*time.Millisecond, true}, {time.Hour + 999*time.Millisecond, time.Hour, true},
		{time.Hour, time.Hour + time.Second, false}, {time.Second, 3 * time.Second, false},
	} {
		if got := alike(allows(tt.a), allows(tt.b)); got != tt.want {
			t.Errorf("%v and %v: %v", tt.a, tt.b, got)
		}
	}
	run := func(command string, undo bool, argv string) *spec.Step {
		return &spec.Step{Runs: []spec.Run{{Command: command, Undo: undo, Argv: []string{argv}}}}
	}
	if !alike(run("a", true, "x"), run("a", true, "y")) {
		t.Error("the arguments differ, which tests do not name")
	}
	for _, other := range []*spec.Step{run("b", true, "x"), run("a", false, "x"), {}, allows(1), {Strict: []spec.Expectation{{Door: "a"}}}} {
		if alike(run("a", true, "x"), other) {
			t.Errorf("alike: %+v", other)
		}
	}
	if port := allows(1); alike(port, &spec.Step{Allows: []spec.Allow{{Port: one, TTL: 1}}}) {
		t.Error("two ports are alike")
	}
}

// A packet has its delay when that is not the one of the step.
func TestDelays(t *testing.T) {
	for delay, want := range map[time.Duration]string{0: `"udp/1"`, 100 * time.Millisecond: `"udp/1"`, 99 * time.Millisecond: `{ "udp/1", delay = "99ms" }`} {
		if got := packetText(&spec.Packet{Port: one, Delay: delay}, 100*time.Millisecond); got != want {
			t.Errorf("%v: %s", delay, got)
		}
	}
}

// What is known of an address, or of a host, is one fact.
func TestStated(t *testing.T) {
	ask := func(kind engine.FactKind, a engine.Answer) engine.Asked {
		return engine.Asked{Question: engine.Question{Kind: kind, Address: client}, Answer: a}
	}
	got := stated([]engine.Asked{
		ask(engine.FactCountry, engine.Answer{Known: true, Country: "ES"}), ask(engine.FactASN, engine.Answer{Known: true, ASN: 7, ASName: "x"}),
		ask(engine.FactCountry, engine.Answer{Country: "FR"}),
		{Question: engine.Question{Kind: engine.FactHost, Name: "a"}, Answer: engine.Answer{Known: true, Addresses: []netip.Addr{client}}},
		{Question: engine.Question{Kind: engine.FactHost, Name: "b"}, Answer: engine.Answer{Known: true}},
	})
	want := []spec.Fact{{Network: single(client), Country: "ES", ASN: 7, ASName: "x"}, {Host: "a", Addresses: []netip.Addr{client}}, {Host: "b"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

// All answers about a source have the address in its place.
func TestFactsAreReplaced(t *testing.T) {
	other, third := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("192.0.2.7")
	known := []engine.Asked{
		{Question: engine.Question{Kind: engine.FactCountry, Address: client}},
		{Question: engine.Question{Kind: engine.FactHost, Name: "a"}, Answer: engine.Answer{Addresses: []netip.Addr{third, client}}},
	}
	_, got := replacedIn(nil, known, client, other)
	if got[0].Question.Address != other || got[1].Answer.Addresses[0] != third || got[1].Answer.Addresses[1] != other {
		t.Errorf("got %+v", got)
	}
	if known[1].Answer.Addresses[1] != client {
		t.Error("the facts of the capture have changed")
	}
}

// A step sends nothing to a door when no packet is to a port of one.
func TestKnocksOfNobody(t *testing.T) {
	d := drafterOf(&engine.Door{Sequence: sequence(one, two)})
	for number, want := range map[uint16]int{1: 1, 9: 0} {
		g := group{packets: []sent{{port: packet.Port{Proto: packet.UDP, Number: number}}, {port: packet.Port{Proto: packet.UDP, Number: 9}}}}
		if got := d.listed(g, shape{unit: 1}); got.MinKnocks != want {
			t.Errorf("udp/%d: at least %d knocks", number, got.MinKnocks)
		}
	}
}

// A step has the name of a door when it sends what the name sends. A payload that nothing looks at
// may be another one.
func TestName(t *testing.T) {
	plain := engine.Door{Name: "door", Sequence: sequence(one, two), Within: time.Second}
	listed, function, used := plain, plain, plain
	listed.Payload = &engine.PayloadTest{Min: 1, Max: 1, Bytes: []engine.PayloadBytes{{Text: "a"}}}
	function.Handler, used.OneTime = handler{}, &engine.OneTime{Sequences: []engine.OneTimeSequence{{Knocks: plain.Sequence}}}
	packets := func(flags packet.Flags, payload string) []sent {
		return []sent{{port: one, payload: payload}, {port: two, flags: flags, payload: strings.Trim(payload, "\x00")}}
	}
	for name, tt := range map[string]struct {
		door    *engine.Door
		packets []sent
		want    bool
	}{
		"the knocks":                    {&plain, packets(packet.SYN, ""), true},
		"a payload that nobody reads":   {&plain, packets(packet.SYN, "x"), true},
		"other flags":                   {&plain, packets(packet.ACK, ""), false},
		"one more":                      {&plain, append(packets(packet.SYN, ""), sent{}), false},
		"one alone":                     {&plain, packets(packet.SYN, "")[:1], false},
		"another order":                 {&plain, []sent{packets(packet.SYN, "")[1], packets(packet.SYN, "")[0]}, false},
		"the payload":                   {&listed, packets(packet.SYN, "a"), true},
		"another payload":               {&listed, packets(packet.SYN, "b"), false},
		"what a function would get":     {&function, packets(packet.SYN, "\x00"), true},
		"what a function would not get": {&function, packets(packet.SYN, "x"), false},
		"a sequence that is used up":    {&used, packets(packet.SYN, ""), false},
	} {
		s := spec.Step{}
		for _, p := range tt.packets {
			s.Knocks = append(s.Knocks, p.step().Knocks...)
		}
		if drafterOf(tt.door).name(&s); (s.Door == "door") != tt.want || (s.Knocks == nil) != tt.want {
			t.Errorf("%s: the name is %q", name, s.Door)
		}
	}
}
