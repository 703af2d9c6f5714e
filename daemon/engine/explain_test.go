package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// An explained world collects the judgments of its engine, one line each.
type explained struct {
	*world
	said []string
}

func newExplained(t *testing.T, doors ...*Door) *explained {
	w := &explained{world: newWorld(t, doors...)}
	w.e.Explain(func(j *Judgment) { w.said = append(w.said, briefJudgment(j)) })
	return w
}

// judged compares what was said since the last call.
func (w *explained) judged(lines ...string) {
	w.t.Helper()
	got := append([]string{}, w.said...)
	w.said = nil
	if diff := gocmp.Diff(append([]string{}, lines...), got); diff != "" {
		w.t.Errorf("judgments (-want +got):\n%s", diff)
	}
}

var rulingNames = [...]string{"?", "ignored", "began", "advanced", "finished", "repeated", "disturbed", "too late", "ended", "let in", "kept out"}

var whyNames = [...]string{
	"", "other destination", "other flags", "other protocol", "other port", "other bytes", "out of turn", "tripwire",
	"copy", "resent", "impossible", "stray", "evicted",
}

// briefJudgment writes a judgment in one line: the packet, the ruling and why, the door, the port,
// the knocks before and after, the awaited knock, and whatever else is set.
func briefJudgment(j *Judgment) string {
	parts := []string{fmt.Sprint(j.Packet), rulingNames[j.Ruling]}
	add := func(set bool, format string, args ...any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(j.Why != NoWhy, "(%s)", whyNames[j.Why])
	add(j.Door != nil, "at %s", nameOf(j.Door))
	add(j.Came.Number != 0, "%v", j.Came)
	add(j.Before+j.Stage > 0, "%d>%d", j.Before, j.Stage)
	add(j.Awaited != Knock{}, "awaited %v", j.Awaited.Port)
	add(j.Original != Origin{}, "original %d", j.Original.Packet)
	add(j.Late != 0, "late %v", j.Late)
	add(j.Left != 0, "left %v", j.Left)
	add(j.Reason != "", "%s", j.Reason)
	add(j.Detail != "", "%q", j.Detail)
	add(!j.Until.IsZero(), "until %v", j.Until.Sub(monday))
	add(j.Grant != 0, "#%d", j.Grant)
	add(!j.Since.IsZero(), "since %v", j.Since.Sub(monday))
	return strings.Join(parts, " ")
}

func nameOf(d *Door) string {
	if d == nil {
		return ""
	}
	return d.Name
}

func TestEachKnockIsJudged(t *testing.T) {
	w := newExplained(t, guarding(t, aDoor(t, "ssh", "tcp/7421", "udp/9133", "tcp/2904"), "tcp/22"))
	w.knock(alice, "tcp/7421")
	w.advance(time.Second)
	w.knock(alice, "udp/9133", "udp/9133", "tcp/2904")
	w.judged("1 began at ssh tcp/7421 0>1 awaited tcp/7421", "2 advanced at ssh udp/9133 1>2 awaited udp/9133",
		"3 repeated at ssh udp/9133 2>2 awaited tcp/2904", "4 finished at ssh tcp/2904 2>3 awaited tcp/2904 left 9s")

	t.Log("# a wrong knock, and one that falls back to a beginning")
	w.knock(alice, "tcp/7421", "tcp/2904", "tcp/7421", "udp/9133", "tcp/7421")
	w.judged("5 began at ssh tcp/7421 0>1 awaited tcp/7421", "6 disturbed (out of turn) at ssh tcp/2904 1>0 awaited udp/9133 out_of_order",
		"7 began at ssh tcp/7421 0>1 awaited tcp/7421", "8 advanced at ssh udp/9133 1>2 awaited udp/9133",
		"9 disturbed (out of turn) at ssh tcp/7421 2>1 awaited tcp/2904 out_of_order")

	t.Log("# too late for the second knock: the deadline was 10 s after the start")
	w.advance(11 * time.Second)
	w.knock(alice, "udp/9133")
	w.judged("0 ended at ssh 1>0 awaited udp/9133 total_timeout", "10 too late at ssh udp/9133 awaited udp/9133 late 1s")

	t.Log("# too late for the last one, after a timer ended the attempt")
	w.knock(alice, "tcp/7421", "udp/9133")
	w.tick(10 * time.Second)
	w.advance(100 * time.Millisecond)
	w.knock(alice, "tcp/7421", "tcp/2904")
	w.judged("11 began at ssh tcp/7421 0>1 awaited tcp/7421", "12 advanced at ssh udp/9133 1>2 awaited udp/9133",
		"0 ended at ssh 2>0 awaited tcp/2904 total_timeout", "13 began at ssh tcp/7421 0>1 awaited tcp/7421",
		"14 disturbed (out of turn) at ssh tcp/2904 1>0 awaited udp/9133 out_of_order")

	t.Log("# the capture ends")
	w.knock(alice, "tcp/7421")
	w.knock(bob, "tcp/7421", "udp/9133")
	w.record(w.e.End(w.now, w.now))
	w.judged("15 began at ssh tcp/7421 0>1 awaited tcp/7421", "16 began at ssh tcp/7421 0>1 awaited tcp/7421",
		"17 advanced at ssh udp/9133 1>2 awaited udp/9133", "0 ended at ssh 2>0 awaited tcp/2904 end_of_capture",
		"0 ended at ssh 1>0 awaited udp/9133 end_of_capture")
}
