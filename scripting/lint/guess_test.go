package lint

import (
	"encoding/binary"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
)

func port(t *testing.T, text string) packet.Port {
	t.Helper()
	protocol, number, found := strings.Cut(text, "/")
	if !found {
		protocol, number = "tcp", text
	}
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return packet.Port{Proto: map[string]packet.Proto{"tcp": packet.TCP, "udp": packet.UDP}[protocol], Number: uint16(n)}
}

// grouped returns a door of a knockd.conf, with ports such as "7000 udp/8000".
func grouped(t *testing.T, name, sequence string, flags engine.FlagTest) *engine.Door {
	t.Helper()
	d := &engine.Door{
		Name: name, File: "/etc/knockd.conf", Line: 1, Policy: engine.PolicyKnockd, Group: "/etc/knockd.conf",
		Flags: flags, Within: 5 * time.Second, TTL: time.Second, Guards: []packet.Port{{Proto: packet.TCP, Number: 22}},
	}
	for text := range strings.FieldsSeq(sequence) {
		d.Sequence = append(d.Sequence, engine.Knock{Port: port(t, text), Flags: flags})
	}
	return d
}

// syn is the tcpflags = syn of a knockd.conf.
var syn = engine.FlagTest{Set: packet.SYN}

func setOf(doors ...*engine.Door) *scripting.Set {
	return &scripting.Set{Engine: &engine.Set{Doors: doors}}
}

