package condition

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
)

// names are facts about hosts, by name: addresses, or why they are not known behind "?".
type names map[string]string

func (n names) Answer(q engine.Question) engine.Answer {
	text, found := n[q.Name]
	if q.Kind != engine.FactHost || !found {
		return engine.Answer{}
	}
	addresses, why, unknown := strings.Cut(text, "?")
	a := engine.Answer{Known: !unknown, From: "DNS", Why: why}
	for _, one := range strings.Fields(addresses) {
		a.Addresses = append(a.Addresses, netip.MustParseAddr(one))
	}
	return a
}

func TestHosts(t *testing.T) {
	makeHosts := func(named map[string]any, list ...any) engine.Condition {
		c, err := Hosts().Build("home", Values{Named: named, List: list})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := makeHosts(nil, "home.example.net")
	wide := makeHosts(map[string]any{"prefix4": 24, "prefix6": 64}, "home.example.net")
	two := makeHosts(nil, "home.example.net", "b.example.net")
	both := names{"home.example.net": "203.0.113.9 2001:db8:7::1"}
	for _, tt := range []struct {
		name, source string
		condition    engine.Condition
		facts        names
		outcome      engine.Outcome
		detail       string
	}{
		{"its IPv4 address", "203.0.113.9", one, both, engine.Yes, "home: 203.0.113.9 is home.example.net"},
		{"its IPv6 address", "2001:db8:7::1", one, both, engine.Yes, "home: 2001:db8:7::1 is home.example.net"},
		{"another of the same network", "2001:db8:7::2", one, both, engine.No, "home: home.example.net; 2001:db8:7::2 is none of the addresses 203.0.113.9, 2001:db8:7::1"},
		{"a network of 64 bits", "2001:db8:7::beef", wide, both, engine.Yes, "home: 2001:db8:7::beef is home.example.net"},
		{"outside of it", "2001:db8:7:1::1", wide, both, engine.No, "home: home.example.net; 2001:db8:7:1::1 is none of the addresses 203.0.113.0/24, 2001:db8:7::/64"},
		{"a network of 24 bits", "203.0.113.200", wide, both, engine.Yes, "home: 203.0.113.200 is home.example.net"},
		{"IPv4 in IPv6", "203.0.113.9", one, names{"home.example.net": "::ffff:203.0.113.9"}, engine.Yes, "home: 203.0.113.9 is home.example.net"},
		{"a failure", "203.0.113.9", one, names{"home.example.net": "?no answer in time"}, engine.Unknown, "home: home.example.net; the addresses of home.example.net are not known: no answer in time (DNS)"},
		{"a failure for IPv6 alone", "203.0.113.9", one, names{"home.example.net": "203.0.113.9?its IPv6 addresses are not known"}, engine.Yes, "home: 203.0.113.9 is home.example.net"},
		{"the same for another", "203.0.113.8", one, names{"home.example.net": "203.0.113.9?its IPv6 addresses are not known"}, engine.Unknown, "home: home.example.net; the addresses of home.example.net are not known: its IPv6 addresses are not known (DNS)"},
		{"nothing was asked", "203.0.113.9", one, nil, engine.Unknown, `home: home.example.net; the addresses of home.example.net are not known: nobody asked; --fact "home.example.net addresses=ADDRESS" states them`},
		{"the second of two", "198.51.100.7", two, names{"home.example.net": "?gone", "b.example.net": "198.51.100.7"}, engine.Yes, "home: 198.51.100.7 is b.example.net"},
		{"the first of two is unknown", "203.0.113.9", two, names{"home.example.net": "?gone", "b.example.net": "198.51.100.7"}, engine.Unknown, "home: home.example.net, b.example.net; the addresses of home.example.net are not known: gone (DNS)"},
		{"none of two", "203.0.113.7", two, names{"home.example.net": "203.0.113.9", "b.example.net": "198.51.100.7"}, engine.No, "home: home.example.net, b.example.net; 203.0.113.7 is none of the addresses 203.0.113.9, 198.51.100.7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := tt.condition.Check(&engine.Call{Source: netip.MustParseAddr(tt.source), Facts: tt.facts})
			if err != nil || v.Outcome != tt.outcome || v.Detail != tt.detail || v.Condition != "home" || v.Reason != "" {
				t.Errorf("got %+v, %v\nwant %d %q", v, err, tt.outcome, tt.detail)
			}
			if (tt.outcome == engine.Yes) != (len(v.Fields) == 1 && v.Fields[0].Key == engine.FieldNetwork) {
				t.Errorf("fields %v", v.Fields)
			}
		})
	}
	if got := HostsOf(one); len(got) != 1 || got[0] != (Host{"home.example.net", 5 * time.Minute, 24 * time.Hour}) {
		t.Errorf("it asks for %v", got)
	}
	if HostsOf(&networks{}) != nil {
		t.Error("networks ask for names")
	}
}

