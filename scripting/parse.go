package scripting

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
)

// maxDuration is a hundred years. Every sum of a time and a duration stays far
// from overflow.
const maxDuration = 36500 * 24 * time.Hour

// ParseDuration reads "90s", "1m30s", "10ms", "1d" or "1d12h". The units are
// those of [time.ParseDuration], and the day of 24 hours. The result is above
// zero and at most 36,500 days.
func ParseDuration(s string) (time.Duration, error) {
	malformed := fmt.Errorf(`%q is not a duration: expected a number with a unit, such as "8s", "1m30s" or "2h"`, s)
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || strings.ContainsAny(rest, "+-") {
		return 0, malformed
	}
	var d time.Duration
	if rest != "" || !found {
		if d, err = time.ParseDuration(rest); err != nil {
			return 0, malformed
		}
	}
	if n > 36500 || d > maxDuration-time.Duration(n)*24*time.Hour {
		return 0, fmt.Errorf("%q is too long: at most 36500d", s)
	}
	if d += time.Duration(n) * 24 * time.Hour; d == 0 {
		return 0, errors.New("a duration must be above zero")
	}
	return d, nil
}

// parseLimit reads "20/s", "3/h" or "5/10m". With " per source" behind it, each
// source has a limit of its own. The count is 1 to 1,000,000.
func parseLimit(s string) (*engine.Limit, error) {
	malformed := fmt.Errorf(`%q is not a limit: expected a count and a time, such as "20/s", "3/h" or "5/10m per source"`, s)
	rate, perSource := strings.CutSuffix(s, " per source")
	count, per, found := strings.Cut(rate, "/")
	n, err := strconv.ParseUint(count, 10, 32)
	if !found || err != nil || per == "" {
		return nil, malformed
	}
	if n < 1 || n > 1_000_000 {
		return nil, fmt.Errorf("%q counts %d: expected 1 to 1000000", s, n)
	}
	if per[0] < '0' || per[0] > '9' {
		per = "1" + per
	}
	d, err := ParseDuration(per)
	if err != nil {
		return nil, malformed
	}
	return &engine.Limit{Count: int(n), Per: d, PerSource: perSource, Text: s}, nil
}

// parseTarget reads the destination address of the packets to a door. An
// IPv4-mapped address becomes IPv4.
func parseTarget(s string) (netip.Addr, error) {
	if strings.Contains(s, "/") {
		return netip.Addr{}, fmt.Errorf(`%q is a network: expected one address, such as "203.0.113.5"`, s)
	}
	address, err := netip.ParseAddr(s)
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, fmt.Errorf(`%q is not an address: expected one such as "203.0.113.5" or "2001:db8::5"`, s)
	}
	return address.Unmap(), nil
}

// flagNames are in the order of the bits, from the lowest. See RFC 9293,
// section 3.1, and RFC 3168.
var flagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}

// parseFlags reads "syn,!ack": TCP flags that must be set and, with "!", flags
// that must be clear. Every TCP packet passes "any".
func parseFlags(s string) (engine.FlagTest, error) {
	var test engine.FlagTest
	if s == "any" {
		return test, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		name, clear := strings.CutPrefix(strings.TrimSpace(part), "!")
		i := slices.Index(flagNames, name)
		if i < 0 {
			return engine.FlagTest{}, fmt.Errorf("unknown TCP flag %q%s", name, spelling.DidYouMean(name, flagNames))
		}
		flag := packet.Flags(1) << i
		if (test.Set|test.Clear)&flag != 0 {
			return engine.FlagTest{}, fmt.Errorf("%q names %q twice", s, name)
		}
		if clear {
			test.Clear |= flag
		} else {
			test.Set |= flag
		}
	}
	return test, nil
}
