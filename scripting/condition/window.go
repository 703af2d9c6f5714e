package condition

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a script means the same on a machine without zone data

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
)

// Window is the kind of condition that holds at a time of day, on days of the
// week.
func Window() Kind {
	const clock = `a time of day such as "08:00"`
	return Kind{
		Name: "window", Type: "{ options }",
		Doc:     "Makes a condition that holds at a time of day, on days of the week.",
		Example: `local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "UTC" }`,
		Options: []Option{
			{Name: "days", Type: `days such as "mon-fri", "sat,sun" or "mon-wed,fri"`, Default: `"mon-sun"`,
				Doc: "The days on which the window begins.", Expected: `days such as "mon-fri"`, Parse: parser(parseDays)},
			{Name: "from", Type: "a time of day", Default: `"00:00"`,
				Doc: "When it begins.", Expected: clock, Parse: parser(parseStart)},
			{Name: "to", Type: "a time of day", Default: `"24:00"`,
				Doc:      "When it ends. This minute is outside. A window whose to is before its from ends on the next day.",
				Expected: clock, Parse: parser(parseClock)},
			{Name: "tz", Type: `a name of the time zone database, such as "Europe/Madrid"`, Required: true,
				Doc: "The time zone of the days and times.", Expected: `a time zone such as "Europe/Madrid"`, Parse: parser(parseZone)},
		},
		Build: buildWindow,
	}
}

func buildWindow(name string, v Values) (engine.Condition, error) {
	every, _ := parseDays("mon-sun")
	w := &window{
		name: name, days: named(v, "days", every), from: named(v, "from", 0), to: named(v, "to", midnight),
		zone: named(v, "tz", time.UTC),
	}
	switch {
	case len(v.Named) == 1: // the zone
		return nil, errors.New("expected days, from or to: it would hold at all times")
	case w.from == w.to:
		return nil, errors.New("from and to are the same: leave both out for the whole day")
	}
	return w, nil
}

// midnight is the end of a day, in minutes.
const midnight = 24 * 60

// A window is a time of day on days of the week. When from is after to, it
// spans midnight and belongs to the day on which it began.
type window struct {
	name     string
	days     weekdays // on which it begins
	from, to int      // minutes since midnight, to above 0 and not included
	zone     *time.Location
}

// Check implements [engine.Condition].
func (w *window) Check(c *engine.Call) (engine.Verdict, error) {
	if w.MayHold(c.Wall) {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	return engine.Verdict{Condition: w.name, Detail: w.String()}, nil
}

// MayHold reports whether a time is in the window.
func (w *window) MayHold(t time.Time) bool {
	t = t.In(w.zone)
	minute := t.Hour()*60 + t.Minute()
	today, yesterday := w.days.on[t.Weekday()], w.days.on[(t.Weekday()+6)%7]
	if w.from < w.to {
		return today && w.from <= minute && minute < w.to
	}
	return today && w.from <= minute || yesterday && minute < w.to
}

// Name implements [engine.Condition].
func (w *window) Name() string { return w.name }

// String returns "hours: mon-fri 08:00-19:00 Europe/Madrid".
func (w *window) String() string {
	return fmt.Sprintf("%s: %s %s-%s %s", w.name, w.days.text, clockText(w.from), clockText(w.to), w.zone)
}

func clockText(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// weekdays are days of the week, by [time.Weekday], and how the script has
// them.
type weekdays struct {
	on   [7]bool
	text string
}

// parseDays reads "mon-fri", "sat,sun" or "mon-wed,fri". A range may wrap, as
// in "fri-mon".
func parseDays(s string) (weekdays, error) {
	days := weekdays{text: strings.ReplaceAll(s, " ", "")}
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
			days.on[day] = true
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
	if total := int(hour*60 + minute); err == nil && minute < 60 && total <= midnight {
		return total, nil
	}
	return 0, malformed
}

// parseStart reads a time of day at which a window can begin.
func parseStart(s string) (int, error) {
	minute, err := parseClock(s)
	if err == nil && minute == midnight {
		err = errors.New(`a window begins at "23:59" or earlier`)
	}
	return minute, err
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
