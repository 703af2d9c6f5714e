package scripting

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/condition"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1m30s": 90 * time.Second, "2h": 2 * time.Hour, "10ms": 10 * time.Millisecond,
		"1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "36500d": condition.MaxDuration,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "8", "s", "8 s", "-8s", "+8s", "1d-1h", "0s", "0d", "d", "1.5d", "1h1d", "36501d", "36500d1ns", "9999999999d", "1e3s", "9223372036854775808ns"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v: expected an error", text, got)
		}
	}
}

func TestDurationsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, int64(condition.MaxDuration)).Draw(t, "duration"))
		if got, err := ParseDuration(d.String()); err != nil || got != d {
			t.Errorf("%s is read as %v, %v", d, got, err)
		}
	})
}

func TestLimits(t *testing.T) {
	for text, want := range map[string]engine.Limit{
		"20/s":            {Count: 20, Per: time.Second},
		"3/h":             {Count: 3, Per: time.Hour},
		"5/10m":           {Count: 5, Per: 10 * time.Minute},
		"1/d per source":  {Count: 1, Per: 24 * time.Hour, PerSource: true},
		"1/1d per source": {Count: 1, Per: 24 * time.Hour, PerSource: true},
	} {
		want.Text = text
		if got, err := parseLimit(text); err != nil || *got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "20", "/s", "20/", "-1/s", "0/s", "1000001/s", "1/s per door", "1/-1s", "1/parsec", "1.5/s"} {
		if got, err := parseLimit(text); err == nil {
			t.Errorf("%q is %+v: expected an error", text, got)
		}
	}
}

func TestFlags(t *testing.T) {
	for text, want := range map[string]engine.FlagTest{
		"syn,!ack":     engine.SYN,
		"fin, psh,urg": {Set: packet.FIN | packet.PSH | packet.URG},
		"!cwr,ece":     {Set: packet.ECE, Clear: packet.CWR},
	} {
		if got, err := parseFlags(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for i, name := range packet.FlagNames {
		if got, err := parseFlags(name); err != nil || got.Set != packet.Flags(1<<i) {
			t.Errorf("%q is %+v, %v", name, got, err)
		}
	}
	for _, text := range []string{"", "SYN", "syn ack", "syn,,ack", "!!syn", "syn,syn"} {
		if got, err := parseFlags(text); err == nil {
			t.Errorf("%q is %+v: expected an error", text, got)
		}
	}
}

func TestArguments(t *testing.T) {
	values := map[string]string{"source": "203.0.113.9", "door": "{door}"}
	for text, want := range map[string]string{
		"":                   "",
		"plain":              "plain",
		"{source}":           "203.0.113.9",
		"backup@{source}:22": "backup@203.0.113.9:22",
		"{door}{source}":     "{door}203.0.113.9",
		"{{source}}":         "{source}",
		"{{{source}}}":       "{203.0.113.9}",
	} {
		cut, err := parseTemplate(text, []string{"source", "port", "door"})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := fill([]template{cut}, values); err != nil || got[0] != want {
			t.Errorf("%q becomes %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"{", "}", "{source", "source}", "{}", "{ source }", "{{source}", "{so{urce}"} {
		if cut, err := parseTemplate(text, []string{"source"}); err == nil {
			t.Errorf("%q is cut into %q: expected an error", text, cut)
		}
	}
}

// TestAnArgumentStaysOne holds that what fills a placeholder never adds an
// argument, nor another placeholder.
func TestAnArgumentStaysOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, filled, after := rapid.StringMatching(`[^{}]*`).Draw(t, "before"), rapid.String().Draw(t, "filled"), rapid.StringMatching(`[^{}]*`).Draw(t, "after")
		cut, err := parseTemplate(fmt.Sprintf("%s{source}%s", before, after), []string{"source"})
		if err != nil {
			t.Fatal(err)
		}
		argv, err := fill([]template{cut}, map[string]string{"source": filled})
		if err != nil || len(argv) != 1 || argv[0] != before+filled+after {
			t.Errorf("becomes %q, %v", argv, err)
		}
	})
}
