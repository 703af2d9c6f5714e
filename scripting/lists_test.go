package scripting_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
)

// A phone book answers questions for addresses of names. A name that it lacks is not known.
type phoneBook map[string]string

// Answer implements [engine.Facts].
func (p phoneBook) Answer(q engine.Question) engine.Answer {
	text, found := p[q.Name]
	if q.Kind != engine.FactHost || !found {
		return engine.Answer{From: "DNS", Why: "no answer in time"}
	}
	return engine.Answer{Known: true, From: "DNS", Addresses: []netip.Addr{netip.MustParseAddr(text)}}
}

// TestSourcesByListsAndNames knocks at a door whose condition reads a list and asks for a name.
func TestSourcesByListsAndNames(t *testing.T) {
	const door = `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = only }`
	const opened = "open a 203.0.113.9"
	for _, tt := range []struct{ name, script, want string }{
		{"in a list", `local only = sesame.networks { file = "lists/tor.netset" }`, opened},
		{"in one of two", `local only = sesame.networks { file = { "lists/nobody", "lists/tor.netset" } }`, opened},
		{"in no list", `local only = sesame.networks { "10.0.0.0/8", file = "lists/nobody" }`, "refuse a when only: 10.0.0.0/8, nobody (0 networks)"},
		{"in a list of others", `local tor = sesame.networks { file = "lists/tor.netset" } local only = sesame.none { tor }`,
			"refuse a when only: it must not hold: tor: 203.0.113.9 is in 203.0.113.8/29 (tor.netset)"},
		{"the host of a name", `local only = sesame.hosts { "home.example.net" }`, opened},
		{"another host", `local only = sesame.hosts { "office.example.net" }`, "refuse a when only: office.example.net; 203.0.113.9 is none of the addresses 198.51.100.7"},
		{"the network of another host", `local only = sesame.hosts { "near.example.net", prefix4 = 24 }`, opened},
		{"a name that is not known", `local only = sesame.hosts { "new.example.net" }`, "refuse a no_data only: new.example.net; the addresses of new.example.net are not known: no answer in time (DNS)"},
		{"none of a name that is not known", `local new = sesame.hosts { "new.example.net" } local only = sesame.none { new }`,
			"refuse a no_data only: new: new.example.net; the addresses of new.example.net are not known: no answer in time (DNS)"},
		{"in a function", `local home = sesame.hosts { "home.example.net" } local function only(attempt) return attempt:holds(home) end`, opened},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := theScripts(t, map[string]string{
				"a.lua": tt.script + "\n" + door, "/srv/scripts/lists/tor.netset": "# exits\n203.0.113.8/29\n203.0.112.0/22\n", "/srv/scripts/lists/nobody": "# nobody\n",
			}, scripting.Options{})
			w.e.SetFacts(phoneBook{"home.example.net": "203.0.113.9", "office.example.net": "198.51.100.7", "near.example.net": "203.0.113.200"})
			w.knock("203.0.113.9", "tcp/4", "tcp/2", "tcp/3", "tcp/1")
			if tt.want == opened {
				w.want(opened, "allow 203.0.113.9/32 tcp/22 30s")
			} else {
				w.want(tt.want)
			}
		})
	}
}

// TestNamesOfASet: whoever asks for names needs all of them, wherever they stand.
func TestNamesOfASet(t *testing.T) {
	w := theScripts(t, map[string]string{
		"a.lua": `local a = sesame.hosts { "a.example.net", "B.example.net", every = "10s", keep = "2d" }
sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = sesame.any { sesame.none { a }, sesame.hosts { "c.example.net" } } }`,
		"b.lua": `local f = sesame.hosts { "a.example.net" }
sesame.door "b" { sequence = { 5, 2, 3, 1 }, guards = 22, on_open = function(attempt) if attempt:holds(f) then attempt:allow() end end }`,
	}, scripting.Options{})
	slow := condition.Host{Name: "a.example.net", Every: 5 * time.Minute, Keep: 24 * time.Hour}
	want := []condition.Host{{Name: "a.example.net", Every: 10 * time.Second, Keep: 48 * time.Hour}, {Name: "b.example.net", Every: 10 * time.Second, Keep: 48 * time.Hour},
		{Name: "c.example.net", Every: slow.Every, Keep: slow.Keep}, slow}
	if !slices.Equal(w.set.Hosts, want) {
		t.Errorf("the set asks for %v, want %v", w.set.Hosts, want)
	}
}
