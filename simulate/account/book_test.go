package account

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var tom, eve = netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("198.51.100.7")

// door returns a door for a sequence of TCP ports that guards tcp/22.
func door(name string, ports ...uint16) *engine.Door {
	d := &engine.Door{Name: name, Within: 8 * time.Second, StepTimeout: 3 * time.Second, Guards: []packet.Port{tcp(22)}}
	for _, port := range ports {
		d.Sequence = append(d.Sequence, engine.Knock{Port: tcp(port), Flags: engine.SYN})
	}
	return d
}

func tcp(number uint16) packet.Port { return packet.Port{Proto: packet.TCP, Number: number} }

// A teller gives a book the judgments and events of one source at one door, as an engine does.
type teller struct {
	*Book
	door   *engine.Door
	source netip.Addr
	number int
}

func tell(d *engine.Door) *teller { return &teller{Book: New(), door: d, source: tom} }

// judge gives the judgment about the next packet, which comes at so many milliseconds.
func (b *teller) judge(ms int, j engine.Judgment) {
	b.number++
	j.Time, j.Packet, j.Source = noon.Add(time.Duration(ms)*time.Millisecond), b.number, b.source
	if j.Door == nil && j.Why != engine.ResentSegment && j.Why != engine.CopyOfPacket {
		j.Door = b.door
	}
	b.Judge(&j)
}

// opens gives the judgments and the events of a sequence of one knock.
func (b *teller) opens(ms int, grant uint64) {
	b.judge(ms, engine.Judgment{Ruling: engine.Finished, Stage: 1})
	at := noon.Add(time.Duration(ms) * time.Millisecond)
	from := netip.PrefixFrom(b.source, b.source.BitLen())
	b.Events([]engine.Event{
		{Kind: engine.EventOpen, Door: b.door.Name, Source: from, Packet: b.number, Time: at},
		{Kind: engine.EventEffect, Effect: engine.EffectAllow, Door: b.door.Name, Source: from, Packet: b.number, Time: at,
			ID: grant, Grant: grant, Port: tcp(22), TTL: 30 * time.Second},
	})
}

