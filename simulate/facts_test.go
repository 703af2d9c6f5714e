package simulate

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
)

const iberia = `local iberia = sesame.country { "ES", "PT" }
sesame.listen "gate" { on = "udp/9", guards = "tcp/22", ttl = "5s", when = iberia,
  on_knock = function(knock) knock:allow() knock:log(knock.country, knock.asn, knock.asn_name) end }`

// recordedKnocks returns a recording of a knock each second, with the facts that each of them was
// given.
func recordedKnocks(t *testing.T, script string, facts ...[]engine.Asked) []byte {
	t.Helper()
	scripts := record.Scripts{Single: "a.lua", Files: []wire.File{{Path: "a.lua", Source: []byte(script)}}}
	set, err := load(scripts, false, false)
	must(t, err)
	defer set.Close()
	e := engine.New(engine.Config{}, noon)
	e.Swap(noon, set.Engine)
	r := record.NewRecorder(0)
	r.Begin(noon, e.State(), scripts)
	decoder, p := packet.NewDecoder(), packet.Packet{}
	for i, asked := range facts {
		frame := framed(t, "0s 203.0.113.9 udp/9")
		decoder.Decode(packet.Raw, frame, len(frame), &p)
		p.Time, p.Number = noon.Add(time.Duration(i+1)*time.Second), i+1
		r.Facts(p.Time, asked)
		r.Packet(&p, frame, len(frame))
	}
	var b bytes.Buffer
	_, err = r.Recording().WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

// inCountry is the fact that the source of the knocks is in a country.
func inCountry(code string) engine.Asked {
	return engine.Asked{Question: engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr("203.0.113.9")},
		Answer: engine.Answer{Known: true, Country: code, From: "then"}}
}

func inAS(number uint32) engine.Asked {
	return engine.Asked{Question: engine.Question{Kind: engine.FactASN, Address: netip.MustParseAddr("203.0.113.9")},
		Answer: engine.Answer{Known: true, ASN: number, ASName: "<one>", From: "then"}}
}

// Each input has the facts that stand before it, and those alone.
func TestEachInputHasItsOwnFacts(t *testing.T) {
	recording := recordedKnocks(t, iberia, []engine.Asked{inCountry("ES"), inAS(1)}, []engine.Asked{inCountry("FR")}, nil, []engine.Asked{inAS(7), inCountry("PT")})
	report, got := again(t, Config{Facts: everywhere("ES")}, recording)
	for _, want := range []string{
		`"packet":1,"event":"open"`, `"detail":"ES 1 <one>"`, `"packet":2,"event":"refuse","door":"gate","source":"203.0.113.9","reason":"when","detail":"iberia: ES, PT; 203.0.113.9 is in FR (then)"`,
		`"packet":3,"event":"refuse","door":"gate","source":"203.0.113.9","reason":"no_data"`, `(the recording: it does not have this answer)`,
		`"packet":4,"event":"open"`, `"detail":"PT 7 <one>"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if report.Exact || report.Unanswered != 1 {
		t.Errorf("%+v", report)
	}
}

// Through other scripts a recording answers what nobody else knows.
func TestARecordingAnswersOtherScripts(t *testing.T) {
	recording := recordedKnocks(t, `sesame.listen "other" { on = "udp/9", guards = "tcp/22", on_knock = function() end }`, []engine.Asked{inCountry("FR")}, []engine.Asked{inCountry("PT"), inAS(7)})
	set := loaded(t, iberia)
	defer set.Close()
	_, got := again(t, Config{Set: set.Engine}, recording)
	for _, want := range []string{`"packet":1,"event":"refuse"`, "is in FR (then)", `"packet":2,"event":"open"`, `"detail":"PT 7 <one>"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	t.Log("# what is stated comes first, then a database")
	g := given(t, "203.0.113.9 country=FR")
	g.Next = everywhere("SE")
	if _, got := again(t, Config{Set: set.Engine, Facts: g}, recording); strings.Contains(got, `"open"`) || !strings.Contains(got, "is in FR (--fact 203.0.113.9/32)") {
		t.Error(got)
	}
	if _, got := again(t, Config{Set: set.Engine, Facts: everywhere("ES")}, recording); !strings.Contains(got, `"packet":1,"event":"open"`) || !strings.Contains(got, `"detail":"ES 1 nil"`) {
		t.Error(got)
	}
}

// The end of an account says what was needed and how it is given.
func TestTheAccountSaysWhichFactsWereMissing(t *testing.T) {
	set := loaded(t, iberia+"\n"+`local isp = sesame.asn { 1 } sesame.listen "isp" { on = "udp/8", guards = "tcp/23", when = isp, on_knock = function() end }`)
	defer set.Close()
	capture := write(t, "0s 203.0.113.9 udp/9\n1s 203.0.113.9 udp/9\n2s 203.0.113.9 udp/8")
	account := func(f engine.Facts) string {
		report, _ := run(t, Config{Captures: []string{capture}, Set: set.Engine, Facts: f, Account: true})
		var b bytes.Buffer
		must(t, report.WriteAccount(&b))
		return b.String()
	}
	got := account(nil)
	for _, want := range []string{
		"\nthe country of an address was needed 2 times and is not known: --geo FILE names a database, and --fact \"ADDRESS country=ES\" states one\n",
		"\nthe autonomous system of an address was needed once and is not known: --geo FILE names a database, and --fact \"ADDRESS asn=3352\" states one\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := account(given(t, "203.0.113.9 country=unknown asn=unknown")); strings.Contains(got, "was needed") {
		t.Error(got)
	}
}

// What a replay through other scripts remembers of a recording is bounded.
func TestRememberedFactsAreBounded(t *testing.T) {
	f := newOfflineFacts(nil)
	for i := range 2*maxRemembered + 10 {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		f.remember([]engine.Asked{{Question: engine.Question{Kind: engine.FactCountry, Address: a}, Answer: engine.Answer{Known: true, Country: "ES", From: "x"}}})
		if !f.Answer(engine.Question{Kind: engine.FactCountry, Address: a}).Known {
			t.Fatal("the latest is forgotten")
		}
	}
	if len(f.recorded) > maxRemembered {
		t.Errorf("%d are remembered", len(f.recorded))
	}
}