// A knock may be compared with very many addresses. Only those that are shown become text.
func TestARefusalShowsFewAddresses(t *testing.T) {
	built, err := Hosts().Build("home", Values{List: []any{"home.example.net"}})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(n int) (detail string, allocations float64) {
		facts := world{}
		call := &engine.Call{Source: netip.MustParseAddr("203.0.113.9"), Facts: facts}
		a := engine.Answer{Known: true}
		for i := range n {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}))
		}
		facts["invalid IP"] = a
		allocations = testing.AllocsPerRun(10, func() {
			v, _ := built.Check(call)
			detail = v.Detail
		})
		return detail, allocations
	}
	const eight = "home: home.example.net; 203.0.113.9 is none of the addresses 198.51.0.0, 198.51.0.1, 198.51.0.2, 198.51.0.3, 198.51.0.4, 198.51.0.5, 198.51.0.6, 198.51.0.7"
	few, cost := answer(8)
	if few != eight {
		t.Errorf("of eight: %s", few)
	}
	many, more := answer(2000)
	if many != eight+" and 1992 more" {
		t.Errorf("of many: %s", many)
	}
	if more > cost+30 {
		t.Errorf("%v allocations for 2000 addresses, and %v for eight", more, cost)
	}
}

func TestNamesOfHosts(t *testing.T) {
	for text, want := range map[string]string{
		"home.example.net": "home.example.net", "Home.Example.NET.": "home.example.net", "_x.a-b.xn--p1ai": "_x.a-b.xn--p1ai",
		"home": "", "": "", ".": "", "a..b": "", "-a.net": "", "a-.net": "", "a b.net": "", "a.net/": "", "a.net\n": "", "192.0.2.256": "", "a.b:53": "", "ä.example.net": "",
		strings.Repeat("a", 64) + ".net": "", strings.Repeat("a.", 126) + "net": "",
		strings.Repeat("a.", 125) + "net": strings.Repeat("a.", 125) + "net",
		"203.0.113.9":                     "", "2001:db8::1": "",
	} {
		got, err := ParseHost(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	if _, err := ParseHost("203.0.113.9"); fmt.Sprint(err) != `"203.0.113.9" is an address: write sesame.networks { "203.0.113.9" }` {
		t.Error(err)
	}
}

func TestWrongHosts(t *testing.T) {
	many := make([]any, 101)
	for i := range many {
		many[i] = fmt.Sprintf("h%d.example.net", i)
	}
	for want, v := range map[string]Values{
		`expected at least one name, such as "home.example.net"`:                                       {},
		"expected at most 100 names, got 101":                                                          {List: many},
		"h1.example.net stands twice in the list":                                                      {List: []any{"h1.example.net", "h1.example.net"}},
		"keep is shorter than every: the addresses would be forgotten before they are asked for again": {List: many[:1], Named: map[string]any{"keep": time.Minute}},
	} {
		if _, err := Hosts().Build("home", v); fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Hosts().Build("home", Values{List: many[:1], Named: map[string]any{"every": time.Minute, "keep": time.Minute}}); err != nil {
		t.Errorf("keep that is every: %v", err)
	}
	for text, wrong := range map[string]bool{"10s": false, "9s": true, "5m": false, "x": true} {
		if _, err := parseEvery(text); (err != nil) != wrong {
			t.Errorf("every %s: %v", text, err)
		}
	}
	for text, wrong := range map[string]bool{"31": true, "32": false, "128": false, "129": true, "64.5": true, "-1": true} {
		if _, err := parsePrefix(32, 128)(text); (err != nil) != wrong {
			t.Errorf("prefix6 = %s: %v", text, err)
		}
	}
}
