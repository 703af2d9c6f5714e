package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// records writes the records that events request, one line each, and forgets the events.
func (w *world) records() []string {
	lines := []string{}
	for _, event := range w.got {
		if r := event.Persist; r != nil && r.Store != nil {
			until := "for ever"
			if !r.Store.Until.IsZero() {
				until = "until " + r.Store.Until.Sub(monday).String()
			}
			lines = append(lines, fmt.Sprintf("%s %v %s=%v %s", r.Script, r.Source, r.Store.Key, r.Store.Value, until))
		}
	}
	w.got = nil
	return lines
}

func (w *world) wantRecords(lines ...string) {
	w.t.Helper()
	if diff := gocmp.Diff(append([]string{}, lines...), w.records()); diff != "" {
		w.t.Errorf("records (-want +got):\n%s", diff)
	}
}

// values writes what the engine has stored.
func (w *world) values() string {
	var all []string
	values := w.e.Values(Selection{})
	SortValues(values)
	for _, v := range values {
		all = append(all, fmt.Sprintf("%s/%s=%v", v.Script, v.Key, v.Value))
	}
	return strings.Join(all, " ")
}

// nonces is a door of a file that remembers for whom it opened.
func nonces(t *testing.T, path, owner string) *Set {
	d := scripted(aDoor(t, "spa", "udp/501"), HookOpen, always(Put{Key: "nonce", Value: true}, Put{PerSource: true, Key: "n", Value: 1.0, Until: monday.Add(time.Hour)}))
	d.Script, d.Owner = path, owner
	return &Set{Doors: []*Door{d}, Scripts: []Script{{path, owner}}}
}

func TestARenamedFileKeepsItsValues(t *testing.T) {
	w := newWorld(t)
	w.record(w.e.Swap(w.now, nonces(t, "spa.lua", "beacon")))
	w.knock(alice, "udp/501")
	w.wantRecords("beacon invalid IP nonce=true for ever", "beacon 203.0.113.9 n=1 until 1h0m0s")
	w.record(w.e.Swap(w.now, nonces(t, "beacon-spa.lua", "beacon")))
	w.wantRecords()
	if got := w.values(); got != "beacon/nonce=true beacon/n=1" {
		t.Errorf("stored %s", got)
	}
	if got := w.e.Unread(); got != nil {
		t.Errorf("unread: %v", got)
	}
}

func TestANameTakesOverWhatThePathHad(t *testing.T) {
	w := newWorld(t)
	w.record(w.e.Swap(w.now, nonces(t, "spa.lua", "spa.lua")))
	w.knock(alice, "udp/501")
	w.got = nil
	t.Log("# the new record comes before the end of the old one")
	w.record(w.e.Swap(w.now, nonces(t, "spa.lua", "beacon")))
	w.wantRecords("beacon invalid IP nonce=true for ever", "spa.lua invalid IP nonce=<nil> for ever",
		"beacon 203.0.113.9 n=1 until 1h0m0s", "spa.lua 203.0.113.9 n=<nil> for ever")
	t.Log("# what the name has already stays")
	w.record(w.e.Restore(w.now, []Record{
		{Store: &Put{Key: "nonce", Value: "older"}, Script: "spa.lua"},
		{Store: &Put{Key: "other", Value: "older"}, Script: "spa.lua"},
		{Store: &Put{Key: "third", Value: "older", Until: monday}, Script: "spa.lua"},
	}))
	w.wantRecords("spa.lua invalid IP nonce=<nil> for ever", "beacon invalid IP other=older for ever", "spa.lua invalid IP other=<nil> for ever",
		"spa.lua invalid IP third=<nil> for ever")
	if got := w.values(); got != "beacon/nonce=true beacon/other=older beacon/n=1" {
		t.Errorf("stored %s", got)
	}
}

// A start restores the journal in an order of its own. A value that the name has comes from a later
// time than that of the path, whichever of them comes first.
func TestARestartTakesTheValueOfTheName(t *testing.T) {
	path, name := Record{Store: &Put{Key: "k", Value: "old"}, Script: "spa.lua"}, Record{Store: &Put{Key: "k", Value: "new"}, Script: "beacon"}
	for _, records := range [][]Record{{path, name}, {name, path}} {
		w := newWorld(t)
		w.e.Swap(w.now, nonces(t, "spa.lua", "beacon"))
		w.record(w.e.Restore(w.now, records))
		w.wantRecords("spa.lua invalid IP k=<nil> for ever")
		if got := w.values(); got != "beacon/k=new" {
			t.Errorf("stored %s", got)
		}
	}
}

