package engine

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
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
	"copy", "resent", "impossible", "stray", "evicted", "gave nothing",
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
	add(!j.Deadline.IsZero(), "until %v", j.Deadline.Sub(monday))
	add(j.Limit != "", "%s", j.Limit)
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
	w.judged("1 began at ssh tcp/7421 0>1 awaited tcp/7421 until 10s total_timeout", "2 advanced at ssh udp/9133 1>2 awaited udp/9133 until 10s total_timeout",
		"3 repeated at ssh udp/9133 2>2 awaited tcp/2904 until 10s total_timeout", "4 finished at ssh tcp/2904 2>3 awaited tcp/2904 left 9s total_timeout")

	t.Log("# a wrong knock, and one that falls back to a beginning")
	w.knock(alice, "tcp/7421", "tcp/2904", "tcp/7421", "udp/9133", "tcp/7421")
	w.judged("5 began at ssh tcp/7421 0>1 awaited tcp/7421 until 11s total_timeout", "6 disturbed (out of turn) at ssh tcp/2904 1>0 awaited udp/9133 out_of_order",
		"7 began at ssh tcp/7421 0>1 awaited tcp/7421 until 11s total_timeout", "8 advanced at ssh udp/9133 1>2 awaited udp/9133 until 11s total_timeout",
		"9 disturbed (out of turn) at ssh tcp/7421 2>1 awaited tcp/2904 until 11s total_timeout out_of_order")

	t.Log("# too late for the second knock: the deadline was 10 s after the start")
	w.advance(11 * time.Second)
	w.knock(alice, "udp/9133")
	w.judged("0 ended at ssh 1>0 awaited udp/9133 total_timeout", "10 too late at ssh udp/9133 1>1 awaited udp/9133 late 1s total_timeout")

	t.Log("# too late for the last one, after a timer ended the attempt")
	w.knock(alice, "tcp/7421", "udp/9133")
	w.tick(10 * time.Second)
	w.advance(100 * time.Millisecond)
	w.knock(alice, "tcp/7421", "tcp/2904")
	w.judged("11 began at ssh tcp/7421 0>1 awaited tcp/7421 until 22s total_timeout", "12 advanced at ssh udp/9133 1>2 awaited udp/9133 until 22s total_timeout",
		"0 ended at ssh 2>0 awaited tcp/2904 total_timeout", "13 began at ssh tcp/7421 0>1 awaited tcp/7421 until 32.1s total_timeout",
		"14 disturbed (out of turn) at ssh tcp/2904 1>0 awaited udp/9133 out_of_order")

	t.Log("# the capture ends")
	w.knock(alice, "tcp/7421")
	w.knock(bob, "tcp/7421", "udp/9133")
	w.record(w.e.End(w.now, w.now))
	w.judged("15 began at ssh tcp/7421 0>1 awaited tcp/7421 until 32.1s total_timeout", "16 began at ssh tcp/7421 0>1 awaited tcp/7421 until 32.1s total_timeout",
		"17 advanced at ssh udp/9133 1>2 awaited udp/9133 until 32.1s total_timeout", "0 ended at ssh 2>0 awaited tcp/2904 end_of_capture",
		"0 ended at ssh 1>0 awaited udp/9133 end_of_capture")
}

func TestPacketsThatAreNearlyKnocksAreJudged(t *testing.T) {
	ssh := guarding(t, aDoor(t, "ssh", "tcp/7421", "udp/9133", "tcp/2904"), "tcp/22")
	there := aDoor(t, "there", "tcp/500", "tcp/501")
	there.Target = netip.MustParseAddr("198.51.100.77")
	w := newExplained(t, ssh, there)
	w.record(w.e.Local(w.now, []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}))
	say := func(port, dest string, flags packet.Flags) {
		p := w.packet(alice, port)
		p.Dest, p.Flags = netip.MustParseAddr(dest), flags
		w.e.Unwatched(&p)
	}
	const here, other, elsewhere = "198.51.100.1", "198.51.100.77", "198.51.100.2"

	t.Log("# without an attempt")
	say("tcp/7421", here, packet.SYN|packet.ACK)
	say("udp/7421", here, 0)
	say("tcp/7421", elsewhere, packet.SYN)
	say("tcp/500", here, packet.SYN)
	say("tcp/9999", here, packet.SYN)
	say("tcp/9999", elsewhere, packet.SYN)
	say("tcp/500", other, packet.SYN|packet.ACK)
	say("udp/7421", elsewhere, 0)
	w.judged("1 ignored (other flags) at ssh tcp/7421 awaited tcp/7421", "2 ignored (other protocol) at ssh udp/7421 awaited tcp/7421",
		"3 ignored (other destination) at ssh tcp/7421 awaited tcp/7421", "4 ignored (other destination) at there tcp/500 awaited tcp/500",
		"5 ignored (other port) tcp/9999", "6 ignored (other destination) tcp/9999",
		"7 ignored (other flags) at there tcp/500 awaited tcp/500", "8 ignored (other destination) udp/7421")

	t.Log("# a later knock, without an attempt")
	w.knock(alice, "tcp/2904")
	w.judged("9 ignored (out of turn) at ssh tcp/2904 awaited tcp/7421")

	t.Log("# with an attempt")
	w.knock(alice, "tcp/7421")
	say("tcp/9133", here, packet.SYN)
	say("udp/9134", here, 0)
	say("tcp/9134", here, packet.ACK)
	w.judged("10 began at ssh tcp/7421 0>1 awaited tcp/7421 until 10s total_timeout",
		"11 ignored (other protocol) at ssh tcp/9133 1>1 awaited udp/9133",
		"12 ignored (other port) at ssh udp/9134 1>1 awaited udp/9133", "13 ignored (other port) tcp/9134")

	t.Log("# after its time, which the engine has not noticed")
	w.advance(11 * time.Second)
	say("tcp/9133", here, packet.SYN)
	say("udp/9133", here, 0) // a filter would give it to Packet
	w.judged("14 ignored (other protocol) at ssh tcp/9133 awaited tcp/7421", "15 too late at ssh udp/9133 1>1 awaited udp/9133 late 1s total_timeout")
}

