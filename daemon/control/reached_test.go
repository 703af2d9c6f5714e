package control

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

var at = time.Date(2026, 11, 21, 10, 2, 3, 0, time.UTC)

// blocked returns the result of packets that ended in a chain.
func blocked(outcome reach.Outcome, b *reach.Blocker, lines ...string) reach.Result {
	return reach.Result{Outcome: outcome, Blocker: b, First: at.Add(-time.Hour), Last: at.Add(-time.Hour), Lines: lines}
}

const acceptMark = "iptables -I INPUT -m mark --mark 0x10000000/0x10000000 -j ACCEPT"

func TestReachedText(t *testing.T) {
	seen := func(o reach.Outcome) reach.Result {
		return reach.Result{Outcome: o, First: at.Add(-time.Hour), Last: at.Add(-time.Hour)}
	}
	closed := seen(reach.Answered)
	closed.Closed = true
	changed := blocked(reach.Dropped, &reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true})
	changed.Changed = true
	legacy := seen(reach.Unanswered)
	legacy.Lines = []string{"iptables-legacy -I INPUT"}
	tests := []struct {
		name        string
		result      reach.Result
		text, short string
	}{
		{"policy", blocked(reach.Dropped, &reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true}, acceptMark),
			"; the connection at 10:02:03 was dropped by chain ip filter INPUT (policy); to let it in, run: " + acceptMark, "dropped by ip filter INPUT"},
		{"rule", blocked(reach.Rejected, &reach.Blocker{Table: "ip filter", Chain: "f2b-sshd", Rule: "ip saddr 198.51.100.9 reject", Handle: 7}, "a", "# b"),
			"; the connection at 10:02:03 was rejected by chain ip filter f2b-sshd (rule: ip saddr 198.51.100.9 reject); to let it in, run:\na\n# b", "rejected by ip filter f2b-sshd"},
		{"rule without text", blocked(reach.Dropped, &reach.Blocker{Table: "inet fw4", Chain: "input_wan", Handle: 7}),
			"; the connection at 10:02:03 was dropped by chain inet fw4 input_wan (rule with handle 7)", "dropped by inet fw4 input_wan"},
		{"rule without anything", blocked(reach.Dropped, &reach.Blocker{Table: "inet fw4", Chain: "input"}),
			"; the connection at 10:02:03 was dropped by chain inet fw4 input", "dropped by inet fw4 input"},
		{"nobody knows where", blocked(reach.Dropped, nil),
			"; the connection at 10:02:03 was dropped by a chain that is not known", "dropped"},
		{"text of others", blocked(reach.Dropped, &reach.Blocker{Table: "ip f", Chain: "\x1b[2J", Rule: "drop comment \"\n\"", Handle: 1}),
			`; the connection at 10:02:03 was dropped by chain "ip f \x1b[2J" (rule: "drop comment \"\n\"")`, `dropped by "ip f \x1b[2J"`},
		{"changed rules", changed, "; the connection at 10:02:03 was dropped by chain ip filter INPUT (policy), whose rules have changed since: connect again", "not since the rules changed"},
		{"answered", seen(reach.Answered), ", and answered at 10:02:03", "answered"},
		{"closed", closed, ", and this host refused the connection at 10:02:03: no program listens there; start the service (ss -ltnu lists what listens)", "no program listens"},
		{"unanswered", seen(reach.Unanswered), ", and nobody answered the connection at 10:02:03: look whether the service waits there, and at firewalls on the way back", "nobody answered"},
		{"unanswered, with lines", legacy, ", and nobody answered the connection at 10:02:03, nor did a chain that can be traced drop it; if the service waits there, run:\niptables-legacy -I INPUT", "nobody answered"},
		{"unanswered, and nothing to run", advised(seen(reach.Unanswered), "# no route", "# look"), ", and the connection at 10:02:03 failed: no route; look", "nobody answered"},
		{"unanswered, and nothing listens", closedOf(seen(reach.Unanswered)), ", and nobody answered the connection at 10:02:03: no program listens there; start the service (ss -ltnu lists what listens)", "no program listens"},
		{"closed, with advice", advised(closed, "# it listens elsewhere"), ", and this host refused the connection at 10:02:03: it listens elsewhere", "no program listens"},
		{"a datagram that is dropped", ofUDP(blocked(reach.Dropped, nil)), "; the packet at 10:02:03 was dropped by a chain that is not known", "dropped"},
		{"a datagram to nobody", ofUDP(closed), ", and this host refused the packet at 10:02:03: no program listens there; start the service (ss -ltnu lists what listens)", "no program listens"},
		{"a datagram without an answer", ofUDP(seen(reach.Unanswered)), ", and nobody answered the packet at 10:02:03: look at the service (ss -lun lists those of UDP), which may give no answer to such a packet, and at firewalls on the way back", "nobody answered"},
		{"passed", seen(reach.Passed), ", and let in at 10:02:03; whether it was answered is not known, since the kernel does not track the connection (notrack)", "let in"},
		{"unused", reach.Result{Outcome: reach.Unused}, ", not used: no packet was seen that came as far as Sesame's chain", "unused"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := Measured{Port: Port{Port: test.result.Port}, Reached: ReachedOf(test.result, time.Hour)}
			if diff := cmp.Diff([]string{test.text, test.short}, []string{m.String(), m.Short()}); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func advised(r reach.Result, lines ...string) reach.Result {
	r.Lines = lines
	return r
}

func closedOf(r reach.Result) reach.Result {
	r.Closed = true
	return r
}

func ofUDP(r reach.Result) reach.Result {
	r.Port.Proto = packet.UDP
	return r
}

// TestReachedJSON has the keys that docs/transcript.md promises.
func TestReachedJSON(t *testing.T) {
	full := ReachedOf(blocked(reach.Dropped, &reach.Blocker{Table: "ip filter", Chain: "INPUT", Policy: true}, acceptMark), time.Hour)
	unused := ReachedOf(reach.Result{Outcome: reach.Unused}, time.Hour)
	for want, r := range map[string]Reached{
		`{"outcome":"dropped","first":"2026-11-21T10:02:03Z","last":"2026-11-21T10:02:03Z","table":"ip filter","chain":"INPUT","policy":true,"lines":["` + acceptMark + `"]}`: full,
		`{"outcome":"unused"}`: unused,
	} {
		got, err := json.Marshal(r)
		if err != nil || string(got) != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
}
