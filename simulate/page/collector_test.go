package page_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate/page"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

func tcp(number uint16) packet.Port { return packet.Port{Proto: packet.TCP, Number: number} }

var tom = netip.MustParsePrefix("203.0.113.9/32")

var ssh = &engine.Door{
	Name: "ssh", Within: 8 * time.Second, StepTimeout: 3 * time.Second,
	Sequence: []engine.Knock{{Port: tcp(7000)}, {Port: tcp(8000)}, {Port: tcp(9000)}},
}

// A story gives a collector what an engine reports.
type story struct{ *page.Collector }

func (s story) stage(ms, number, stage int) {
	s.Events([]engine.Event{{Kind: engine.EventStage, Time: at(ms), Packet: number, Door: "ssh", Source: tom, Stage: stage, Stages: 3}})
}

func (s story) event(ms, number int, e engine.Event) {
	e.Time, e.Packet, e.Source = at(ms), number, tom
	if e.Door == "" {
		e.Door = "ssh"
	}
	s.Events([]engine.Event{e})
}

func (s story) judge(ms, number int, j engine.Judgment) {
	j.Time, j.Packet, j.Source, j.Door = at(ms), number, tom.Addr(), ssh
	s.Judge(&j)
}

func (s story) opens(ms, number int) {
	s.event(ms, number, engine.Event{Kind: engine.EventOpen})
	s.event(ms, number, engine.Event{Kind: engine.EventEffect, Effect: engine.EffectAllow, Grant: 1, Port: tcp(22), TTL: 30 * time.Second})
}

// text writes attempts and grants in short, one a line.
func text(d *page.Data) string {
	var b strings.Builder
	verdicts := map[page.Verdict]string{page.Stopped: "stopped", page.Waiting: "waiting", page.Refused: "refused", page.Failed: "failed", page.Opened: "opened"}
	for _, a := range d.Attempts {
		fmt.Fprintf(&b, "%s %s %d-%d %s %d/%d %q %q", a.Source, a.Door, a.Begin.Sub(noon).Milliseconds(), a.End.Sub(noon).Milliseconds(),
			verdicts[a.Verdict], a.Best, a.Stages, a.Text, a.Gave)
		for _, m := range a.Marks {
			fmt.Fprintf(&b, " %c%d@%d:%s", "krie"[m.Kind], m.Packet, m.Time.Sub(noon).Milliseconds(), m.Text)
		}
		b.WriteByte('\n')
	}
	for _, g := range d.Grants {
		fmt.Fprintf(&b, "grant %s %s %d-%d %s %q %v\n", g.Source, g.Door, g.Begin.Sub(noon).Milliseconds(), g.End.Sub(noon).Milliseconds(), g.What, g.Reason, g.Observed)
	}
	return b.String()
}

