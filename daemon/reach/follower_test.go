package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

var (
	names = Names{Table: "inet sesame", Begin: "granted", Untracked: "untracked", Last: []string{"input", "forward"}}
	start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ssh   = Flow{packet.TCP, netip.MustParseAddrPort("198.51.100.9:40000"), netip.MustParseAddrPort("198.51.100.1:22")}
	dns   = Flow{packet.UDP, netip.MustParseAddrPort("[2001:db8::9]:40000"), netip.MustParseAddrPort("[2001:db8::1]:53")}
)

func begin(id uint32, f Flow) Message {
	return Message{ID: id, Table: "inet sesame", Chain: "granted", Handle: 9, Verdict: Accept, Flow: f}
}

func at(id uint32, table, chain string, handle uint64, v Verdict) Message {
	return Message{ID: id, Table: table, Chain: chain, Handle: handle, Verdict: v}
}

func last(id uint32) Message { return at(id, "inet sesame", "input", 5, Accept) }

// A look is what connection tracking knows when it is asked after some time.
type look struct {
	after time.Duration
	conn  Conn
}

// TestFollower tells what becomes of single packets.
func TestFollower(t *testing.T) {
	untracked := begin(1, ssh)
	untracked.Chain = "untracked"
	const ms = time.Millisecond
	for _, tt := range []struct {
		name     string
		messages []Message
		looks    []look
		want     []string
	}{
		{"answered", []Message{begin(1, ssh), last(1)}, []look{{10 * ms, Established}}, []string{"answered"}},
		{"not looked at too early", []Message{begin(1, ssh), last(1)}, []look{{9 * ms, Established}}, nil},
		{"dropped by a rule", []Message{begin(1, ssh), at(1, "ip nat", "PREROUTING", 0, Accept), at(1, "ip filter", "INPUT", 4, Continue), at(1, "ip filter", "f2b-sshd", 7, Drop)},
			nil, []string{"dropped by ip filter f2b-sshd 7 via [{ip filter INPUT} {ip filter f2b-sshd}]"}},
		{"dropped by a policy", []Message{begin(1, ssh), at(1, "inet filter", "input", 0, Drop)}, nil, []string{"dropped by inet filter input policy via [{inet filter input}]"}},
		{"dropped behind our last chain", []Message{begin(1, ssh), last(1), at(1, "ip x", "post", 3, Drop)}, nil, []string{"dropped by ip x post 3 via [{ip x post}]"}},
		{"nothing listens", []Message{begin(1, ssh), last(1)}, []look{{10 * ms, NoConn}, {50 * ms, NoConn}}, []string{"answered closed"}},
		{"no answer", []Message{begin(1, ssh), last(1)}, []look{{999 * ms, Asked}, {time.Second, Asked}}, []string{"unanswered"}},
		{"a late answer", []Message{begin(1, ssh), last(1)}, []look{{time.Second, Asked}, {2 * time.Second, Established}, {3 * time.Second, Established}}, []string{"unanswered", "answered"}},
		{"an answer that nobody confirms", []Message{begin(1, ssh), last(1)}, []look{{time.Second, HalfOpen}, {3 * time.Second, HalfOpen}, {10 * time.Second, HalfOpen}}, []string{"unanswered unconfirmed"}},
		{"a slow way back", []Message{begin(1, ssh), last(1)}, []look{{time.Second, HalfOpen}, {3 * time.Second, Established}}, []string{"answered"}},
		{"vanished", []Message{begin(1, ssh), at(1, "ip nat", "PREROUTING", 0, Accept)}, []look{{250 * ms, NoConn}, {time.Second, NoConn}}, []string{"unanswered unseen via [{ip nat PREROUTING}]"}},
		{"through, as seen by its answer alone", []Message{begin(1, ssh)}, []look{{10 * ms, Established}}, []string{"answered"}},
		{"a datagram whose flow is forgotten", []Message{begin(1, dns), last(1)}, []look{{10 * ms, NoConn}, {time.Second, NoConn}}, nil},
		{"a datagram that is answered", []Message{begin(1, dns), last(1)}, []look{{10 * ms, Asked}, {250 * ms, Established}}, []string{"answered"}},
		{"a datagram to a port without a program", []Message{begin(1, dns), last(1)}, []look{{10 * ms, Refused}, {time.Second, Refused}}, []string{"answered closed"}},
		{"untracked", []Message{untracked, last(1)}, []look{{10 * ms, NoConn}}, []string{"passed"}},
		{"untracked, and vanished", []Message{untracked}, []look{{10 * ms, NoConn}, {time.Second, NoConn}}, []string{"unanswered unseen"}},
		{"a queue that lets it go on", []Message{begin(1, ssh), at(1, "ip filter", "INPUT", 4, Stolen), last(1)}, []look{{10 * ms, Established}}, []string{"answered"}},
		{"of another program", []Message{at(1, "ip x", "pre", 4, Accept), at(1, "ip filter", "INPUT", 4, Drop)}, []look{{time.Second, NoConn}}, nil},
		{"two at a time", []Message{begin(1, ssh), begin(2, dns), at(2, "ip6 filter", "INPUT", 4, Drop), last(1)}, []look{{10 * ms, Established}},
			[]string{"dropped by ip6 filter INPUT 4 via [{ip6 filter INPUT}]", "answered"}},
		{"a number that is used again", []Message{begin(1, dns), begin(1, ssh), at(1, "ip filter", "INPUT", 4, Drop)}, []look{{time.Second, NoConn}},
			[]string{"dropped by ip filter INPUT 4 via [{ip filter INPUT}]"}},
		{"one that another program traces, too", []Message{{ID: 1, Table: "inet sesame", Chain: "guard", Handle: 2, Flow: ssh}, begin(1, Flow{}), at(1, "ip filter", "INPUT", 4, Drop)},
			nil, []string{"dropped by ip filter INPUT 4 via [{ip filter INPUT}]"}},
		{"headers of a chain before ours", []Message{{ID: 1, Table: "ip raw", Chain: "PREROUTING", Handle: 2, Flow: ssh}, begin(1, Flow{}), at(1, "ip filter", "INPUT", 4, Drop)}, nil, nil},
		{"a rule that does not accept", []Message{{ID: 1, Table: "inet sesame", Chain: "granted", Handle: 2, Flow: ssh}, at(1, "ip filter", "INPUT", 4, Drop)}, nil, nil},
		{"a beginning without headers", []Message{begin(1, Flow{}), at(1, "ip filter", "INPUT", 4, Drop)}, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := NewFollower(names)
			var got []string
			for _, m := range tt.messages {
				if ended, _ := f.Add(m, start); ended != nil {
					got = append(got, written(*ended))
				}
			}
			for _, l := range tt.looks {
				for _, e := range f.Look(start.Add(l.after), func(Flow) (Conn, bool) { return l.conn, true }) {
					got = append(got, written(e))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("endings (-want +got):\n%s", diff)
			}
		})
	}
}

