package simulate

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
)

func given(t *testing.T, texts ...string) *Given {
	t.Helper()
	g := &Given{}
	for _, text := range texts {
		must(t, g.Add(text))
	}
	return g
}

func countryOf(f engine.Facts, address string) string {
	a := f.Answer(engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr(address)})
	if !a.Known {
		return strings.TrimSpace("? " + a.From + " " + a.Why)
	}
	return a.Country + " " + a.From
}

func asnOf(f engine.Facts, address string) engine.Answer {
	return f.Answer(engine.Question{Kind: engine.FactASN, Address: netip.MustParseAddr(address)})
}

// everywhere is a database that knows one country.
type everywhere string

func (e everywhere) Answer(q engine.Question) engine.Answer {
	return engine.Answer{Known: true, Country: string(e), ASN: 1, From: "a database"}
}

func TestTheLongestNetworkThatStatesAFactDecides(t *testing.T) {
	g := given(t, "203.0.113.0/24 country=ES", `203.0.113.9 asn=AS3352 asn_name="TELEFONICA DE ESPANA"`,
		"0.0.0.0/0 country=FR asn=7", "203.0.113.128/25 country=unknown", "::ffff:198.51.100.7 country=XK", "2001:db8::/32 country=PT", "203.0.113.9\tcountry=GB")
	for address, want := range map[string]string{
		"203.0.113.9": "GB --fact 203.0.113.9/32", "203.0.113.8": "ES --fact 203.0.113.0/24", "203.0.113.129": "? --fact 203.0.113.128/25 it says that this is unknown",
		"192.0.2.1": "FR --fact 0.0.0.0/0", "198.51.100.7": "XK --fact 198.51.100.7/32", "2001:db8::1": "PT --fact 2001:db8::/32", "2001:db9::1": "?",
	} {
		if got := countryOf(g, address); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if a := asnOf(g, "203.0.113.9"); a.ASN != 3352 || a.ASName != "TELEFONICA DE ESPANA" {
		t.Errorf("%+v", a)
	}
	if a := asnOf(g, "203.0.113.10"); !a.Known || a.ASN != 7 {
		t.Errorf("%+v", a)
	}
	t.Log("# what is not stated is asked of the database")
	g = given(t, "203.0.113.9 country=ES")
	g.Next = everywhere("SE")
	if got := countryOf(g, "203.0.113.9") + countryOf(g, "203.0.113.8"); got != "ES --fact 203.0.113.9/32"+"SE a database" {
		t.Error(got)
	}
	if a := asnOf(g, "203.0.113.9"); a.ASN != 1 {
		t.Errorf("%+v", a)
	}
}

func TestAddressesOfANameCanBeGiven(t *testing.T) {
	g := given(t, "Home.Example.net. addresses=203.0.113.9,2001:db8::1,::ffff:192.0.2.1", "gone.example.net addresses=unknown")
	var got []string
	for _, name := range []string{"home.example.net", "HOME.example.net.", "gone.example.net", "other.example.net"} {
		a := g.Answer(engine.Question{Kind: engine.FactHost, Name: name})
		line := a.From + ";" + a.Why
		for _, address := range a.Addresses {
			line += " " + address.String()
		}
		got = append(got, line)
	}
	const home = "--fact home.example.net; 203.0.113.9 2001:db8::1 192.0.2.1"
	want := []string{home, home, "--fact gone.example.net;it says that this is unknown", ";"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWrongFacts(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "expected an address, a network or the name of a host"},
		{"203.0.113.9", "expected an address, a network"},
		{"203.0.113 country=ES", `"203.0.113" is not a network`},
		{"203.0.113.0/33 country=ES", "is not a network"},
		{"203.0.113.9/24 country=ES", "bits set beyond its length"},
		{"fe80::1%eth0 country=ES", "is not a network"},
		{"203.0.113.9 ES", `"ES": expected KEY=VALUE, such as country=ES`},
		{"203.0.113.9 contry=ES", `unknown key "contry": did you mean "country"?`},
		{"203.0.113.9 addresses=192.0.2.1", `unknown key "addresses": expected one of country, asn, asn_name`},
		{"203.0.113.9 country=", "country is empty: expected country=ES"},
		{"203.0.113.9 country=ES country=FR", "country is given twice"},
		{"203.0.113.9 country=Spain", `"Spain" is no country`},
		{"203.0.113.9 country=es", `write the code in capital letters, "ES"`},
		{"203.0.113.9 country=UK", `write "GB"`},
		{"203.0.113.9 asn=0", `asn: "0" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"; or write unknown`},
		{"203.0.113.9 asn=4294967296", `asn: "4294967296" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"; or write unknown`},
		{"203.0.113.9 asn=ES", `asn: "ES" is no AS number: expected one from 1 to 4294967295, such as 3352 or "AS3352"; or write unknown`},
		{"203.0.113.9 asn_name=X", "asn_name needs asn beside it"},
		{`203.0.113.9 asn=1 asn_name="X`, "a quote is not closed"},
		{"203.0.113.9 country=ES\x1b", "control character"},
		{"home.example.net country=ES", `unknown key "country": expected one of addresses; "home.example.net" is taken for the name of a host`},
		{"home addresses=203.0.113.9", `"home" is not the name of a host in full: expected one such as "home.example.net"`},
		{"home.example.net addresses=203.0.113", "is not an address"},
		{"home.example.net addresses=203.0.113.9 x=1", "expected nothing after"},
	} {
		g := &Given{}
		if err := g.Add(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want one with %q", tt.text, err, tt.want)
		}
		if !g.Empty() {
			t.Errorf("%q states something", tt.text)
		}
	}
	g := given(t, "203.0.113.9 country=ES", "203.0.113.9 asn=1", "h.example.net addresses=unknown")
	for _, twice := range []string{"203.0.113.9/32 country=FR", "203.0.113.9 asn=2", "H.example.net. addresses=::1"} {
		if err := g.Add(twice); err == nil || !strings.Contains(err.Error(), "already") {
			t.Errorf("%s: error %v", twice, err)
		}
	}
}

// FuzzFact states anything. It is an error, or it answers.
func FuzzFact(f *testing.F) {
	f.Add(`203.0.113.9 country=ES asn=AS3352 asn_name="TELEFONICA DE ESPANA"`)
	f.Add("2001:db8::/32 country=unknown")
	f.Add("home.example.net addresses=203.0.113.9,2001:db8::1")
	f.Fuzz(func(t *testing.T, text string) {
		g := &Given{}
		if err := g.Add(text); err != nil {
			if !g.Empty() {
				t.Fatalf("%q: an error, and something is stated", text)
			}
			return
		}
		if g.Empty() {
			t.Fatalf("%q states nothing", text)
		}
		for _, s := range g.networks {
			for kind := range s.facts {
				if a := g.Answer(engine.Question{Kind: kind, Address: s.network.Addr()}); a.From == "" {
					t.Fatalf("%q: no answer", text)
				}
			}
		}
	})
}
