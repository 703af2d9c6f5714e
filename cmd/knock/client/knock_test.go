package client

import (
	"strings"
	"testing"
)

func TestParseKnock(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Knock
	}{
		{"7000", Knock{Port: 7000}},
		{"tcp/7000", Knock{Port: 7000}},
		{"udp/8000", Knock{UDP: true, Port: 8000}},
		{"8000:udp", Knock{UDP: true, Port: 8000}},
		{"8000:tcp", Knock{Port: 8000}},
		{"1", Knock{Port: 1}},
		{"65535:udp", Knock{UDP: true, Port: 65535}},
	} {
		if got, err := ParseKnock(tt.in); err != nil || got != tt.want {
			t.Errorf("ParseKnock(%q) = %v, %v: expected %v", tt.in, got, err, tt.want)
		}
	}
	for in, want := range map[string]string{
		"":             `knock "": expected a port from 1 to 65535`,
		"0":            `knock "0": expected a port`,
		"65536":        `knock "65536": expected a port`,
		"-1":           `knock "-1": expected a port`,
		"+1":           `knock "+1": expected a port`,
		"ssh":          `knock "ssh": expected a port`,
		"8000:UDP":     `knock "8000:UDP": unknown protocol "UDP": expected`,
		"8000:":        `knock "8000:": unknown protocol ""`,
		"icmp/8":       `knock "icmp/8": unknown protocol "icmp"`,
		"tcp/":         `knock "tcp/": expected a port`,
		"8000/tcp":     `knock "8000/tcp": the protocol comes first: write tcp/8000 or 8000:tcp`,
		"7000/udp":     `knock "7000/udp": the protocol comes first: write udp/7000 or 7000:udp`,
		"udp:7000":     `knock "udp:7000": behind a colon the protocol comes last: write udp/7000 or 7000:udp`,
		"70000/udp":    `knock "70000/udp": expected a port from 1 to 65535`,
		"7000/icmp":    `knock "7000/icmp": unknown protocol "7000"`,
		"tcp/8000:udp": `knock "tcp/8000:udp": expected a port`,
		"\x1b[2J":      `knock "\x1b[2J": expected a port`,
	} {
		if got, err := ParseKnock(in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseKnock(%q) = %v, %v: expected the error %s...", in, got, err, want)
		}
	}
}

func FuzzParseKnock(f *testing.F) {
	for _, seed := range []string{"7000", "tcp/7000", "udp/8000", "8000:udp", "8000:tcp", "8000:x", "/", ":", "tcp/00022"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		knock, err := ParseKnock(s)
		if err != nil {
			return
		}
		if again, err := ParseKnock(knock.String()); err != nil || again != knock || knock.Port == 0 {
			t.Errorf("%q is %v, which is read as %v, %v", s, knock, again, err)
		}
	})
}
