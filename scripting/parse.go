package scripting

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting/condition"
)

// ParseDuration reads a duration as scripts and flags have it: see
// [condition.ParseDuration].
func ParseDuration(s string) (time.Duration, error) { return condition.ParseDuration(s) }

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

// parseFlags reads "syn,!ack": TCP flags that must be set and, with "!", flags
// that must be clear. Every TCP packet passes "any".
func parseFlags(s string) (engine.FlagTest, error) {
	var test engine.FlagTest
	if s == "any" {
		return test, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		name, clear := strings.CutPrefix(strings.TrimSpace(part), "!")
		i := slices.Index(packet.FlagNames[:], name)
		if i < 0 {
			return engine.FlagTest{}, fmt.Errorf("unknown TCP flag %q%s", name, spelling.DidYouMean(name, packet.FlagNames[:]))
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