func TestAttempts(t *testing.T) {
	const who = "203.0.113.9 ssh "
	for _, test := range []struct {
		name  string
		tell  func(s story)
		lines []string
	}{
		{"opens", func(s story) {
			s.stage(0, 1, 1)
			s.stage(100, 2, 2)
			s.stage(200, 3, 3)
			s.opens(200, 3)
			s.event(30200, 0, engine.Event{Kind: engine.EventClose, Grant: 1, Port: tcp(22), Reason: engine.Expired})
		}, []string{
			who + `0-200 opened 3/3 "" ["allow tcp/22 for 30s"] k1@0:knock 1 of 3 k2@100:knock 2 of 3 k3@200:knock 3 of 3`,
			`grant 203.0.113.9 ssh 200-30200 tcp/22 "expired" false`,
		}},
		{"opens, and the grant goes on", func(s story) { s.opens(0, 1); s.stage(60, 2, 1) }, []string{
			who + `0-0 opened 1/1 "" ["allow tcp/22 for 30s"] k1@0:knock`,
			who + `60-60 stopped 1/3 "" [] k2@60:knock 1 of 3`,
			`grant 203.0.113.9 ssh 0-30000 tcp/22 "" false`,
		}},
		{"the same grant again", func(s story) { s.opens(0, 1); s.opens(1000, 2) }, []string{
			who + `0-0 opened 1/1 "" ["allow tcp/22 for 30s"] k1@0:knock`,
			who + `1000-1000 opened 1/1 "" ["allow tcp/22 for 30s"] k2@1000:knock`,
			`grant 203.0.113.9 ssh 0-31000 tcp/22 "" false`,
		}},
		{"is too late, by the events alone", func(s story) {
			s.stage(0, 1, 1)
			s.stage(100, 2, 2)
			s.event(3100, 0, engine.Event{Kind: engine.EventMiss, Stage: 2, Stages: 3, Reason: engine.StepTimeout})
		}, []string{
			who + `0-3100 stopped 2/3 "miss at stage 2 of 3: step timeout" [] k1@0:knock 1 of 3 k2@100:knock 2 of 3 e0@3100:miss at stage 2 of 3: step timeout`,
		}},
		{"is too late, by the judgments", func(s story) {
			s.judge(0, 1, engine.Judgment{Ruling: engine.Began, Stage: 1, Came: tcp(7000)})
			s.stage(0, 1, 1)
			s.judge(100, 2, engine.Judgment{Ruling: engine.Advanced, Before: 1, Stage: 2, Came: tcp(8000)})
			s.stage(100, 2, 2)
			s.judge(3100, 0, engine.Judgment{Ruling: engine.Ended, Before: 2, Reason: engine.StepTimeout, Awaited: ssh.Sequence[2]})
			s.event(3100, 0, engine.Event{Kind: engine.EventMiss, Stage: 2, Stages: 3, Reason: engine.StepTimeout})
			s.judge(3441, 3, engine.Judgment{Ruling: engine.TooLate, Before: 2, Came: tcp(9000), Late: 341 * time.Millisecond})
		}, []string{
			who + `0-3441 stopped 2/3 "tcp/9000 came 341ms too late (packet 3, step_timeout 3s)" [] k1@0:tcp/7000 k2@100:tcp/8000 ` +
				`e0@3100:tcp/9000 did not come in time (step_timeout 3s) e3@3441:tcp/9000 came 341ms too late (packet 3, step_timeout 3s)`,
		}},
		{"begins again with the knock that is too late", func(s story) {
			s.judge(0, 1, engine.Judgment{Ruling: engine.Began, Stage: 1, Came: tcp(7000)})
			s.stage(0, 1, 1)
			s.judge(3000, 0, engine.Judgment{Ruling: engine.Ended, Before: 1, Reason: engine.StepTimeout, Awaited: ssh.Sequence[1]})
			s.judge(4000, 2, engine.Judgment{Ruling: engine.Began, Stage: 1, Came: tcp(8000), Late: time.Second})
			s.stage(4000, 2, 1)
		}, []string{
			who + `0-4000 stopped 1/3 "tcp/8000 came 1s too late (packet 2, step_timeout 3s)" [] k1@0:tcp/7000 ` +
				`e0@3000:tcp/8000 did not come in time (step_timeout 3s) e2@4000:tcp/8000 came 1s too late (packet 2, step_timeout 3s)`,
			who + `4000-4000 stopped 1/3 "" [] k2@4000:tcp/8000`,
		}},
		{"is disturbed, and a shorter run holds", func(s story) {
			s.stage(0, 1, 1)
			s.stage(100, 2, 2)
			s.judge(200, 3, engine.Judgment{Ruling: engine.Disturbed, Before: 2, Stage: 1, Reason: engine.OutOfOrder, Came: tcp(7000), Awaited: ssh.Sequence[2]})
			s.Events([]engine.Event{
				{Kind: engine.EventMiss, Time: at(200), Packet: 3, Door: "ssh", Source: tom, Stage: 2, Stages: 3, Reason: engine.OutOfOrder},
				{Kind: engine.EventStage, Time: at(200), Packet: 3, Door: "ssh", Source: tom, Stage: 1, Stages: 3},
			})
		}, []string{
			who + `0-200 stopped 2/3 "tcp/7000 came (packet 3), tcp/9000 was expected" [] k1@0:knock 1 of 3 k2@100:knock 2 of 3 e3@200:tcp/7000 came (packet 3), tcp/9000 was expected`,
			who + `200-200 stopped 1/3 "" [] k3@200:tcp/7000`,
		}},
		{"is repeated, and disturbed by what is no knock", func(s story) {
			s.stage(0, 1, 1)
			s.judge(10, 2, engine.Judgment{Ruling: engine.Repeated, Before: 1, Stage: 1, Came: tcp(7000)})
			s.judge(20, 3, engine.Judgment{Ruling: engine.Ignored, Why: engine.OtherFlags, Came: tcp(8000)})
			s.judge(30, 4, engine.Judgment{Ruling: engine.Ignored, Why: engine.OtherPort, Came: tcp(5)})
		}, []string{
			who + `0-0 stopped 1/3 "" [] k1@0:knock 1 of 3 r2@10:tcp/7000 again, which is forgiven i3@20:tcp/8000 with other flags than this door asks for`,
		}},
		{"begins again, which ends a first knock without an event", func(s story) { s.stage(0, 1, 1); s.stage(60, 2, 1) }, []string{
			who + `0-0 stopped 1/3 "" [] k1@0:knock 1 of 3`, who + `60-60 stopped 1/3 "" [] k2@60:knock 1 of 3`,
		}},
		{"is missed twice, and the second began before", func(s story) {
			s.event(10, 1, engine.Event{Kind: engine.EventMiss, Stage: 2, Stages: 3, Reason: engine.OutOfOrder})
			s.event(20, 2, engine.Event{Kind: engine.EventMiss, Stage: 1, Stages: 3, Reason: engine.OutOfOrder})
		}, []string{
			who + `10-10 stopped 2/3 "miss at stage 2 of 3: out of order" [] e1@10:miss at stage 2 of 3: out of order`,
			who + `20-20 stopped 1/3 "miss at stage 1 of 3: out of order" [] e2@20:miss at stage 1 of 3: out of order`,
		}},
		{"is refused", func(s story) {
			s.stage(0, 1, 1)
			s.event(0, 1, engine.Event{Kind: engine.EventRefuse, Reason: engine.When, Detail: "hours: mon-fri"})
		}, []string{who + `0-0 refused 1/3 "hours: mon-fri" [] k1@0:knock 1 of 3`}},
		{"fails, and is refused for that", func(s story) {
			s.event(0, 1, engine.Event{Kind: engine.EventError, Script: "ssh.lua", Line: 14, Detail: "nil"})
			s.event(0, 1, engine.Event{Kind: engine.EventRefuse, Reason: engine.ScriptError})
			s.event(5, 2, engine.Event{Kind: engine.EventRefuse, Reason: engine.Limited})
		}, []string{
			who + `0-0 failed 1/1 "ssh.lua:14: nil" [] k1@0:knock`,
			who + `5-5 refused 1/1 "limit" [] k2@5:knock`,
		}},
		{"opens, and is taken back", func(s story) {
			s.opens(0, 1)
			s.event(1, 0, engine.Event{Kind: engine.EventFailed, Effect: engine.EffectAllow, Port: tcp(22), Detail: "no room", TakenBack: true})
			s.event(1, 0, engine.Event{Kind: engine.EventClose, Grant: 1, Port: tcp(22), Reason: engine.NotDone})
		}, []string{
			who + `0-0 failed 1/1 "allow failed: no room" ["allow tcp/22 for 30s" "allow failed: no room"] k1@0:knock`,
			`grant 203.0.113.9 ssh 0-1 tcp/22 "failed" false`,
		}},
		{"opens, and something tolerable fails", func(s story) {
			s.opens(0, 1)
			s.event(1, 0, engine.Event{Kind: engine.EventFailed, Effect: engine.EffectExec, Detail: "exit status 1"})
		}, []string{
			who + `0-0 opened 1/1 "" ["allow tcp/22 for 30s" "exec failed: exit status 1"] k1@0:knock`,
			`grant 203.0.113.9 ssh 0-30000 tcp/22 "" false`,
		}},
		{"is a grant of a person", func(s story) {
			s.Events([]engine.Event{{Kind: engine.EventRefuse, Time: noon, Source: tom, Reason: engine.NotGranted}})
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := story{page.NewCollector(0)}
			test.tell(s)
			want := strings.Join(test.lines, "\n")
			if want != "" {
				want += "\n"
			}
			if diff := cmp.Diff(want, text(s.Data())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestThePeriodOfAReport(t *testing.T) {
	s := story{page.NewCollector(0)}
	if d := s.Data(); !d.Begin.IsZero() || !d.End.IsZero() {
		t.Errorf("nothing happened from %v to %v", d.Begin, d.End)
	}
	s.stage(50, 1, 1)
	s.judge(20, 2, engine.Judgment{Ruling: engine.Ignored, Why: engine.OtherPort})
	s.stage(90, 3, 2)
	s.stage(70, 4, 3)
	if d := s.Data(); !d.Begin.Equal(at(20)) || !d.End.Equal(at(90)) {
		t.Errorf("from %v to %v", d.Begin, d.End)
	}
}

// A flood of first knocks makes room for no more than first knocks.
func TestAttemptsAreBounded(t *testing.T) {
	s := story{page.NewCollector(0)}
	s.stage(0, 1, 1)
	s.stage(1, 2, 2)
	s.opens(2, 3)
	s.event(3, 4, engine.Event{Kind: engine.EventMiss, Stage: 2, Stages: 3, Reason: engine.OutOfOrder})
	const more = 100
	for i := range page.MaxAttempts + more {
		var address [4]byte
		address[0], address[1], address[2], address[3] = 10, byte(i>>16), byte(i>>8), byte(i)
		s.Events([]engine.Event{{Kind: engine.EventStage, Time: at(10 + i), Packet: 10 + i, Door: "ssh", Source: netip.PrefixFrom(netip.AddrFrom4(address), 32), Stage: 1, Stages: 3}})
	}
	d := s.Data()
	if len(d.Attempts) != page.MaxAttempts || d.Left.Attempts != more+2 {
		t.Errorf("%d attempts and %d left out: expected %d and %d", len(d.Attempts), d.Left.Attempts, page.MaxAttempts, more+2)
	}
	if first := d.Attempts[0]; first.Verdict != page.Opened || first.Source != "203.0.113.9" {
		t.Errorf("the opening made room: the first is %+v", first)
	}
	if second := d.Attempts[1]; second.Verdict != page.Stopped || second.Source != "203.0.113.9" {
		t.Errorf("an attempt with two knocks made room: the second is %+v", second)
	}
	if third := d.Attempts[2]; third.Source != "10.0.0.102" {
		t.Errorf("the oldest first knocks stay: %s", third.Source)
	}
}

// Neither does a flood of longer attempts: refusals, failures and openings stay.
func TestDecisionsStay(t *testing.T) {
	s := story{page.NewCollector(0)}
	s.event(0, 1, engine.Event{Kind: engine.EventError, Script: "ssh.lua", Line: 14, Detail: "nil"})
	s.event(1, 2, engine.Event{Kind: engine.EventRefuse, Reason: engine.Limited})
	s.opens(2, 3)
	for i := range page.MaxAttempts {
		s.event(10+i, 10+i, engine.Event{Kind: engine.EventMiss, Stage: 2, Stages: 3, Reason: engine.OutOfOrder})
	}
	d := s.Data()
	for i, want := range []page.Verdict{page.Failed, page.Refused, page.Opened, page.Stopped} {
		if got := d.Attempts[i].Verdict; got != want {
			t.Errorf("attempt %d is %d: expected %d", i, got, want)
		}
	}
	if d.Left.Attempts != 3 {
		t.Errorf("%d attempts are left out: expected 3", d.Left.Attempts)
	}
}
