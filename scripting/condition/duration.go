package condition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxDuration is a hundred years. Every sum of a time and a duration stays far
// from overflow.
const MaxDuration = 36500 * 24 * time.Hour

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
	if n > 36500 || d > MaxDuration-time.Duration(n)*24*time.Hour {
		return 0, fmt.Errorf("%q is too long: at most 36500d", s)
	}
	if d += time.Duration(n) * 24 * time.Hour; d == 0 {
		return 0, errors.New("a duration must be above zero")
	}
	return d, nil
}