func TestAPathThatIsTheNameOfAnotherFileKeepsItsValues(t *testing.T) {
	w := newWorld(t)
	w.record(w.e.Swap(w.now, nonces(t, "spa.lua", "spa.lua")))
	w.knock(alice, "udp/501")
	w.got = nil
	next := nonces(t, "new.lua", "spa.lua")
	next.Scripts = append(next.Scripts, Script{"spa.lua", "other"})
	w.record(w.e.Swap(w.now, next))
	w.wantRecords()
	if got := w.values(); got != "spa.lua/nonce=true spa.lua/n=1" {
		t.Errorf("stored %s", got)
	}
}

func TestDelaysFollowTheName(t *testing.T) {
	set := func(path, owner string) *Set {
		d := scripted(aDoor(t, "a", "udp/501"), HookOpen, always(After{Delay: time.Minute, Name: "later"}))
		d.Script, d.Owner = path, owner
		return &Set{Doors: []*Door{d}, Scripts: []Script{{path, owner}}, Timers: []Timer{{Script: path, Owner: owner, Name: "later", Handler: always(Log{Text: "from " + path})}}}
	}
	w := newWorld(t)
	w.record(w.e.Swap(w.now, set("a.lua", "a.lua")))
	w.knock(alice, "udp/501")
	w.got = nil
	w.record(w.e.Swap(w.now, set("a.lua", "door")))
	w.record(w.e.Swap(w.now, set("b.lua", "door")))
	w.tick(time.Minute)
	w.want("1m0s effect a 203.0.113.9 log (from b.lua)")

	t.Log("# without a name they are lost, and that is said")
	w.knock(alice, "udp/501")
	w.record(w.e.Swap(w.now, set("c.lua", "c.lua")))
	if got := w.e.Unread(); len(got) != 1 || got[0] != (Unread{Owner: "door", Delays: 1}) {
		t.Errorf("unread: %v", got)
	}
	w.got = nil
	w.tick(time.Minute)
	w.want(`2m0s error a 203.0.113.9 (no handler "later" is registered any more)`)
}

func TestValuesWithoutAReaderAreTold(t *testing.T) {
	w := newWorld(t)
	w.record(w.e.Swap(w.now, nonces(t, "spa.lua", "")))
	w.knock(alice, "udp/501")
	w.knock(bob, "udp/501")
	w.record(w.e.Swap(w.now, nonces(t, "beacon-spa.lua", "")))
	if diff := gocmp.Diff([]Unread{{Owner: "spa.lua", Values: 3}}, w.e.Unread()); diff != "" {
		t.Error(diff)
	}
	w.tick(time.Hour)
	if diff := gocmp.Diff([]Unread{{Owner: "spa.lua", Values: 1}}, w.e.Unread()); diff != "" {
		t.Errorf("after those of the sources have expired: %s", diff)
	}
}

func TestForgettingValues(t *testing.T) {
	a, b := netip.MustParseAddr(alice), netip.MustParseAddr(bob)
	for _, tt := range []struct {
		name   string
		chosen Selection
		left   string
	}{
		{"all of a script", Selection{Script: "a"}, "b/k=4"},
		{"one key, of all sources", Selection{Script: "a", Key: "k"}, "a/n=1 b/k=4"},
		{"one source", Selection{Script: "a", Source: a}, "a/k=0 a/n=1 a/k=3 b/k=4"},
		{"what all sources share", Selection{Script: "a", Shared: true, Source: b}, "a/k=2 a/k=3 b/k=4"},
		{"one value", Selection{Script: "a", Source: b, Key: "k"}, "a/k=0 a/n=1 a/k=2 b/k=4"},
		{"nothing that is there", Selection{Script: "c"}, "a/k=0 a/n=1 a/k=2 a/k=3 b/k=4"},
		{"everything", Selection{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.record(w.e.Restore(w.now, []Record{
				{Store: &Put{Key: "k", Value: 0.0}, Script: "a"}, {Store: &Put{Key: "n", Value: 1.0}, Script: "a"},
				{Store: &Put{Key: "k", Value: 2.0, PerSource: true}, Script: "a", Source: a},
				{Store: &Put{Key: "k", Value: 3.0, PerSource: true, Until: monday.Add(time.Hour)}, Script: "a", Source: b},
				{Store: &Put{Key: "k", Value: 4.0}, Script: "b"},
			}))
			before := len(w.e.Values(tt.chosen))
			w.record(w.e.Forget(w.now, tt.chosen))
			if got := w.values(); got != tt.left {
				t.Errorf("left: %s, want %s", got, tt.left)
			}
			records := w.records()
			if len(records) != before {
				t.Errorf("%d records for %d values: %q", len(records), before, records)
			}
			for _, line := range records {
				if !strings.Contains(line, "=<nil>") {
					t.Errorf("record %s: expected the end of a value", line)
				}
			}
		})
	}
}
