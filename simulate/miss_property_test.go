package simulate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate/account"
	"sesame/simulate/pcaptest"
)

// A sent packet is one line of a capture.
type sent struct {
	at     time.Duration
	source string
	port   packet.Port
	flags  string // "": those of an ordinary packet
	to     string // "": this host
	how    string // "snap=48" or "fragment=first"
	number int    // of the TCP segment
}

// A try is packets of a client at a door, and what is wrong with them.
type try struct {
	random  *rand.Rand
	door    *engine.Door
	packets []sent
	fault   string
	file    string // where the capture is written
}

// newTry returns packets that open a door at once.
func newTry(seed uint64) *try {
	t := &try{random: rand.New(rand.NewPCG(13, seed)), door: door("ssh")}
	used := map[uint16]bool{}
	at := time.Duration(t.random.IntN(3000)) * time.Millisecond
	for range 3 + t.random.IntN(3) {
		port := packet.Port{Proto: packet.TCP, Number: uint16(1024 + t.random.IntN(20000))}
		if t.random.IntN(3) == 0 {
			port.Proto = packet.UDP
		}
		if used[port.Number] {
			continue
		}
		used[port.Number] = true
		t.door.Sequence = append(t.door.Sequence, engine.Knock{Port: port, Flags: engine.SYN})
		t.packets = append(t.packets, sent{at: at, source: "203.0.113.9", port: port, number: len(t.packets) + 1})
		at += time.Duration(100+t.random.IntN(900)) * time.Millisecond
	}
	t.door.Tripwires = 64 * t.random.IntN(2)
	t.door.Strict = t.random.IntN(4) == 0
	if t.random.IntN(3) == 0 {
		t.door.StepTimeout = 2 * time.Second
	}
	return t
}

// any returns the number of a packet, and tcp that of one over TCP, -1 when there is none.
func (t *try) any() int { return t.random.IntN(len(t.packets)) }

func (t *try) tcp() int {
	from := t.any()
	for i := range t.packets {
		if at := (from + i) % len(t.packets); t.packets[at].port.Proto == packet.TCP {
			return at
		}
	}
	return -1
}

// later makes the packets from one on come later.
func (t *try) later(from int, by time.Duration) {
	for i := from; i < len(t.packets); i++ {
		t.packets[i].at += by
	}
}

// faults are what goes wrong. Each returns whether it could be done.
var faults = map[string]func(*try) bool{
	"ACK": func(t *try) bool {
		i := t.tcp()
		if i >= 0 {
			t.packets[i].flags = "ack"
		}
		return i >= 0
	},
	"all with SYN and ACK": func(t *try) bool {
		some := t.tcp() >= 0
		for i := range t.packets {
			if t.packets[i].port.Proto == packet.TCP {
				t.packets[i].flags = "syn,ack"
			}
		}
		return some
	},
	"SYN and FIN": func(t *try) bool {
		i := t.tcp()
		if i >= 0 {
			t.packets[i].flags = "syn,fin"
		}
		return i >= 0
	},
	"other protocol": func(t *try) bool {
		p := &t.packets[t.any()].port
		p.Proto = packet.TCP + packet.UDP - p.Proto
		return true
	},
	"a slip": func(t *try) bool {
		p := &t.packets[t.any()].port
		other := resembling(p.Number)
		number := other[t.random.IntN(len(other))]
		for _, k := range t.door.Sequence {
			if k.Port.Number == number {
				return false
			}
		}
		p.Number = number
		return true
	},
	"other destination": func(t *try) bool { t.packets[t.any()].to = "192.0.2.99"; return true },
	"all to another destination": func(t *try) bool {
		for i := range t.packets {
			t.packets[i].to = "192.0.2.99"
		}
		return true
	},
	"other target": func(t *try) bool { t.door.Target = netip.MustParseAddr("198.51.100.9"); return true },
	"a fragment":   func(t *try) bool { t.packets[t.any()].how = "fragment=first"; return true },
	"cut short": func(t *try) bool {
		i := t.tcp()
		if i >= 0 {
			t.packets[i].how = "snap=48"
		}
		return i >= 0
	},
	"one is missing": func(t *try) bool { i := t.any(); t.packets = slices.Delete(t.packets, i, i+1); return true },
	"two change places": func(t *try) bool {
		i := t.random.IntN(len(t.packets) - 1)
		a, b := &t.packets[i], &t.packets[i+1]
		a.port, b.port = b.port, a.port
		b.at = a.at + time.Duration(1+t.random.IntN(5))*time.Millisecond
		return true
	},
	"too slow": func(t *try) bool { t.later(1+t.random.IntN(len(t.packets)-1), 9*time.Second); return true },
	"an earlier knock again": func(t *try) bool {
		i := 1 + t.random.IntN(len(t.packets)-1)
		again := t.packets[t.random.IntN(i)]
		again.at, again.number = t.packets[i-1].at+50*time.Millisecond, 99
		t.packets = slices.Insert(t.packets, i, again)
		return true
	},
	"the rest from a neighbour": func(t *try) bool {
		for i := 1 + t.random.IntN(len(t.packets)-1); i < len(t.packets); i++ {
			t.packets[i].source = "203.0.113.10"
		}
		return true
	},
}

