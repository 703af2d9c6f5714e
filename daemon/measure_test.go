package daemon

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"sesame/daemon/control"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
	"sesame/daemon/split"
)

var (
	sshPort = packet.Port{Proto: packet.TCP, Number: 22}
	visitor = netip.MustParseAddr("198.51.100.9")
	came    = time.Date(2026, 11, 21, 10, 2, 3, 0, time.UTC)
)

// result returns the result of a packet of the visitor that came so long after the first one.
func result(o reach.Outcome, after time.Duration) reach.Result {
	return reach.Result{Source: visitor, Port: sshPort, Outcome: o, First: came, Last: came.Add(after)}
}

// dropped returns the result of a packet that ended at a handle of ip filter INPUT.
func dropped(handle uint64, after time.Duration) reach.Result {
	r := result(reach.Dropped, after)
	r.Blocker, r.Lines = &reach.Blocker{Table: "ip filter", Chain: "INPUT", Handle: handle, Policy: handle == 0}, []string{"iptables -I INPUT"}
	return r
}

// TestEachChainIsWarnedOfOnce has a client that is dropped again and again, by two rules.
func TestEachChainIsWarnedOfOnce(t *testing.T) {
	var lines strings.Builder
	d := &daemon{config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: &lines})}, loop: &loop{clock: newClock()}}
	d.measurement.answers = rate.NewLimiter(0, 2)
	for range 5 {
		d.logReached(dropped(0, 0))
		d.logReached(dropped(7, 0))
		d.logReached(result(reach.Answered, 0))
	}
	text := lines.String()
	for what, want := range map[string]int{"[WARN]": 2, "rule=policy": 1, `add="iptables -I INPUT"`: 2, "a granted connection was answered": 2} {
		if n := strings.Count(text, what); n != want {
			t.Errorf("%q came %d times, want %d, in:\n%s", what, n, want, text)
		}
	}
	for i := range 2 * maxPlaces {
		d.logReached(dropped(uint64(100+i), 0))
	}
	if n := strings.Count(lines.String(), "[WARN]"); n != maxPlaces {
		t.Errorf("%d warnings, want %d at most", n, maxPlaces)
	}
}

// TestBlockingChains has two rules of one chain, one whose time is over, and one that answered.
func TestBlockingChains(t *testing.T) {
	second := dropped(7, -time.Minute)
	second.Source = netip.MustParseAddr("198.51.100.10")
	old := dropped(8, -time.Hour-time.Second)
	rejected := dropped(9, -2*time.Minute)
	rejected.Outcome = reach.Rejected
	measured := reachedList([]reach.Result{result(reach.Answered, 0), dropped(7, 0), second, rejected, old}, time.Hour)
	other := control.Conflict{Table: "inet filter", Chain: "forward"}
	got := blocking(measured, []control.Conflict{{Table: "ip filter", Chain: "INPUT"}, other}, came.Add(time.Hour))
	if len(got) != 3 || got[2].Chain != "forward" || got[2].Seen != nil || got[0].Seen.Handle != 7 || got[0].Seen.Source != visitor || got[1].Seen.Handle != 9 || got[0].Lines[0] != "iptables -I INPUT" {
		t.Errorf("got %+v", got)
	}
}

func TestReachedListIsBounded(t *testing.T) {
	if got := reachedList(make([]reach.Result, 1024), 0); len(got) != control.MaxReached {
		t.Errorf("%d results, want %d", len(got), control.MaxReached)
	}
	if got := stoppedList(make([]firewall.Stopped, 1024), came); len(got) != maxStopped {
		t.Errorf("%d sources, want %d", len(got), maxStopped)
	}
}