func written(e Ending) string {
	s := string(e.Outcome)
	if b := e.Blocker; b != nil {
		s += " by " + b.Table + " " + b.Chain
		if b.Policy {
			s += " policy"
		} else {
			s += fmt.Sprint(" ", b.Handle)
		}
	}
	for _, one := range []struct {
		is   bool
		word string
	}{{e.Closed, " closed"}, {e.Unseen, " unseen"}, {e.Unconfirmed, " unconfirmed"}} {
		if one.is {
			s += one.word
		}
	}
	if len(e.Path) > 0 && (e.Blocker != nil || e.Unseen) {
		s += fmt.Sprintf(" via %v", e.Path)
	}
	return s
}

// TestFollowerForgetsWhenMessagesAreLost: a packet of which messages are missing has no ending,
// and a later one has.
func TestFollowerForgetsWhenMessagesAreLost(t *testing.T) {
	f := NewFollower(names)
	f.Add(begin(1, ssh), start)
	f.Lost()
	if ended, ours := f.Add(at(1, "ip filter", "INPUT", 4, Drop), start); ended != nil || ours {
		t.Errorf("%+v of a packet of which messages are missing", ended)
	}
	f.Add(begin(2, ssh), start)
	if ended, ours := f.Add(at(2, "ip filter", "INPUT", 4, Drop), start); ended == nil || !ours {
		t.Error("nothing is followed after a loss")
	}
	if lost, missed := f.Losses(); lost != 1 || missed != 0 {
		t.Errorf("%d lost, %d missed", lost, missed)
	}
}

