package condition

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/spelling"
)

// Window is the kind of condition that holds at a time of day, on days of the
// week.
func Window() Kind {
	const (
		clock    = `a time of day such as "08:00"`
		dateType = `a date or a list of dates, such as { "12-25", "2026-12-24 to 2027-01-06", file = "lists/holidays.txt" }`
	)
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
				Doc: "The time zone of the days and times.", Expected: `a time zone such as "Europe/Madrid"`, Zone: true},
			{Name: "only", Type: dateType, Doc: "The dates on which the window begins; on no others.",
				Expected: "dates such as " + dateForms, Parse: parser(parseSpan), ReadFile: readDates},
			{Name: "except", Type: dateType, Doc: "The dates on which the window does not begin. A window of the night before goes on.",
				Expected: "dates such as " + dateForms, Parse: parser(parseSpan), ReadFile: readDates},
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
	for name, into := range map[string]**dates{"only": &w.only, "except": &w.except} {
		items, given := v.Named[name].([]any)
		if given && len(items) == 0 {
			return nil, fmt.Errorf("%s has no date: expected one such as %s", name, dateForms)
		}
		*into = datesOf(items)
	}
	switch {
	case len(v.Named) == 1: // the zone
		return nil, errors.New("expected days, from, to, only or except: it would hold at all times")
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
	only     *dates   // it begins on no others; nil: on all
	except   *dates   // it begins on none of these; nil: there are none
	from, to int      // minutes since midnight, to above 0 and not included
	zone     *time.Location
}

// Check implements [engine.Condition].
func (w *window) Check(c *engine.Call) (engine.Verdict, error) {
	if c.ClockDoubt {
		return engine.Verdict{
			Outcome: engine.Unknown, Reason: engine.ClockDoubt, Condition: w.name, Detail: w.String() + ": " + engine.ClockText,
		}, nil
	}
	if w.MayHold(c.Wall) {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	v := engine.Verdict{Condition: w.name}
	var again time.Time
	if v.Detail, again = w.refusal(c.Wall); !again.IsZero() {
		v.Fields = []engine.Field{{Key: engine.FieldHoldsAgain, Value: again.Format(time.RFC3339)}}
	}
	return v, nil
}

// String returns "hours: mon-fri 08:00-19:00 Europe/Madrid", with the dates
// behind it.
func (w *window) String() string {
	text := fmt.Sprintf("%s: %s %s-%s %s", w.name, w.days.text, clockText(w.from), clockText(w.to), w.zone)
	if w.only != nil {
		text += ", only " + w.only.text
	}
	if w.except != nil {
		text += ", except " + w.except.text
	}
	return text
}

// Name implements [engine.Condition].
func (w *window) Name() string { return w.name }

// soon is how far ahead a day of the week alone says when a window holds again.
const soon = 6 * 24 * time.Hour

// refusal returns why the window does not hold at a time: its text, what the
// clock showed, and when it holds again. That time is zero when it never does.
func (w *window) refusal(t time.Time) (detail string, again time.Time) {
	local := t.In(w.zone)
	detail = w.String() + "; it was " + local.Format("Mon 15:04") + "; "
	again, some := change(w, t, time.Time{})
	switch again = again.In(w.zone); {
	case !some:
		return detail + "does not hold again", time.Time{}
	case again.Sub(t) > soon:
		return detail + "holds again " + again.Format("2006-01-02 15:04"), again
	}
	return detail + "holds again " + again.Format("Mon 15:04"), again
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