func TestGuesses(t *testing.T) {
	for _, test := range []struct {
		name, options string // of a door
		want          Guess
	}{
		{"one knock", `sequence = { 7000 }`,
			Guess{Knocks: 1, Combinations: "65535", Scan: Scan{Packets: 65535, Scans: "1"}}},
		{"two knocks", `sequence = { 7000, 8000 }, within = "5s", tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "2", Rate: 13107},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "2", Rate: 201}}},
		{"three knocks", `sequence = { 7000, 3000, 55000 }, within = "5s", tripwires = 0`,
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "6", Rate: 13107},
				Worst: &Scan{From: 3000, To: 55000, Packets: 52001, Scans: "6", Rate: 10401}}},
		{"three knocks with tripwires", `sequence = { 7000, 3000, 55000 }, within = "5s"`, // 66 x 67, 39 x 40
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "4422", Rate: 13107, Tripwires: 64},
				Worst: &Scan{From: 3000, To: 55000, Packets: 52001, Scans: "1560", Rate: 10401, Tripwires: 37}}},
		{"both protocols", `sequence = { 7421, "udp/9133", 2904, 6117 }, within = "8s", tripwires = 0`,
			Guess{Knocks: 4, Combinations: "18445618199572250625", Scan: Scan{Packets: 131070, Scans: "24", Rate: 16384},
				Worst: &Scan{From: 2904, To: 9133, Packets: 12460, Scans: "24", Rate: 1558}}},
		{"the same number in both protocols", `sequence = { 7000, "udp/7000" }, within = "1m", tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 131070, Scans: "2", Rate: 2185},
				Worst: &Scan{From: 7000, To: 7000, Packets: 2, Scans: "2", Rate: 1}}},
		{"the steps are limited more", `sequence = { 7000, 8000 }, within = "5s", step_timeout = "1s", tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "2", Rate: 65535},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "2", Rate: 1001}}},
		{"a port twice", `sequence = { 7000, 8000, 7000 }, tripwires = 0`,
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535}, Never: "tcp/7000 comes more than once in it"}},
		{"wrong knocks are ignored", `sequence = { 7000, 8000, 9000 }, within = "5s", on_wrong = "ignore", tripwires = 0`,
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "6", Rate: 13107, Surely: 3, SurelyRate: 39321},
				Worst: &Scan{From: 7000, To: 9000, Packets: 2001, Scans: "6", Rate: 401, Surely: 3, SurelyRate: 1201}}},
		{"wrong knocks are ignored, but tripwires are not", `sequence = { 7000, 8000, 9000 }, within = "5s", on_wrong = "ignore", tripwires = 2`,
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "20", Rate: 13107, Tripwires: 2},
				Worst: &Scan{From: 7000, To: 9000, Packets: 2001, Scans: "20", Rate: 401, Tripwires: 2}}},
		{"the range has no tripwire", `sequence = { 7000, 7001, 7002 }, within = "5s", on_wrong = "ignore", tripwires = 2`,
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "20", Rate: 13107, Tripwires: 2},
				Worst: &Scan{From: 7000, To: 7002, Packets: 3, Scans: "6", Rate: 1, Surely: 3, SurelyRate: 2}}},
		{"a port twice, and wrong knocks are ignored", `sequence = { 7000, 7000 }, within = "5s", step_timeout = "4s", on_wrong = "ignore", tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Surely: 2, SurelyRate: 32768}, Never: "tcp/7000 comes more than once in it",
				Worst: &Scan{From: 7000, To: 7000, Packets: 1, Surely: 2, SurelyRate: 1}}},
		{"strict", `sequence = { 7000, 8000, 9000 }, within = "5s", strict = true`, // all ports but the guard are in its way
			Guess{Knocks: 3, Combinations: "281462092005375", Scan: Scan{Packets: 65535, Scans: "4294639622", Rate: 13107, Tripwires: 64},
				Worst: &Scan{From: 7000, To: 9000, Packets: 2001, Scans: "4002000", Rate: 401, Tripwires: 25}}},
		{"strict, with exceptions", `sequence = { 7000, 8000 }, within = "5s", strict = true, except = { 80, 443, 22, 8000, "udp/53" }`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "65532", Rate: 13107, Tripwires: 64},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "1001", Rate: 201, Tripwires: 16}}},
		{"strict, of one knock", `sequence = { 7000 }, strict = true`,
			Guess{Knocks: 1, Combinations: "65535", Scan: Scan{Packets: 65535, Scans: "1"}}},
		{"strict minds no FIN", `sequence = { 7000, 8000 }, flags = "fin", within = "5s", strict = true, tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "2", Rate: 13107},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "2", Rate: 201}}},
		{"tripwires mind the FIN that strict does not", `sequence = { 7000, 8000 }, flags = "fin", within = "5s", strict = true, tripwires = 3`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "5", Rate: 13107, Tripwires: 3},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "3", Rate: 201, Tripwires: 1}}},
		{"strict minds the UDP packets among others", `sequence = { { 7000, flags = "fin" }, "udp/8000" }, within = "5s", strict = true, tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 131070, Scans: "65536", Rate: 26214},
				Worst: &Scan{From: 7000, To: 8000, Packets: 2002, Scans: "1002", Rate: 401}}},
		{"strict that ignores", `sequence = { 7000, 8000 }, within = "5s", strict = true, on_wrong = "ignore", tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535, Scans: "2", Rate: 13107, Surely: 2, SurelyRate: 26214},
				Worst: &Scan{From: 7000, To: 8000, Packets: 1001, Scans: "2", Rate: 201, Surely: 2, SurelyRate: 401}}},
		{"flags that no packet has together", `sequence = { 7000, { 8000, flags = "fin,!syn" } }, tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535}, Never: "its knocks ask for flags that no packet has together"}},
		{"flags that TCP does not have together", `sequence = { 7000, { 8000, flags = "fin" } }, tripwires = 0`,
			Guess{Knocks: 2, Combinations: "4294836225", Scan: Scan{Packets: 65535}, Never: "its knocks ask for flags that no packet has together"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Guesses(load(t, `sesame.door "a" { guards = 22, `+test.options+` }`))
			if len(got) != 1 || got[0].Door != "a" || got[0].File != "a.lua" || got[0].Line != 1 || got[0].From != 1 || got[0].To != 65535 {
				t.Fatalf("got %+v, want the guess of door a of a.lua:1, for all ports", got)
			}
			got[0].Door, got[0].File, got[0].Line, got[0].Within = "", "", 0, 0
			ignoredFields := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Protocols" }, cmp.Ignore())
			test.want.From, test.want.To = 1, 65535
			if diff := cmp.Diff(test.want, got[0], ignoredFields); diff != "" {
				t.Errorf("guesses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGuessesInAGroup(t *testing.T) {
	never := grouped(t, "never", "7000 8000", syn)
	never.Within = 0
	elsewhere := grouped(t, "elsewhere", "1000 2000 3000", syn)
	elsewhere.Target = netip.MustParseAddr("203.0.113.1")
	for _, test := range []struct {
		name    string
		doors   []*engine.Door
		scans   string
		atLeast bool
		why     string
	}{
		{"alone", []*engine.Door{grouped(t, "a", "7000 3000 55000 1500", syn)}, "24", false, ""},
		{"beside a door with other ports", []*engine.Door{grouped(t, "a", "7000 3000 55000 1500", syn), grouped(t, "b", "9000 8000 7000", syn)}, "120", true, ""},
		{"beside one with its own ports", []*engine.Door{grouped(t, "a", "7000 8000 9000", syn), grouped(t, "b", "9000 8000 7000", syn)}, "6", false, ""},
		{"beside one of another protocol", []*engine.Door{grouped(t, "a", "7000 8000", syn), grouped(t, "b", "udp/1 udp/2", syn)}, "2", false, ""},
		{"beside one that its packets do not concern", []*engine.Door{grouped(t, "a", "7000 8000", syn), grouped(t, "b", "1 2", engine.FlagTest{Set: packet.FIN})}, "2", false, ""},
		{"beside one that all packets concern", []*engine.Door{grouped(t, "a", "7000 8000", syn), grouped(t, "b", "1 2", engine.FlagTest{})}, "4", true, ""},
		{"packets may do without what the other asks", []*engine.Door{grouped(t, "a", "7000 8000", engine.FlagTest{}), grouped(t, "b", "1 2", syn)}, "2", false, ""},
		{"beside two that have the same ports", []*engine.Door{grouped(t, "a", "7000 8000", syn), grouped(t, "b", "1 2", syn), grouped(t, "c", "2 1", syn)}, "4", true, ""},
		{"beside one that looks elsewhere", []*engine.Door{grouped(t, "a", "7000 8000", syn), elsewhere}, "2", false, ""},
		{"in no time", []*engine.Door{never}, "", false, "no second knock is in time"},
		{"port 0", []*engine.Door{grouped(t, "a", "7000 0", syn)}, "", false, "it has tcp/0, which scans leave out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Guesses(setOf(test.doors...))[0]
			if got.Scans != test.scans || got.AtLeast != test.atLeast || got.Never != test.why {
				t.Errorf("got %+v, want one in %s scans, at least: %v, never: %q", got, test.scans, test.atLeast, test.why)
			}
		})
	}
}

func TestGuessesOfNothing(t *testing.T) {
	consumed := grouped(t, "consumed", "", syn)
	consumed.OneTime = &engine.OneTime{File: "/etc/knockd.once"}
	if got := Guesses(setOf(consumed, &engine.Door{Name: "listener", Listen: true, Sequence: grouped(t, "", "1", syn).Sequence})); got != nil {
		t.Errorf("got %+v, want none: one has no sequence left, and the other never had one", got)
	}
}

// What a guess says is what the engine does with every order in which a scan can
// come to the ports that matter.
func TestGuessesAreTheEngines(t *testing.T) {
	strict := grouped(t, "strict", "1 2 3", engine.SYN)
	strict.Policy, strict.Group, strict.Flags, strict.Strict, strict.Guards = engine.PolicySesame, "", engine.FlagTest{}, true, nil
	plain := grouped(t, "plain", "1 2 3 4", engine.SYN)
	plain.Policy, plain.Group, plain.Flags = engine.PolicySesame, "", engine.FlagTest{}
	for _, test := range []struct {
		name    string
		ports   string
		doors   []*engine.Door
		scans   string // when no others are scanned
		atLeast bool
	}{
		{"a door", "1 2 3 4 9", []*engine.Door{plain}, orders(4, 4), false},
		{"a strict door", "1 2 3 7 8 9", []*engine.Door{strict}, orders(6, 3), false},
		{"a door of a group", "1 2 3 4 9", []*engine.Door{grouped(t, "a", "1 2 3 4", syn)}, orders(4, 4), false},
		{"a door among others of its group", "7000 3000 55000 1500 9000 8000 22", []*engine.Door{grouped(t, "a", "7000 3000 55000 1500", syn), grouped(t, "b", "9000 8000 7000", syn)},
			orders(6, 4), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var ports []packet.Port
			for text := range strings.FieldsSeq(test.ports) {
				ports = append(ports, port(t, text))
			}
			opens, scans := scanInAllOrders(test.doors, ports)
			want, _ := new(big.Int).SetString(test.scans, 10)
			t.Logf("%d of %d orders open it: one in %.1f", opens, scans, float64(scans)/float64(opens))
			if most := scans / int(want.Int64()); opens == 0 || opens > most || opens < most && !test.atLeast {
				t.Errorf("%d of %d orders open it, want %d", opens, scans, most)
			}
		})
	}
}

// scanInAllOrders returns how many of all orders of some ports open the first of
// some doors.
func scanInAllOrders(doors []*engine.Door, ports []packet.Port) (opens, scans int) {
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	e := engine.New(engine.Config{}, start)
	e.Swap(start, &engine.Set{Doors: doors})
	sent := 0
	var scan func(done int)
	scan = func(done int) {
		if done < len(ports) {
			for i := done; i < len(ports); i++ {
				ports[done], ports[i] = ports[i], ports[done]
				scan(done + 1)
				ports[done], ports[i] = ports[i], ports[done]
			}
			return
		}
		scans++
		var source [4]byte
		binary.BigEndian.PutUint32(source[:], uint32(10<<24+scans))
		for _, port := range ports {
			sent++
			for _, event := range e.Packet(&packet.Packet{
				Time: start.Add(time.Duration(sent) * time.Microsecond), Number: sent, Source: netip.AddrFrom4(source),
				Dest: netip.MustParseAddr("198.51.100.1"), SourcePort: 40000, Port: port, Flags: packet.SYN, Sequence: uint32(sent),
			}) {
				if event.Kind == engine.EventOpen && event.Door == doors[0].Name {
					opens++
				}
			}
		}
	}
	scan(0)
	return opens, scans
}

func TestGrouped(t *testing.T) {
	for digits, want := range map[string]string{
		"": "", "1": "1", "999": "999", "1000": "1,000", "65535": "65,535", "123456": "123,456", "281462092005375": "281,462,092,005,375",
	} {
		if got := Grouped(digits); got != want {
			t.Errorf("%s is written %q, want %q", digits, got, want)
		}
	}
}
