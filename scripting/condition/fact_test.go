package condition

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

// A world answers with what a test says of addresses.
type world map[string]engine.Answer

// Answer implements [engine.Facts].
func (w world) Answer(q engine.Question) engine.Answer { return w[q.Address.String()] }

// build makes a condition as a script would.
func build(t *testing.T, k Kind, name string, texts ...string) engine.Condition {
	t.Helper()
	var v Values
	for _, text := range texts {
		item, err := k.Item.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		v.List = append(v.List, item)
	}
	built, err := k.Build(name, v)
	if err != nil {
		t.Fatal(err)
	}
	return built
}

func TestFacts(t *testing.T) {
	facts := world{
		"203.0.113.9": {Known: true, Country: "FR", ASN: 3352, ASName: "Telefonica", From: "Test, 2026-11-20"},
		"2001:db8::1": {Known: true, Country: "ES", ASN: 64500},
		"192.0.2.1":   {From: "Test, 2026-11-20", Why: "it has no entry"},
		"10.1.2.3":    {From: "Test, 2026-11-20", Why: "it has no entry"},
		"10.9.9.9":    {Known: true, Country: "PT", ASN: 64501, From: "own"},
	}
	iberia := build(t, Country(), "iberia", "ES", "PT")
	near := build(t, Continent(), "near", "europe", "north-america")
	hosters := build(t, ASN(), "hosters", "3352", "AS16276")
	for _, tt := range []struct {
		condition engine.Condition
		source    string
		outcome   engine.Outcome
		detail    string
		fields    string
	}{
		{iberia, "203.0.113.9", engine.No, "iberia: ES, PT; 203.0.113.9 is in FR (Test, 2026-11-20)", "country=FR database=Test, 2026-11-20"},
		{iberia, "2001:db8::1", engine.Yes, "iberia: ES, PT; 2001:db8::1 is in ES", "country=ES"},
		{iberia, "192.0.2.1", engine.Unknown, "iberia: ES, PT; the country of 192.0.2.1 is not known (Test, 2026-11-20: it has no entry)", "database=Test, 2026-11-20"},
		{iberia, "198.51.100.1", engine.Unknown, "iberia: ES, PT; the country of 198.51.100.1 is not known: no database is given, with [geo] in sesame.toml or with --geo", ""},
		{iberia, "10.1.2.3", engine.Unknown, `iberia: ES, PT; 10.1.2.3 is private, so no database knows its country: write sesame.any { lan, iberia }, with lan = sesame.networks { "10.0.0.0/8" }`, "database=Test, 2026-11-20"},
		{iberia, "fd00::7", engine.Unknown, `iberia: ES, PT; fd00::7 is private, so no database knows its country: write sesame.any { lan, iberia }, with lan = sesame.networks { "fc00::/7" }`, ""},
		{iberia, "10.9.9.9", engine.Yes, "iberia: ES, PT; 10.9.9.9 is in PT (own)", "country=PT database=own"},
		{near, "203.0.113.9", engine.Yes, "near: europe, north-america; 203.0.113.9 is in FR, europe (Test, 2026-11-20)", "country=FR database=Test, 2026-11-20"},
		{hosters, "203.0.113.9", engine.Yes, "hosters: AS3352, AS16276; 203.0.113.9 is in AS3352 Telefonica (Test, 2026-11-20)", "asn=AS3352 database=Test, 2026-11-20"},
		{hosters, "2001:db8::1", engine.No, "hosters: AS3352, AS16276; 2001:db8::1 is in AS64500", "asn=AS64500"},
		{hosters, "192.0.2.1", engine.Unknown, "hosters: AS3352, AS16276; the AS of 192.0.2.1 is not known (Test, 2026-11-20: it has no entry)", "database=Test, 2026-11-20"},
	} {
		v, err := tt.condition.Check(&engine.Call{Source: netip.MustParseAddr(tt.source), Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		var fields []string
		for _, f := range v.Fields {
			fields = append(fields, string(f.Key)+"="+f.Value)
		}
		if v.Outcome != tt.outcome || v.Condition != tt.condition.Name() || v.Reason != "" {
			t.Errorf("%s at %s: %+v", tt.condition, tt.source, v)
		}
		if diff := cmp.Diff([]string{tt.detail, tt.fields}, []string{v.Detail, strings.Join(fields, " ")}); diff != "" {
			t.Error(diff)
		}
	}
}

// Without facts at all, nothing is known.
func TestNoFacts(t *testing.T) {
	v, err := build(t, Country(), "iberia", "ES").Check(&engine.Call{Source: netip.MustParseAddr("203.0.113.9")})
	if err != nil || v.Outcome != engine.Unknown {
		t.Errorf("%+v, %v", v, err)
	}
}

// The advice for private addresses stays right around a condition that must not hold.
func TestPrivateInNone(t *testing.T) {
	for _, tt := range []struct {
		named bool
		want  string
	}{
		{false, `ru: RU; 10.0.0.1 is private, so no database knows its country: write sesame.any { lan, sesame.none { ru } }, with lan = sesame.networks { "10.0.0.0/8" }`},
		{true, `abroad: ru: RU; 10.0.0.1 is private, so no database knows its country: write sesame.any { lan, abroad }, with lan = sesame.networks { "10.0.0.0/8" }`},
	} {
		n := &noneOf{combination{"abroad", tt.named, []engine.Condition{build(t, Country(), "ru", "RU")}}}
		v, err := n.Check(&engine.Call{Source: netip.MustParseAddr("10.0.0.1")})
		if err != nil || v.Outcome != engine.Unknown || v.Detail != tt.want {
			t.Errorf("got %+v, %v\nwant %s", v, err, tt.want)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, tt := range []struct {
		kind       Kind
		text, want string // of the error; "" for none
	}{
		{Country(), "ES", ""},
		{Country(), "XK", ""},
		{Country(), "UK", `"UK" is no code of ISO 3166-1: write "GB"`},
		{Country(), "EL", `"EL" is no code of ISO 3166-1: write "GR"`},
		{Country(), "uk", `"uk" is no code of ISO 3166-1: write "GB"`},
		{Country(), "EU", `"EU" is no country: write sesame.country(require "eu") for the European Union, or sesame.continent { "europe" }`},
		{Country(), "es", `"es": write the code in capital letters, "ES"`},
		{Country(), "Spain", `"Spain" is no country: expected a code of ISO 3166-1, two capital letters such as "ES"`},
		{Country(), "AN", `"AN" is no country: expected a code of ISO 3166-1, two capital letters such as "ES"`},
		{Country(), "", `"" is no country: expected a code of ISO 3166-1, two capital letters such as "ES"`},
		{Country(), "ES\x00", `"ES\x00" is no country: expected a code of ISO 3166-1, two capital letters such as "ES"`},
		{Continent(), "oceania", ""},
		{Continent(), "Europe", `"Europe" is no continent: did you mean "europe"?`},
		{Continent(), "EU", `"EU" is no continent: expected one of africa, antarctica, asia, europe, north-america, oceania, south-america`},
		{ASN(), "4294967295", ""},
		{ASN(), "AS1", ""},
		{ASN(), "0", `"0" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
		{ASN(), "4294967296", `"4294967296" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
		{ASN(), "-1", `"-1" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
		{ASN(), "3352.5", `"3352.5" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
		{ASN(), "ASAS1", `"ASAS1" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
		{ASN(), "", `"" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"`},
	} {
		_, err := tt.kind.Item.Parse(tt.text)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %q: got %q, want %q", tt.kind.Name, tt.text, got, tt.want)
		}
	}
}

func TestPrivate(t *testing.T) {
	lan := build(t, Networks(), "lan", "192.168.0.0/16", "fd00::/8")
	all4 := build(t, Networks(), "all", "192.0.0.0/8") // has private addresses, and others
	public := build(t, Networks(), "public", "10.0.0.0/8", "203.0.113.0/24")
	iberia, asn := build(t, Country(), "iberia", "ES"), build(t, ASN(), "asn", "1")
	anyOf := func(conditions ...engine.Condition) engine.Condition { return &anyOf{of(conditions...)} }
	for _, tt := range []struct {
		condition    engine.Condition
		fact, onlyIt bool
	}{
		{lan, false, true}, {all4, false, false}, {public, false, false}, {iberia, true, false}, {asn, true, false},
		{build(t, Continent(), "c", "asia"), true, false},
		{anyOf(iberia, asn), true, false}, {anyOf(lan, iberia), false, false}, {anyOf(lan, lan), false, true}, {anyOf(), false, false},
		{&allOf{of(lan, iberia)}, true, true}, {&noneOf{of(lan, iberia)}, true, false}, {&noneOf{of(lan)}, false, false},
	} {
		if NeedsFact(tt.condition) != tt.fact || OnlyPrivate(tt.condition) != tt.onlyIt {
			t.Errorf("%s: needs a fact: %t, only private: %t", tt.condition, NeedsFact(tt.condition), OnlyPrivate(tt.condition))
		}
	}
}
