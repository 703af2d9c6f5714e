package effect

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// TestReconcile compares what a start makes of a journal and of elements. In the journal are the
// grants 3 (alive for a minute), 4 (its time is over) and 7 (it ended).
func TestReconcile(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	from := func(last byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, last}), 32) }
	live := engine.Record{Grant: &engine.Grant{ID: 3, Door: "ssh", Source: from(3), Port: ssh, TTL: time.Minute, End: now.Add(time.Minute)}}
	over := engine.Record{Grant: &engine.Grant{ID: 4, Door: "ssh", Source: from(4), Port: ssh, TTL: time.Minute, End: now.Add(-time.Minute)}}
	highest := engine.Record{Grant: &engine.Grant{ID: 7}, Ended: true}
	command := engine.Record{Grant: &engine.Grant{ID: 2, Door: "ssh", Source: from(3), Argv: []string{"/a"}, Undo: []string{"/b"}, End: now.Add(time.Minute)}}
	standing := func(last byte, grant uint64, door string, remaining time.Duration) Element {
		return Element{Source: from(last), Port: ssh, Remaining: remaining, Grant: grant, Door: door}
	}
	whole := func(f *Found) { f.Whole = true }
	damaged := func(f *Found) { f.Damaged = true }
	network := netip.MustParsePrefix("203.0.113.0/24")
	for name, tt := range map[string]struct {
		how      func(*Found)
		elements []Element
		want     string // the grants afterwards, and how long they last
		changed  string
	}{
		"no table, as after a boot":                 {nil, nil, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"the table stands and the element does not": {whole, nil, "2 1m0s, 3 0s, 4 -1m0s", "3"},
		"it stands":                                  {whole, []Element{standing(3, 3, "ssh", time.Minute)}, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"it stands, some ticks off":                  {whole, []Element{standing(3, 3, "ssh", time.Minute-9*time.Millisecond)}, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"it was extended, and that was not written":  {whole, []Element{standing(3, 3, "ssh", time.Hour)}, "2 1m0s, 3 1h0m0s, 4 -1m0s", "3"},
		"it was shortened, and that was not written": {whole, []Element{standing(3, 3, "ssh", time.Second)}, "2 1m0s, 3 1s, 4 -1m0s", "3"},
		"it was shortened by the user's firewall":    {nil, []Element{standing(3, 3, "ssh", time.Second)}, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"the clock was set forward":                  {whole, []Element{standing(3, 3, "ssh", time.Minute), standing(4, 4, "ssh", time.Hour)}, "2 1m0s, 3 1m0s, 4 1h0m0s", "4"},
		"another door's, with a lost record": {
			whole, []Element{standing(3, 9, "web", time.Hour)}, "2 1m0s, 3 1m0s, 4 -1m0s, 9 1h0m0s", "9",
		},
		"a person's, from the time without a daemon": {nil, []Element{standing(9, 0, "", time.Hour)}, "2 1m0s, 3 1m0s, 4 -1m0s, 8 1h0m0s", "8"},
		"one whose end was written before it went":   {nil, []Element{standing(5, 5, "ssh", time.Hour)}, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"one that the journal lost":                  {damaged, []Element{standing(5, 5, "ssh", time.Hour)}, "2 1m0s, 3 1m0s, 4 -1m0s, 8 1h0m0s", "8"},
		"several that opened before they were written": {
			whole, []Element{standing(3, 3, "ssh", time.Minute), standing(9, 0, "", time.Hour), standing(11, 11, "ssh", time.Hour), standing(8, 8, "ssh", time.Hour)},
			"2 1m0s, 3 1m0s, 4 -1m0s, 8 1h0m0s, 11 1h0m0s, 12 1h0m0s", "8, 11, 12",
		},
		"one without an end": {nil, []Element{standing(9, 0, "", 0)}, "2 1m0s, 3 1m0s, 4 -1m0s", ""},
		"inside a network": {
			whole, []Element{{Source: network, Port: ssh, Remaining: time.Hour, Grant: 8, Door: "lan"}}, "2 1m0s, 3 1m0s, 4 -1m0s, 8 1h0m0s", "8",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := Found{Records: []engine.Record{highest, command, live, over}, Elements: tt.elements, Now: now}
			if tt.how != nil {
				tt.how(&f)
			}
			f.Cut = func(door string) bool { return door == "web" }
			before := fmt.Sprint(*live.Grant)
			restore, changed := f.Reconcile()
			if after := fmt.Sprint(*live.Grant); after != before {
				t.Errorf("a record was changed in place: %s, was %s", after, before)
			}
			var got, told []string
			for _, r := range restore {
				if !r.Ended {
					got = append(got, fmt.Sprintf("%d %v", r.Grant.ID, r.Grant.End.Sub(now)))
				}
				if r.Grant.Cut != (r.Grant.Door == "web") {
					t.Errorf("grant %d of %s cuts: %v", r.Grant.ID, r.Grant.Door, r.Grant.Cut)
				}
			}
			for _, r := range changed {
				told = append(told, fmt.Sprint(r.Grant.ID))
			}
			if text := strings.Join(got, ", "); text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
			if text := strings.Join(told, ", "); text != tt.changed {
				t.Errorf("the journal is told of %q, want %q", text, tt.changed)
			}
		})
	}
}

// A narrow grant that lasts longer than the wider one around it has no element until that one
// ends. If it ends without a daemon, the narrow one gets its element back at the start.
func TestANarrowGrantOutlivesTheWideOne(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	grant := func(id uint64, source string, left time.Duration) engine.Record {
		return engine.Record{Grant: &engine.Grant{ID: id, Source: netip.MustParsePrefix(source), Port: packet.Port{Proto: packet.TCP, Number: 22}, End: now.Add(left)}}
	}
	narrow := grant(1, "203.0.113.9/32", time.Hour)
	for left, lives := range map[time.Duration]bool{
		-time.Second: true,
		time.Minute:  false, // the wide one was revoked, and the narrow one has no element after that
	} {
		restore, _ := Found{Records: []engine.Record{narrow, grant(2, "203.0.113.0/24", left)}, Whole: true, Now: now}.Reconcile()
		if got := restore[slices.IndexFunc(restore, func(r engine.Record) bool { return r.Grant.ID == 1 })].Grant.End.After(now); got != lives {
			t.Errorf("with %v left for the wide grant, the narrow one lives: %v", left, got)
		}
	}
}
