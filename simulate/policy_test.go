package simulate

import (
	"net/netip"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// knockd puts a door under the policy of knockd, with others of its file.
func knockd(d *engine.Door) *engine.Door {
	d.Policy, d.Group, d.Flags = engine.PolicyKnockd, "knockd.conf", engine.FlagTest{Set: packet.SYN}
	for i := range d.Sequence {
		d.Sequence[i].Flags = d.Flags
	}
	return d
}

// The account gives the reason why an attempt under the policy of knockd ended, also at the first
// stage, whose end no event reports.
func TestWhatEndsAnAttemptOfAGroupIsNamed(t *testing.T) {
	for _, test := range []struct {
		name  string
		knock func(s *story)
		want  string
	}{
		{"a repeat, which is not forgiven", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 7000)
			s.knock(200, tom, 8000)
		}, "stopped at 1 of 3: tcp/7000 came (packet 2), tcp/8000 was expected"},
		{"a knock of another door", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 1111)
			s.knock(200, tom, 2222)
		}, "stopped at 1 of 3: tcp/1111 came (packet 2), tcp/8000 was expected"},
		{"a knock of another door, later on", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(200, tom, 2222)
		}, "stopped at 2 of 3: tcp/2222 came (packet 3), tcp/9000 was expected"},
		{"not what no door has, nor another source's, nor other flags", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 443)
			s.knock(200, eve, 1112)
			s.send(300, tom, 1111, packet.FIN)
		}, "stopped at 1 of 3: tcp/8000 did not come before the capture ended"},
		{"nor what goes elsewhere", func(s *story) {
			s.knock(0, tom, 7000)
			s.dest = "192.0.2.7"
			s.knock(100, tom, 1111)
		}, "stopped at 1 of 3: tcp/8000 did not come before the capture ended"},
		{"nor a retransmit", func(s *story) {
			s.knock(0, tom, 7000)
			s.segment = 1
			s.knock(100, tom, 7000)
		}, "stopped at 1 of 3: tcp/8000 did not come before the capture ended\n" +
			"packet 2 is a retransmit of packet 1 (same source port and sequence number), and no knock; " +
			"a client that knocks again must choose others (scapy: sport=RandShort())"},
		{"time", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(8250, tom, 8000)
		}, "stopped at 1 of 3: tcp/8000 came 250ms too late (packet 2, within 8s)"},
		{"time, not what came after it", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(8100, tom, 1112)
			s.knock(8250, tom, 8000)
		}, "stopped at 1 of 3: tcp/8000 came 250ms too late (packet 3, within 8s)"},
		{"time, later on", func(s *story) {
			s.knock(0, tom, 7000)
			s.knock(100, tom, 8000)
			s.knock(8000, tom, 9000)
		}, "stopped at 2 of 3: tcp/9000 came exactly at the limit, which is too late (packet 3, within 8s)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			aimed := knockd(door("aimed", 1111, 1112))
			aimed.Target = netip.MustParseAddr("192.0.2.7")
			s := tell(t, knockd(door("ssh", 7000, 8000, 9000)), knockd(door("web", 1110, 1111, 2222, 1112)), aimed)
			s.replay.prepare(noon, s.replay.engine.Local(noon, []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}))
			test.knock(s)
			s.endsFor("ssh", strings.Split(test.want, "\n")...)
		})
	}
}

// A door with a timeout of 0 has an attempt after the first knock all the same.
func TestAnAttemptWithoutTime(t *testing.T) {
	d := knockd(door("ssh", 7000, 8000))
	d.Within = 0
	s := tell(t, d)
	s.knock(0, tom, 7000)
	s.knock(300, tom, 8000)
	s.endsFor("ssh", "stopped at 1 of 2: tcp/8000 came 300ms too late (packet 2, within 0s)")
}

// A door whose one-time sequences are all used has no sequence. The account of it must not fail.
func TestAnAccountOfOneTimeSequences(t *testing.T) {
	d := knockd(door("ssh"))
	d.OneTime = &engine.OneTime{File: "/etc/once", Sequences: []engine.OneTimeSequence{
		{Line: "7000,8000", Knocks: knockd(door("", 7000, 8000)).Sequence},
		{Line: "8000,9000", Knocks: knockd(door("", 8000, 9000)).Sequence},
	}}
	s := tell(t, d)
	s.knock(0, eve, 7000)
	s.knock(100, tom, 7000)
	s.knock(200, tom, 8000)
	s.knock(300, eve, 8000)
	s.knock(400, eve, 9000)
	s.knock(500, eve, 8000)
	s.ends(`
198.51.100.7     ssh  opened (packet 5), 7.9s of 8s left: tcp/22 for 30s
198.51.100.7     ssh  stopped at 1 of 2: somebody else used the sequence up
203.0.113.9      ssh  opened (packet 3), 7.9s of 8s left: tcp/22 for 30s
`)
}
