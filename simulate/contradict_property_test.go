package simulate

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// opened puts an opening before the packets, at least until its grant has ended. Number is that of
// its first TCP segment.
func (t *try) opened(source string, number int) {
	var before []sent
	for i, k := range t.door.Sequence {
		before = append(before, sent{at: time.Duration(i) * 200 * time.Millisecond, source: source, port: k.Port, number: number + i, to: t.right()})
	}
	t.later(0, 40*time.Second)
	t.packets = slices.Insert(t.packets, 0, before...)
}

// A replay contradicts nothing that is said of two faults in one try, when another source opened
// before, or the same one did: what is suggested opens, and no knock that came is denied.
func TestNothingIsSaidThatAReplayContradicts(t *testing.T) {
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	file := filepath.Join(t.TempDir(), "capture")
	said, total := 0, 0
	for seed := uint64(100_000); total < 300; seed++ {
		one := newTry(seed)
		one.file = file
		for range 2 {
			name := names[one.random.IntN(len(names))]
			if len(one.packets) > 2 && faults[name](one) {
				one.fault += name + ", "
			}
		}
		before := 0
		switch one.random.IntN(3) {
		case 0:
			one.opened("203.0.113.9", 200)
			before, one.fault = 1, one.fault+"after an opening"
		case 1:
			one.opened("198.51.100.7", 300)
			one.fault += "after an opening of another source"
		}
		slices.SortStableFunc(one.packets, func(a, b sent) int { return int(a.at - b.at) })
		a := one.run(t)
		if a == nil || a.Opens > before {
			continue
		}
		total++
		for _, line := range a.Lines {
			one.denies(t, seed, line, before)
		}
		if a.Suggestion == "" {
			continue
		}
		said++
		lines := one.lines()
		one.follow(t, a.Suggestion)
		if again := one.run(t); again == nil || again.Opens <= before {
			t.Fatalf("seed %d, %s: %q does not open\nsequence %v\n%sso\n%s%v", seed, one.fault, a.Suggestion, one.door.Sequence, lines, one.lines(), a.Lines)
		}
	}
	if 3*said < total {
		t.Errorf("%d suggestions for %d tries", said, total)
	}
}

// denies fails when a line says that a knock did not come, and the client sent a packet to its port
// behind its opening. A packet that cannot be read and went elsewhere is unknown to the account.
func (t *try) denies(tt *testing.T, seed uint64, line string, openings int) {
	tt.Helper()
	absent := ""
	if _, rest, stopped := strings.Cut(line, "stopped at "); stopped {
		if name, _, ok := strings.Cut(rest, " did not come"); ok && !strings.Contains(rest, "; one came (") {
			_, absent, _ = strings.Cut(name, ": ")
		}
	} else if never, _, ok := strings.Cut(line, " did not"); ok && strings.Contains(line, "never began: ") {
		absent = never[strings.LastIndexAny(never, ";:")+1:]
	}
	for _, name := range strings.Split(absent, ", ") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		for i, p := range t.packets {
			if p.how != "" && (p.to != "" || t.door.Target.IsValid()) {
				continue
			}
			if p.source == "203.0.113.9" && p.port.String() == name && (openings == 0 || p.at >= 40*time.Second) {
				tt.Errorf("seed %d, %s: %q, but packet %d is %v\nsequence %v\n%s", seed, t.fault, line, i+1, p.port, t.door.Sequence, t.lines())
				return
			}
		}
	}
}
