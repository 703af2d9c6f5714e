package scripting

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a script means the same on a machine without zone data

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
	"sesame/scripting/source"
)

// A Window is a time of day on days of the week. It is an [engine.Condition].
type Window struct {
	Name     string
	Place    source.Place
	Days     [7]bool // by [time.Weekday]: the days on which the window begins
	From, To int     // minutes since midnight, To above 0 and not included
	Zone     *time.Location
	days     string
}

// Contains reports whether t is inside. A window whose From is after its To
// spans midnight, and belongs to the day on which it began.
func (w *Window) Contains(t time.Time) bool {
	t = t.In(w.Zone)
	minute := t.Hour()*60 + t.Minute()
	today, yesterday := w.Days[t.Weekday()], w.Days[(t.Weekday()+6)%7]
	if w.From < w.To {
		return today && w.From <= minute && minute < w.To
	}
	return today && w.From <= minute || yesterday && minute < w.To
}

// Check implements [engine.Condition].
func (w *Window) Check(m *engine.Call) (engine.Verdict, error) {
	if w.Contains(m.Wall) {
		return engine.Verdict{OK: true}, nil
	}
	return engine.Verdict{Detail: w.String()}, nil
}

// String returns "hours: mon-fri 08:00-19:00 Europe/Madrid".
func (w *Window) String() string {
	return fmt.Sprintf("%s: %s %s-%s %s", w.Name, w.days, clockText(w.From), clockText(w.To), w.Zone)
}

func clockText(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// parseDays reads "mon-fri", "sat,sun" or "mon-wed,fri". A range may wrap, as in
// "fri-mon".
func parseDays(s string) (days [7]bool, err error) {
	for part := range strings.SplitSeq(s, ",") {
		first, last, found := strings.Cut(part, "-")
		if !found {
			last = first
		}
		from, err := parseDay(first)
		if err != nil {
			return days, err
		}
		to, err := parseDay(last)
		if err != nil {
			return days, err
		}
		for day := from; ; day = (day + 1) % 7 {
			days[day] = true
			if day == to {
				break
			}
		}
	}
	return days, nil
}

func parseDay(s string) (int, error) {
	if day := slices.Index(dayNames, strings.TrimSpace(s)); day >= 0 {
		return day, nil
	}
	return 0, fmt.Errorf("unknown day %q%s", s, spelling.DidYouMean(s, dayNames))
}

// parseClock reads "08:00" to "24:00" as minutes since midnight.
func parseClock(s string) (int, error) {
	malformed := fmt.Errorf(`%q is not a time of day: expected HH:MM from "00:00" to "24:00"`, s)
	if len(s) != 5 || s[2] != ':' {
		return 0, malformed
	}
	hour, err := strconv.ParseUint(s[:2], 10, 8)
	if err != nil {
		return 0, malformed
	}
	minute, err := strconv.ParseUint(s[3:], 10, 8)
	if total := int(hour*60 + minute); err == nil && minute < 60 && total <= 24*60 {
		return total, nil
	}
	return 0, malformed
}

// parseZone finds a zone by its name in the IANA time zone database. Local time
// is refused: it would make a script mean something else on each machine.
func parseZone(s string) (*time.Location, error) {
	zone, err := time.LoadLocation(s)
	if s == "" || s == "Local" || err != nil {
		return nil, fmt.Errorf(`unknown time zone %q: expected a name of the time zone database, such as "Europe/Madrid" or "UTC"`, s)
	}
	return zone, nil
}