// writes compares the text, without source and door.
func (b *teller) writes(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for a := range b.All() {
		got = append(got, a.Lines...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func TestGuardedPorts(t *testing.T) {
	letIn := engine.Judgment{Ruling: engine.LetIn, Came: tcp(22), Grant: 1}
	keptOut := engine.Judgment{Ruling: engine.KeptOut, Came: tcp(22)}
	ended := engine.Judgment{Ruling: engine.KeptOut, Came: tcp(22), Grant: 1, Since: noon.Add(30 * time.Second)}
	const opening = "opened (packet %d): tcp/22 for 30s"
	for _, test := range []struct {
		name string
		tell func(b *teller)
		want []string
	}{
		{"after the opening", func(b *teller) { b.opens(0, 1); b.judge(10, letIn) },
			[]string{fmt.Sprintf(opening, 1), "tcp/22: let in (packet 2, grant 1)"}},
		{"several times", func(b *teller) { b.opens(0, 1); b.judge(10, letIn); b.judge(20, letIn) },
			[]string{fmt.Sprintf(opening, 1), "tcp/22: let in 2 times, first (packet 2, grant 1)"}},
		{"after its end", func(b *teller) { b.opens(0, 1); b.judge(30_500, ended) },
			[]string{fmt.Sprintf(opening, 1), "tcp/22: dropped (packet 2): grant 1 ended 500ms before"}},
		{"too early", func(b *teller) { b.judge(0, keptOut); b.opens(3, 1) },
			[]string{fmt.Sprintf(opening, 2), "tcp/22: dropped (packet 1): knocked 3ms later (packet 2)"}},
		{"too early, and again", func(b *teller) {
			b.judge(0, keptOut)
			b.judge(1, keptOut)
			b.opens(3, 1)
			b.judge(4, letIn)
		},
			[]string{fmt.Sprintf(opening, 3), "tcp/22: dropped 2 times, last (packet 2): knocked 2ms later (packet 3)", "tcp/22: let in (packet 4, grant 1)"}},
		{"long before", func(b *teller) { b.judge(0, keptOut); b.opens(61_000, 1) },
			[]string{fmt.Sprintf(opening, 2), "tcp/22: dropped (packet 1): no grant"}},
		{"and no knock", func(b *teller) { b.judge(0, keptOut) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := tell(door("ssh", 7000))
			test.tell(b)
			b.writes(t, test.want...)
		})
	}
}

func TestPacketsThatCameBefore(t *testing.T) {
	again := func(why engine.Why, port uint16, original int) engine.Judgment {
		return engine.Judgment{Ruling: engine.Ignored, Why: why, Came: tcp(port), Original: engine.Origin{Packet: original}}
	}
	const cause = " (same source port and sequence number), and no knock; a client that knocks again must choose others (scapy: sport=RandShort())"
	const twice = ": captured twice, as on a bridge and its port; a copy is no knock"
	const stopped = "stopped at 1 of 3: tcp/8000 did not come before the capture ended"
	begins := engine.Judgment{Ruling: engine.Began, Stage: 1}
	for _, test := range []struct {
		name string
		tell func(b *teller)
		want []string
	}{
		{"a retransmit", func(b *teller) { b.judge(0, begins); b.judge(1, again(engine.ResentSegment, 7000, 1)) },
			[]string{stopped, "packet 2 is a retransmit of packet 1" + cause}},
		{"several", func(b *teller) {
			b.judge(0, begins)
			for i, port := range []uint16{7000, 8000, 9000, 443} {
				b.judge(i, again(engine.ResentSegment, port, i+1))
			}
		}, []string{stopped, "packets 2-4 are retransmits of packets 1-3" + cause}},
		{"copies", func(b *teller) {
			b.judge(0, begins)
			b.judge(1, again(engine.CopyOfPacket, 7000, 1))
			b.judge(2, again(engine.CopyOfPacket, 7000, 1))
		}, []string{stopped, "packets 2-3 are copies of packet 1" + twice}},
		{"at the moment of the opening", func(b *teller) {
			b.opens(0, 1)
			b.judge(0, again(engine.ResentSegment, 7000, 1))
			b.judge(1, again(engine.ResentSegment, 7000, 1))
		}, []string{"opened (packet 1): tcp/22 for 30s", "packets 2-3 are retransmits of packet 1" + cause}},
		{"before the opening", func(b *teller) {
			b.judge(0, again(engine.ResentSegment, 7000, 1))
			b.judge(0, again(engine.ResentSegment, 7000, 1))
			b.opens(0, 1)
		}, []string{"opened (packet 3): tcp/22 for 30s"}},
		{"before anything else", func(b *teller) { b.judge(1, again(engine.ResentSegment, 7000, 1)) }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := tell(door("ssh", 7000, 8000, 9000))
			test.tell(b)
			b.writes(t, test.want...)
		})
	}
}

// What an honest client sends after its opening needs no word: one segment again, or copies.
func TestPacketsThatCameBeforeAnOpening(t *testing.T) {
	b := tell(door("ssh", 7000))
	again := engine.Judgment{Ruling: engine.Ignored, Why: engine.ResentSegment, Came: tcp(7000), Original: engine.Origin{Packet: 1}}
	b.judge(0, again)
	b.opens(1, 1)
	b.judge(2, again)
	b.writes(t, "opened (packet 2): tcp/22 for 30s")
}

// In a row of refusals over a limit only the first has an event.
func TestRefusalsOverALimit(t *testing.T) {
	b := tell(door("ssh", 7000))
	for i := range 3 {
		b.judge(i*1000, engine.Judgment{
			Ruling: engine.Finished, Stage: 1, Reason: engine.Limited, Detail: "1/h", Until: noon.Add(time.Hour),
		})
		if i == 0 {
			b.Events([]engine.Event{{
				Kind: engine.EventRefuse, Door: "ssh", Source: netip.PrefixFrom(tom, 32), Packet: 1, Reason: engine.Limited, Detail: "1/h",
			}})
		}
	}
	b.writes(t, "refused 3 times, last (packet 3): limit: 1/h, until 13:00:00.000")
}

// Of several attempts the furthest counts, and of equals the latest. Of several openings the least
// time counts that one had left.
func TestSeveralAttempts(t *testing.T) {
	b := tell(door("ssh", 7000, 8000, 9000))
	for i, before := range []int{1, 2, 2, 1} {
		b.judge(i, engine.Judgment{Ruling: engine.Disturbed, Before: before, Reason: engine.OutOfOrder, Came: tcp(7000), Awaited: b.door.Sequence[before]})
	}
	b.writes(t, "stopped 4 times, the furthest at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected")
	b = tell(door("ssh", 7000, 8000, 9000))
	for i, left := range []time.Duration{2 * time.Second, 300 * time.Millisecond, time.Second} {
		b.judge(i, engine.Judgment{Ruling: engine.Finished, Before: 2, Stage: 3, Left: left, Limit: engine.StepTimeout})
		b.Events([]engine.Event{{Kind: engine.EventOpen, Door: "ssh", Source: netip.PrefixFrom(tom, 32), Packet: b.number}})
	}
	b.writes(t, "opened 3 times, first (packet 1), at least 300ms of step_timeout 3s left")
}

// A source that comes no further than before does not become the newest of its rank.
func TestTheOldestOfARankMakesRoom(t *testing.T) {
	b := tell(door("ssh", 7000, 8000))
	begins := engine.Judgment{Ruling: engine.Began, Stage: 1}
	for _, source := range []netip.Addr{tom, eve, tom} {
		b.source = source
		b.judge(0, begins)
	}
	b.drop()
	if b.find(tom, "ssh") != nil || b.find(eve, "ssh") == nil {
		t.Error("the source that came first stayed, and the other did not")
	}
}

func TestALimitUntilAnotherDay(t *testing.T) {
	b := tell(door("ssh", 7000))
	b.judge(0, engine.Judgment{Ruling: engine.Finished, Stage: 1, Reason: engine.Limited, Detail: "1/d", Until: noon.Add(24 * time.Hour)})
	b.writes(t, "refused (packet 1): limit: 1/d, until 2026-03-03 12:00:00.000")
}

// A million sources that knock once, and many that try a guarded port, must not replace those
// that came further, and need no more memory than the bounds allow.
func TestAMillionSources(t *testing.T) {
	b := tell(door("ssh", 7000, 8000, 9000))
	b.judge(0, engine.Judgment{Ruling: engine.Began, Stage: 1})
	b.judge(1, engine.Judgment{Ruling: engine.Advanced, Before: 1, Stage: 2})
	b.judge(2, engine.Judgment{Ruling: engine.Disturbed, Before: 2, Reason: engine.OutOfOrder, Came: tcp(7000), Awaited: b.door.Sequence[2]})
	const flood = 1_000_000
	for i := range flood / 5 {
		b.source = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		b.judge(3, engine.Judgment{Ruling: engine.KeptOut, Came: tcp(22)})
		if len(b.sources) > MaxSources {
			t.Fatalf("%d sources are kept, want at most %d", len(b.sources), MaxSources)
		}
	}
	for i := range flood {
		b.source = netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
		b.judge(3, engine.Judgment{Ruling: engine.Began, Stage: 1})
	}
	if len(b.byDoor) != MaxSources || len(b.sources) != MaxSources {
		t.Errorf("%d records of %d sources are kept, want %d of each", len(b.byDoor), len(b.sources), MaxSources)
	}
	var text strings.Builder
	if err := b.Write(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != shown+1 {
		t.Fatalf("%d lines, want %d", len(lines), shown+1)
	}
	if want := "203.0.113.9      ssh  stopped at 2 of 3: tcp/7000 came (packet 3), tcp/9000 was expected"; lines[0] != want {
		t.Errorf("the first line is %q, want %q", lines[0], want)
	}
	if want := "and 65,516 more sources; 934,465 accounts that came no further were not kept"; lines[shown] != want {
		t.Errorf("the last line is %q, want %q", lines[shown], want)
	}
	if got := b.Unopened(2); len(got) != 2 || got[0] != tom {
		t.Errorf("the sources that opened nothing begin with %v, want %v", got, tom)
	}
}

// One source that knocks at many doors cannot need unbounded memory either.
func TestManyDoors(t *testing.T) {
	b := tell(nil)
	for i := range maxRecords + 10 {
		b.judge(0, engine.Judgment{Ruling: engine.Began, Stage: 1, Door: &engine.Door{Name: strconv.Itoa(i)}})
	}
	if len(b.byDoor) > maxRecords {
		t.Errorf("%d records are kept, want at most %d", len(b.byDoor), maxRecords)
	}
}

// Text and JSON have the same words, and whatever judgments come, no account contradicts itself.
func TestWhateverJudgmentsCome(t *testing.T) {
	doors := []*engine.Door{door("ssh", 7000, 8000, 9000), door("web", 80, 81)}
	doors[1].Observe = true
	rapid.Check(t, func(t *rapid.T) {
		b := New()
		for n := range rapid.IntRange(0, 60).Draw(t, "packets") {
			b.Judge(anyJudgment(t, doors, n+1))
		}
		if rapid.Bool().Draw(t, "recording") {
			b.End(noon.Add(time.Minute), rapid.Bool().Draw(t, "running"))
		}
		var text, lines bytes.Buffer
		if err := b.Write(&text); err != nil {
			t.Fatal(err)
		}
		j := transcript.NewJSON(&lines)
		for a := range b.All() {
			j.Line(a.Pairs()...)
			if a.Best > a.Stages || a.Result == ResultStopped && a.Reason == "" {
				t.Errorf("%+v contradicts itself", a)
			}
			for _, line := range a.Lines {
				if !strings.Contains(text.String(), line) {
					t.Errorf("the text has no line %q", line)
				}
			}
		}
		if err := j.Flush(); err != nil {
			t.Fatal(err)
		}
		if all := slices.Collect(b.All()); strings.Count(lines.String(), "\n") != len(all) {
			t.Errorf("%d accounts in lines\n%s", len(all), lines.String())
		}
	})
}

// anyJudgment draws a judgment, which need not make sense beside those before it.
func anyJudgment(t *rapid.T, doors []*engine.Door, number int) *engine.Judgment {
	d := rapid.SampledFrom(doors).Draw(t, "door")
	stage := func(name string) int { return rapid.IntRange(0, len(d.Sequence)).Draw(t, name) }
	j := &engine.Judgment{
		Time: noon.Add(time.Duration(number) * time.Second), Packet: number, Door: d,
		Source: rapid.SampledFrom([]netip.Addr{tom, eve}).Draw(t, "source"),
		Ruling: engine.Ruling(rapid.IntRange(1, int(engine.KeptOut)).Draw(t, "ruling")),
		Why:    engine.Why(rapid.IntRange(0, int(engine.GaveNothing)).Draw(t, "why")),
		Before: stage("before"), Stage: stage("stage"), Came: tcp(7000), Awaited: d.Sequence[0],
		Late: time.Duration(rapid.IntRange(0, 2).Draw(t, "late")), Left: time.Duration(rapid.IntRange(0, 2).Draw(t, "left")),
		Grant: uint64(rapid.IntRange(0, 2).Draw(t, "grant")),
	}
	if j.Ruling == engine.Disturbed || j.Ruling == engine.Ended {
		j.Reason = rapid.SampledFrom([]engine.Reason{engine.TotalTimeout, engine.StepTimeout, engine.OutOfOrder, engine.Reloaded, engine.Tripwire}).Draw(t, "reason")
	}
	return j
}

func TestAListenerThatGaveNothing(t *testing.T) {
	b := tell(door("beacon", 7000))
	b.judge(0, engine.Judgment{Ruling: engine.Finished, Why: engine.GaveNothing, Stage: 1, Came: tcp(7000)})
	b.writes(t, "on_knock gave no access (packet 1)")
	for a := range b.All() {
		if a.Result != ResultRefused || a.Reason != "gave_nothing" || a.Packet != 1 || a.Refusals != 0 {
			t.Errorf("result %s, reason %q, packet %d, %d refusals", a.Result, a.Reason, a.Packet, a.Refusals)
		}
	}
	b.opens(1, 1)
	b.writes(t, "opened (packet 2): tcp/22 for 30s", "on_knock gave no access (packet 1)")
}