// lines returns the packets as a capture has them.
func (t *try) lines() string {
	var b strings.Builder
	for _, p := range t.packets {
		fmt.Fprintf(&b, "%v %s %v %s seq=%d", p.at, p.source, p.port, p.flags, 1000*p.number)
		if p.to != "" {
			fmt.Fprintf(&b, " to=%s", p.to)
		}
		fmt.Fprintf(&b, " %s\n", p.how)
	}
	return b.String()
}

// write writes the packets to the one file of all tries.
func (t *try) write(tt *testing.T) string {
	tt.Helper()
	data, err := pcaptest.Capture(t.lines())
	if err != nil {
		tt.Fatal(err)
	}
	if err := os.WriteFile(t.file, data, 0o600); err != nil {
		tt.Fatal(err)
	}
	return t.file
}

// run replays the packets, and returns the account of the client.
func (t *try) run(tt *testing.T) *account.Account {
	tt.Helper()
	report, _ := run(tt, Config{
		Captures: []string{t.write(tt)}, Set: set(t.door), Account: true,
		Local: []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32)},
	})
	for a := range report.account.All() {
		if a.Source.String() == "203.0.113.9" {
			return a
		}
	}
	return nil
}

// The forms of a suggestion.
var (
	sayWithin   = regexp.MustCompile(`^within >= (\S+)$`)
	sayStep     = regexp.MustCompile(`^step_timeout >= (\S+)$`)
	sayWithout  = regexp.MustCompile(`^without \S+ \(packet (\d+)\)$`)
	sayMissing  = regexp.MustCompile(`^(\S+) (before|after) packet (\d+)$`)
	sayOverlook = regexp.MustCompile(`^\S+ before the knock that follows it \(packet (\d+)\)$`)
	sayRepair   = regexp.MustCompile(`^(.+?) (with|in place of|to|in one piece|recorded whole|well-formed) ?(\S*) \(packets? ([\d, and]+)\)$`)
)

// follow changes the packets or the door as a suggestion says. It is written from the text alone.
func (t *try) follow(tt *testing.T, suggestion string) {
	tt.Helper()
	text, opens := strings.CutSuffix(suggestion, ": opens")
	if !opens {
		tt.Fatalf("the suggestion %q does not say that it opens", suggestion)
	}
	changed := *t.door
	t.door = &changed
	was := slices.Clone(t.packets)
	inserted := 0
	separator := "; "
	if strings.HasPrefix(text, "step_timeout") {
		separator = " and "
	}
	for _, part := range strings.Split(text, separator) {
		t.followPart(tt, part, was, &inserted)
	}
}

func duration(tt *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		tt.Fatal(err)
	}
	return d
}

// number reads the number of a packet, and returns its index.
func number(text string) int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		panic(err)
	}
	return n - 1
}

func portNamed(tt *testing.T, text string) packet.Port {
	p, err := packet.ParsePort(text)
	if err != nil {
		tt.Fatal(err)
	}
	return p
}

