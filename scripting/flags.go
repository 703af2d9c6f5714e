package scripting

import (
	"fmt"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
)

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
		flag, err := parseFlag(name)
		if err != nil {
			return engine.FlagTest{}, err
		}
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

func parseFlag(name string) (packet.Flags, error) {
	for i, known := range flagNames {
		if name == known {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("unknown TCP flag %q%s", name, spelling.DidYouMean(name, flagNames))
}