// TestFollowerIsBounded: too many at a time are counted, and room comes back with time.
func TestFollowerIsBounded(t *testing.T) {
	f := NewFollower(names)
	for id := range uint32(maxFollowed + 3) {
		f.Add(begin(id, ssh), start)
	}
	if _, missed := f.Losses(); missed != 3 || f.Followed() != maxFollowed {
		t.Errorf("%d missed, %d followed", missed, f.Followed())
	}
	if _, ours := f.Add(begin(1, dns), start); !ours {
		t.Error("a number that is used again has no room")
	}
	f.Look(start.Add(looks[len(looks)-1]), func(Flow) (Conn, bool) { return Asked, true })
	if f.Followed() != 0 || !f.Next().IsZero() {
		t.Errorf("%d followed after all looks, the next at %v", f.Followed(), f.Next())
	}
}

// TestFollowerNext: there is something to do at the time that Next tells, and not before.
func TestFollowerNext(t *testing.T) {
	f := NewFollower(names)
	f.Add(begin(1, ssh), start)
	f.Add(begin(2, dns), start.Add(5*time.Millisecond))
	var asked []time.Duration
	for next := f.Next(); !next.IsZero(); next = f.Next() {
		count := 0
		look := func(Flow) (Conn, bool) { count++; return Asked, true }
		f.Look(next.Add(-1), look)
		if count > 0 {
			t.Fatalf("%d looks before %v", count, next)
		}
		f.Look(next, look)
		if count != 1 {
			t.Fatalf("%d looks at %v", count, next)
		}
		asked = append(asked, next.Sub(start))
	}
	if len(asked) != 2*len(looks) || !slices.IsSorted(asked) {
		t.Errorf("looked at %v", asked)
	}
}

// TestFollowerUnknown: what connection tracking cannot tell has no ending.
func TestFollowerUnknown(t *testing.T) {
	f := NewFollower(names)
	f.Add(begin(1, ssh), start)
	f.Add(last(1), start)
	if e := f.Look(start.Add(time.Second), func(Flow) (Conn, bool) { return NoConn, false }); e != nil || f.Followed() != 0 {
		t.Errorf("%+v, %d followed", e, f.Followed())
	}
}

// TestFollowerAgainstANaiveOne: of any mix of messages, exactly those packets are said to be
// dropped whose last beginning a drop follows, and never more is followed than the bound.
func TestFollowerAgainstANaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewFollower(names)
		begun := map[uint32]bool{}
		for range rapid.IntRange(0, 60).Draw(t, "messages") {
			id := rapid.Uint32Range(0, 5).Draw(t, "id")
			var m Message
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				m = begin(id, ssh)
			case 1:
				m = last(id)
			case 2:
				m = at(id, "ip filter", "INPUT", 4, Drop)
			case 3:
				m = at(id, "ip filter", "INPUT", 4, Continue)
			case 4:
				f.Lost()
				clear(begun)
				continue
			}
			ended, ours := f.Add(m, start)
			if m.Chain == "granted" {
				begun[id] = true
			}
			if ours != begun[id] || (ended != nil) != (begun[id] && m.Verdict == Drop) {
				t.Fatalf("%+v: ended %v, ours %v; begun %v", m, ended, ours, begun[id])
			}
			if ended != nil {
				delete(begun, id)
			}
			if f.Followed() != len(begun) {
				t.Fatalf("%d followed, want %d", f.Followed(), len(begun))
			}
		}
	})
}

// TestFollowerOfQuietFlows: without a trace, connection tracking alone tells what becomes of a
// flow. One without an entry was dropped, or refused at once: which is not known.
func TestFollowerOfQuietFlows(t *testing.T) {
	for _, tt := range []struct {
		conn Conn
		want []string
	}{
		{Established, []string{"answered"}},
		{Asked, []string{"unanswered"}},
		{NoConn, []string{"unanswered unseen"}},
	} {
		f := NewFollower(names)
		f.Began(ssh, start)
		f.Began(dns, start)
		if f.Followed() != 2 {
			t.Fatalf("%d followed", f.Followed())
		}
		var got []string
		for _, e := range f.Look(start.Add(time.Second), func(Flow) (Conn, bool) { return tt.conn, true }) {
			if e.Flow == ssh {
				got = append(got, written(e))
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("endings (-want +got):\n%s", diff)
		}
	}
}