// TestWhatBecameOfAGrant has results from before a grant was given, and after.
func TestWhatBecameOfAGrant(t *testing.T) {
	grant := control.Grant{Source: control.Source{Prefix: netip.MustParsePrefix("198.51.100.0/24")}, Port: control.Port{Port: sshPort}, TTL: control.Duration(time.Minute),
		End: came.Add(time.Minute + time.Hour)}
	observed, command := grant, grant
	observed.Observed, command.Argv, command.Port = true, []string{"true"}, control.Port{}
	for _, test := range []struct {
		name  string
		grant control.Grant
		after time.Duration
		start time.Duration // of the daemon
		want  string
	}{
		{"after", grant, 0, 0, "answered"},
		{"before", grant, -time.Second, 0, "unused"},
		{"before, and given by an earlier daemon", grant, -time.Second, 1, ""},
		{"after, and given by an earlier daemon", grant, 2, 1, "answered"},
		{"observed", observed, 0, 0, ""},
		{"command", command, 0, 0, ""},
	} {
		got := ""
		if r := reachedOf([]reach.Result{result(reach.Answered, test.after)}, &test.grant, time.Hour, came.Add(test.start)); r != nil {
			got = string(r.Outcome)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// allow returns an effect that gives access to tcp/22.
func allow(door, source string) engine.Event {
	return engine.Event{Kind: engine.EventEffect, Effect: engine.EffectAllow, Door: door, Source: netip.MustParsePrefix(source), Port: sshPort, Time: came}
}

// TestOpenings has a door that gives access to the source, to its network and to somebody else.
func TestOpenings(t *testing.T) {
	var o openings
	open := engine.Event{Kind: engine.EventOpen, Door: "ssh", Source: netip.MustParsePrefix("198.51.100.9/32"), Time: came}
	observed := allow("ssh", "198.51.100.9/32")
	observed.Observed = true
	o.events([]engine.Event{open, allow("ssh", "198.51.100.9/32"), allow("ssh", "198.51.100.0/24"), allow("ssh", "203.0.113.5/32"), observed, allow("", "198.51.100.9/32")})
	o.events([]engine.Event{allow("timer", "203.0.113.0/24")})
	var got []string
	for _, one := range o.list() {
		got = append(got, fmt.Sprintf("%s %s %s", one.Door, one.Source, one.Access))
	}
	want := []string{"ssh 198.51.100.9 198.51.100.9/32", "ssh 198.51.100.9 198.51.100.0/24", "ssh 203.0.113.5 203.0.113.5/32", "timer 203.0.113.0 203.0.113.0/24"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 2 * maxOpenings {
		o.events([]engine.Event{open, allow("last", "198.51.100.9/32")})
	}
	if all := o.list(); len(all) != maxOpenings || all[0].Door != "last" {
		t.Errorf("%d openings from %q, want the latest %d", len(all), all[0].Door, maxOpenings)
	}
}

// TestTurnedAway has an opening over IPv4 and a refused source over IPv6, before and after somebody
// used the opening.
func TestTurnedAway(t *testing.T) {
	given := []split.Opening{{Source: visitor, Access: netip.PrefixFrom(visitor, 32), Door: "ssh", Port: sshPort, At: came}}
	refused := []firewall.Stopped{{Source: netip.MustParseAddr("2001:db8::9"), Port: sshPort, Packets: 1, Ago: 4 * time.Second}}
	got := turnedAway(given, nil, refused, came.Add(5*time.Second), time.Hour)
	if len(got) != 1 || got[0].Knocked != visitor || got[0].Connected != refused[0].Source || !got[0].Opened.Equal(came.Add(time.Hour)) ||
		!got[0].Refused.Equal(came.Add(time.Hour+time.Second)) || !strings.Contains(got[0].Text, "refused at tcp/22 1s later: probably knocked over IPv4") {
		t.Errorf("got %+v", got)
	}
	if got := turnedAway(given, []reach.Result{result(reach.Answered, time.Second)}, refused, came.Add(5*time.Second), 0); got != nil {
		t.Errorf("the opening was used: got %+v", got)
	}
}

// TestRulesThatChanged has results whose cause is gone, and later ones for one of them.
func TestRulesThatChanged(t *testing.T) {
	var o outdated
	other := dropped(8, -time.Minute)
	other.Source = netip.MustParseAddr("198.51.100.10")
	answered := result(reach.Answered, -time.Hour)
	answered.Port.Number = 80
	o.note([]reach.Result{dropped(7, 0), other, answered}, nil)
	got := o.with([]reach.Result{result(reach.Answered, time.Second)})
	if len(got) != 2 || got[0].Outcome != reach.Answered || got[1].Source != other.Source || !got[1].Changed || got[1].Lines != nil {
		t.Errorf("got %+v", got)
	}
	got = o.with(nil)
	if len(got) != 2 || got[0].Source != visitor || !got[0].Changed {
		t.Errorf("got %+v", got)
	}
	if all := blocking(reachedList(got, 0), nil, came); all != nil {
		t.Errorf("chains with other rules still block: %+v", all)
	}
	o.note([]reach.Result{dropped(7, time.Hour)}, []reach.Result{dropped(9, time.Hour)})
	if got := o.with(nil); len(got) != 2 {
		t.Errorf("a result that was replaced is outdated: %+v", got)
	}
	for i := range 2 * control.MaxReached {
		r := dropped(7, time.Duration(i)*time.Second)
		r.Port.Number = uint16(1000 + i)
		o.note([]reach.Result{r}, nil)
	}
	if got := o.with(nil); len(got) != control.MaxReached || !got[0].Last.After(got[1].Last) {
		t.Errorf("%d results, want %d, the latest first", len(got), control.MaxReached)
	}
}
