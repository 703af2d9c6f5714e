package scripting

import (
	"fmt"
	"strconv"
	"strings"

	"sesame/daemon/engine"
)

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
