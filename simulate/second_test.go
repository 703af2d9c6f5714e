package simulate

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// explained replays captures and returns the lines about each source.
func explained(t *testing.T, c Config) string {
	t.Helper()
	c.Account = true
	report, _ := run(t, c)
	var text bytes.Buffer
	if err := report.WriteAccount(&text); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text.String()) {
		if !strings.Contains(line, "(--local)") && !strings.Contains(line, "with --local") {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(lines, "\n")
}

// The door of these tests is tcp/7421, tcp/8133, tcp/2904.
func TestASecondPassExplains(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	for _, tt := range []struct{ name, capture, want string }{
		{"a knock with other flags", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133 ack
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came (packet 2) with ACK: the door wants syn,!ack
203.0.113.9 ssh tcp/8133 with syn,!ack (packet 2): opens`},
		{"two digits exchanged", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2094`, `
203.0.113.9 ssh stopped at 2 of 3: tcp/2094 came (packet 3), tcp/2904 was expected
203.0.113.9 ssh tcp/2904 in place of tcp/2094 (packet 3): opens`},
		{"a fragment", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133 fragment=first
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came (packet 2) as a fragment, and no fragment is a knock
203.0.113.9 ssh tcp/8133 in one piece (packet 2): opens`},
		{"cut by the capture", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904 snap=48`, `
203.0.113.9 ssh stopped at 2 of 3: tcp/2904 came (packet 3) cut short by the capture: record whole packets with tcpdump -s 0
203.0.113.9 ssh tcp/2904 recorded whole (packet 3): opens`},
		{"to another address", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133 to=192.0.2.99
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came (packet 2) to 192.0.2.99, which is no address of this host
203.0.113.9 ssh tcp/8133 to 192.0.2.1 (packet 2): opens`},
		{"two knocks in another order", `
			0s     203.0.113.9 tcp/7421
			1s     203.0.113.9 tcp/2904
			1003ms 203.0.113.9 tcp/8133`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came (packet 3) 3ms after tcp/2904, the knock behind it: wait longer between knocks
203.0.113.9 ssh tcp/8133 before the knock that follows it (packet 3): opens`},
		{"a source of which nothing is a knock, and another one that knocks", `
			0s 203.0.113.7 tcp/8133
			1s 203.0.113.9 tcp/7421 syn,ack
			2s 203.0.113.9 tcp/8133 syn,ack
			3s 203.0.113.9 tcp/2904 syn,ack`, `
203.0.113.7 ssh never began: tcp/8133 came (packet 1); tcp/7421, tcp/2904 did not (tcp/7421 perhaps before the capture began)
203.0.113.9 ssh never began: tcp/7421, tcp/8133, tcp/2904 came (packets 2-4) with SYN and ACK: the door wants syn,!ack
203.0.113.9 ssh tcp/7421, tcp/8133, tcp/2904 with syn,!ack (packets 2, 3 and 4): opens`},
		{"answers to a scan are no account", `
			0s 203.0.113.7 tcp/8133
			1s 203.0.113.9 tcp/7421 syn,ack
			2s 203.0.113.8 tcp/2904 syn,ack`,
			`203.0.113.7 ssh never began: tcp/8133 came (packet 1); tcp/7421, tcp/2904 did not (tcp/7421 perhaps before the capture began)`},
		{"everybody opens", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904
			3s 203.0.113.8 tcp/7421 syn,ack
			4s 203.0.113.8 tcp/8133 syn,ack`,
			`203.0.113.9 ssh opened (packet 3), 6s of 8s left: tcp/22 for 30s`},
		{"too slow, and what came later", `
			0s 203.0.113.9 tcp/7421
			10s 203.0.113.9 tcp/8133
			11s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came 2s too late (packet 2, within 8s)
203.0.113.9 ssh within >= 11.1s: opens`},
		{"the sequence backwards", `
			0s 203.0.113.9 tcp/2904
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/7421`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 came too early (packet 2), before the attempt began`},
		{"flags that no host sends", `
			0s 203.0.113.9 tcp/7421 syn,fin
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh never began: tcp/7421 came (packet 1) malformed, with FIN and SYN; tcp/8133, tcp/2904 came (packets 2-3)
203.0.113.9 ssh tcp/7421 well-formed (packet 1): opens`},
		{"an opening, and a failure later", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904
			35s 203.0.113.9 tcp/7421
			36s 203.0.113.9 tcp/8133
			37s 203.0.113.9 tcp/2904 ack`, `
203.0.113.9 ssh opened (packet 3), 6s of 8s left: tcp/22 for 30s
203.0.113.9 ssh stopped at 2 of 3: tcp/2904 came (packet 6) with ACK: the door wants syn,!ack`},
		{"cut short, and with other flags", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133 ack snap=50
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/2904 came (packet 3), tcp/8133 was expected
203.0.113.9 ssh tcp/8133 before packet 3: opens`},
		{"cut short, and to another host", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133 to=192.0.2.99 snap=48
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/2904 came (packet 3), tcp/8133 was expected
203.0.113.9 ssh tcp/8133 before packet 3: opens`},
		{"cut short, with other flags, and awaited", `
			0s 203.0.113.9 tcp/7421
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904 ack snap=50`, `
203.0.113.9 ssh stopped at 2 of 3: tcp/2904 did not come as a knock before the capture ended; one came (packet 3) cut short by the capture: record whole packets with tcpdump -s 0
203.0.113.9 ssh tcp/2904 after packet 2: opens`},
		{"a fragment with other flags, and no attempt", `
			0s 203.0.113.9 tcp/7421 ack fragment=first
			1s 203.0.113.9 tcp/8133
			2s 203.0.113.9 tcp/2904`, `
203.0.113.9 ssh never began: tcp/8133, tcp/2904 came (packets 2-3); tcp/7421 came too (packet 1) as a fragment, and no fragment is a knock
203.0.113.9 ssh tcp/7421 before packet 2: opens`},
		{"over IPv4 and IPv6", `
			0s 203.0.113.9  tcp/7421
			1s 2001:db8::9  tcp/8133
			2s 2001:db8::9  tcp/2904`, `
203.0.113.9 ssh stopped at 1 of 3: tcp/8133 did not come before the capture ended
203.0.113.9 ssh 2001:db8::9 sent the other half (packets 2-3)
203.0.113.9 ssh all knocks from one address: opens
2001:db8::9 ssh never began: tcp/8133, tcp/2904 came (packets 2-3); tcp/7421 did not, or came before the capture began
2001:db8::9 ssh 203.0.113.9 sent the other half (packet 1)
2001:db8::9 ssh all knocks from one address: opens
knocks 2 and 3 of ssh came from 2001:db8::9, and the rest from 203.0.113.9: probably one knock from two addresses (IPv4 and IPv6); send all knocks over one address family`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Captures: []string{write(t, tt.capture)}, Set: set(door("ssh", 7421, 8133, 2904)), Local: local}
			if strings.Contains(tt.capture, "2001:db8") {
				c.Local = nil
			}
			if diff := cmp.Diff(strings.TrimSpace(tt.want), explained(t, c)); diff != "" {
				t.Errorf("account (-want +got):\n%s", diff)
			}
		})
	}
}

// The packets of several captures are named with their capture, and the target of a door with its
// address.
func TestASecondPassOverSeveralCaptures(t *testing.T) {
	d := door("ssh", 7421, 8133, 2904)
	d.Target = netip.MustParseAddr("198.51.100.9")
	got := explained(t, Config{Set: set(d), Captures: []string{
		write(t, "0s 203.0.113.9 tcp/7421\n2s 203.0.113.9 tcp/2904"), write(t, "1s 203.0.113.9 tcp/8133"),
	}})
	want := "203.0.113.9 ssh never began: tcp/7421, tcp/8133, tcp/2904 came (packet 1 of capture 1, packet 1 of capture 2, packet 2 of capture 1) to 192.0.2.1: the target of the door is 198.51.100.9\n" +
		"203.0.113.9 ssh tcp/7421, tcp/8133, tcp/2904 to 198.51.100.9 (packet 1 of capture 1, packet 1 of capture 2, packet 2 of capture 1): opens"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Standard input cannot be read twice. What the doors watch is explained, and it says what is not.
func TestAStreamIsExplainedOnce(t *testing.T) {
	file, err := os.Open(write(t, "0s 203.0.113.9 tcp/7421\n1s 203.0.113.9 tcp/8133 ack\n2s 203.0.113.9 tcp/8133\n12s 203.0.113.9 tcp/2904"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	got := explained(t, Config{Recording: file, Set: set(door("ssh", 7421, 8133, 2904))})
	want := "203.0.113.9 ssh stopped at 2 of 3: tcp/2904 came 4s too late (packet 4, within 8s)\n" +
		"203.0.113.9 ssh within >= 12.1s: opens\n" +
		"standard input or a pipe cannot be read again, so packets that no door watches were not looked at: save the capture to a file and replay that"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A second pass adds to the account, and never changes the transcript or the totals.
func TestASecondPassChangesNoDecision(t *testing.T) {
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, "%dms 203.0.113.%d tcp/%d %s seq=%d\n", 400*i, 1+i%5, []int{7421, 8133, 2904, 2905, 80}[i*i%5], []string{"syn", "syn", "ack", "syn,ack"}[i%4], i)
	}
	doors := []*engine.Door{door("ssh", 7421, 8133, 2904), door("web", 8133, 2904)}
	doors[1].Strict = true
	c := Config{Captures: []string{write(t, lines.String())}, Set: set(doors...)}
	var with, without bytes.Buffer
	c.Writer = transcript.NewJSON(&without)
	first, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Writer, c.Account = transcript.NewJSON(&with), true
	second, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if with.String() != without.String() || !reflect.DeepEqual(first.Summary, second.Summary) {
		t.Errorf("without an account\n%s%+v\nwith one\n%s%+v", without.String(), first.Summary, with.String(), second.Summary)
	}
}

// A copy of a packet is no second knock, so these packets are not one knock of two addresses.
func TestACopyIsNoPartOfAKnock(t *testing.T) {
	d := door("d", 0, 0, 2904)
	d.Sequence[0].Port = packet.Port{Proto: packet.UDP, Number: 5000}
	d.Sequence[1] = d.Sequence[0]
	got := explained(t, Config{Set: set(d), Captures: []string{
		write(t, "0s 203.0.113.9 udp/5000\n1s 203.0.113.10 tcp/2904"), write(t, "1ms 203.0.113.9 udp/5000"),
	}})
	if strings.Contains(got, "one knock from two addresses") || !strings.Contains(got, "is a copy of") {
		t.Errorf("got\n%s", got)
	}
}

// What the engine says of the packet that ended an attempt is not hidden by one that was nearly a
// knock.
func TestATripwireIsNotHidden(t *testing.T) {
	d := door("ssh", 7421, 8133, 2904)
	d.Tripwires = 64
	wire := set(d).Tripwires()[0].Port
	lines := "0s 203.0.113.9 tcp/7421\n1s 203.0.113.9 tcp/8133 ack\n2s 203.0.113.9 " + wire.String() + "\n3s 203.0.113.9 tcp/2904"
	got := explained(t, Config{Set: set(d), Captures: []string{write(t, lines)}})
	if want := "203.0.113.9 ssh stopped at 1 of 3: " + wire.String() + ", a tripwire, came (packet 3), tcp/8133 was expected"; !strings.HasPrefix(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Where others count, nothing is suggested: a replay of one source alone does not show what opens.
func TestNothingIsSuggestedWhereOthersCount(t *testing.T) {
	d := door("ssh", 7421, 8133, 2904)
	d.Limit = &engine.Limit{Count: 1, Per: time.Hour, Text: "1/h"}
	lines := "0s 203.0.113.10 tcp/7421\n1s 203.0.113.10 tcp/8133\n2s 203.0.113.10 tcp/2904\n3s 203.0.113.9 tcp/7421\n4s 203.0.113.9 tcp/8133\n12s 203.0.113.9 tcp/2904"
	if got := explained(t, Config{Set: set(d), Captures: []string{write(t, lines)}}); strings.Contains(got, ": opens") {
		t.Errorf("got\n%s", got)
	}
}

// A group of hosts is no address of this host, also when those are not known.
func TestKnocksToEverybodyAreExplained(t *testing.T) {
	got := explained(t, Config{Set: set(door("ssh", 7421, 8133)), Captures: []string{
		write(t, "0s 203.0.113.9 tcp/7421 to=255.255.255.255\n1s 203.0.113.9 tcp/8133 to=224.0.0.1"),
	}})
	want := "203.0.113.9 ssh never began: tcp/7421 came (packet 1) to 255.255.255.255, which is no address of this host; " +
		"tcp/8133 came (packet 2) to 224.0.0.1, which is no address of this host"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