func (t *try) followPart(tt *testing.T, part string, was []sent, inserted *int) {
	switch part {
	case `on_wrong = "ignore"`:
		t.door.OnWrong = engine.WrongIgnored
		return
	case `duplicates = "ignore"`:
		t.door.Duplicates = engine.DuplicatesIgnored
		return
	case `duplicates = "wrong"`:
		t.door.Duplicates = engine.DuplicatesWrong
		return
	case "strict = false":
		t.door.Strict = false
		return
	case "all knocks from one address":
		for i := range t.packets {
			t.packets[i].source = "203.0.113.9"
		}
		return
	}
	if m := sayWithin.FindStringSubmatch(part); m != nil {
		t.door.Within = duration(tt, m[1])
	} else if m := sayStep.FindStringSubmatch(part); m != nil {
		t.door.StepTimeout = duration(tt, m[1])
	} else if m := sayWithout.FindStringSubmatch(part); m != nil {
		t.packets = slices.Delete(t.packets, number(m[1]), number(m[1])+1)
	} else if m := sayMissing.FindStringSubmatch(part); m != nil {
		at := number(m[3])
		one := was[at]
		one.port, one.flags, one.number, one.how, one.to = portNamed(tt, m[1]), "", 77, "", t.right()
		if m[2] == "after" {
			at++
		}
		t.packets = slices.Insert(t.packets, at, one)
		*inserted++
	} else if m := sayOverlook.FindStringSubmatch(part); m != nil {
		at := number(m[1])
		next := slices.IndexFunc(t.door.Sequence, func(k engine.Knock) bool { return k.Port == t.packets[at].port }) + 1
		before := at - 1
		for t.packets[before].port != t.door.Sequence[next].Port {
			before--
		}
		one := t.packets[at]
		one.at = t.packets[before].at
		t.packets = slices.Insert(slices.Delete(t.packets, at, at+1), before, one)
	} else if m := sayRepair.FindStringSubmatch(part); m != nil {
		subjects := strings.Split(m[1], ", ")
		for i, text := range strings.Split(strings.ReplaceAll(m[4], " and ", ", "), ",") {
			p := &t.packets[number(text)]
			if p.port = portNamed(tt, subjects[i]); m[2] == "to" {
				p.to = m[3]
			} else if m[2] == "with" && m[3] != "syn,!ack" {
				tt.Fatalf("%q: no door wants that", part)
			}
			p.flags, p.how = "", ""
		}
	} else {
		tt.Fatalf("the suggestion %q has another form", part)
	}
}

// right returns where a knock must go.
func (t *try) right() string {
	if t.door.Target.IsValid() {
		return t.door.Target.String()
	}
	return ""
}

// What an account suggests opens the door, when it is done. A thousand tries with one or two faults
// are made, and nearly all that do not open have a suggestion.
func TestWhatIsSuggestedOpens(t *testing.T) {
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	slices.Sort(names)
	missed, silent := map[string]int{}, map[string]int{}
	file := filepath.Join(t.TempDir(), "capture")
	total := 0
	for seed := uint64(0); total < 1000; seed++ {
		one := newTry(seed)
		one.file = file
		count := 1 + one.random.IntN(4)/3
		var done []string
		for range count {
			name := names[one.random.IntN(len(names))]
			if len(one.packets) > 2 && faults[name](one) {
				done = append(done, name)
			}
		}
		one.fault = strings.Join(done, ", then ")
		slices.SortStableFunc(one.packets, func(a, b sent) int { return int(a.at - b.at) })
		a := one.run(t)
		if len(done) == 0 || a != nil && a.Opens > 0 {
			continue
		}
		total++
		if len(done) == 1 {
			missed[one.fault]++
		}
		if a == nil || a.Suggestion == "" {
			if len(done) == 1 {
				silent[one.fault]++
			}
			continue
		}
		before := one.lines()
		one.follow(t, a.Suggestion)
		if again := one.run(t); again == nil || again.Opens == 0 {
			t.Fatalf("seed %d, %s: %q does not open\nsequence %v\n%sso\n%s%v", seed, one.fault, a.Suggestion, one.door.Sequence, before, one.lines(), a.Lines)
		}
	}
	for _, name := range names {
		if 10*silent[name] > missed[name] {
			t.Errorf("%s: nothing was suggested for %d of %d", name, silent[name], missed[name])
		}
	}
}