func TestPacketsToGuardedPortsAreJudged(t *testing.T) {
	w := newExplained(t, guarding(t, aDoor(t, "web", "udp/501"), "tcp/22"), guarding(t, aDoor(t, "ssh", "udp/500"), "tcp/22", "udp/53"))
	connect := func(source, port string) {
		p := w.packet(source, port)
		w.e.Unwatched(&p)
	}
	connect(alice, "tcp/22")
	connect(alice, "udp/53")
	w.knock(alice, "udp/500")
	connect(alice, "tcp/22")
	connect(bob, "tcp/22")
	w.advance(31 * time.Second)
	connect(alice, "tcp/22")
	w.tick(time.Second)
	connect(alice, "tcp/22")
	w.judged("1 kept out at web tcp/22", "2 kept out at ssh udp/53", "3 finished at ssh udp/500 0>1 awaited udp/500",
		"4 let in at ssh tcp/22 #1", "5 kept out at web tcp/22", "6 kept out at ssh tcp/22 #1 since 30s", "7 kept out at ssh tcp/22 #1 since 30s")
}

func TestWhyAPacketIsNoKnockOfAnyDoor(t *testing.T) {
	w := newExplained(t, aDoor(t, "ssh", "tcp/7421", "tcp/9133", "tcp/2904"))
	p := w.packet(alice, "tcp/7421")
	w.e.Packet(&p)
	p.Number, p.Time = 2, w.now.Add(time.Second)
	w.e.Packet(&p)
	p = w.packet(alice, "tcp/7421")
	p.Number, p.Flags = 3, packet.SYN|packet.RST
	w.e.Packet(&p)
	p = w.packet(alice, "tcp/9999")
	p.Number = 4
	w.e.Unwatched(&p)
	p.Number = 5
	w.e.Unwatched(&p)
	w.judged("1 began at ssh tcp/7421 0>1 awaited tcp/7421 until 10s total_timeout", "2 ignored (resent) tcp/7421 original 1",
		"3 ignored (impossible) tcp/7421", "4 ignored (other port) at ssh tcp/9999 1>1 awaited tcp/9133", "5 ignored (resent) tcp/9999 original 4")
}

func TestRefusalsAreJudged(t *testing.T) {
	d := guarding(t, aDoor(t, "ssh", "udp/500"), "tcp/22")
	d.Limit = &Limit{Count: 2, Per: time.Minute, PerSource: true, Text: "2 per minute"}
	w := newExplained(t, d)
	w.knock(alice, "udp/500", "udp/500", "udp/500", "udp/500")
	w.judged("1 finished at ssh udp/500 0>1 awaited udp/500", "2 finished at ssh udp/500 0>1 awaited udp/500",
		`3 finished at ssh udp/500 0>1 awaited udp/500 limit "2 per minute" until 30s`,
		`4 finished at ssh udp/500 0>1 awaited udp/500 limit "2 per minute" until 30s`)
	w.got = nil
	w.tick(30*time.Second - 1)
	w.knock(alice, "udp/500")
	w.advance(1)
	w.knock(alice, "udp/500")
	w.judged(`5 finished at ssh udp/500 0>1 awaited udp/500 limit "2 per minute" until 30s`, "6 finished at ssh udp/500 0>1 awaited udp/500")
}

func TestAListenerThatGivesNothingIsJudged(t *testing.T) {
	d := aDoor(t, "beacon", "udp/500")
	d.Listen = true
	given := []Decision{{}, {Operations: []Operation{Allow{}}}, {Verdict: Verdict{Outcome: No}, Refused: true}, {Operations: []Operation{Log{Text: "no token"}}}}
	d.Guards, d.Handler = ports(t, "tcp/22"), handlerFunc(func(*Call) (Decision, error) {
		next := given[0]
		given = given[1:]
		return next, nil
	})
	w := newExplained(t, d)
	w.knock(alice, "udp/500", "udp/500", "udp/500", "udp/500")
	w.judged("1 finished (gave nothing) at beacon udp/500 0>1", "2 finished at beacon udp/500 0>1", "3 finished at beacon udp/500 0>1 when", "4 finished (gave nothing) at beacon udp/500 0>1")
}
