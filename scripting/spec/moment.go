package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sesame/daemon/spelling"
)

// The years that a time of a test can have. Every sum with a duration of a script stays far from
// overflow.
const firstYear, lastYear = 1970, 2100

const timeForms = `a time with its zone, such as "2026-11-23 09:00 Europe/Madrid", "2026-11-23 09:00:01 UTC" or "2026-11-23T09:00:00+01:00"`

// ParseTime reads a time of the clock in a zone, with seconds or without, or a time as RFC 3339 has
// it. The function zone finds a zone by its name; its error is returned as it is. A time that the
// clock of the zone skips, or shows twice, is an error that names the two instants around it. The
// result is in the zone that was written, and in one of the years 1970 to 2100.
func ParseTime(text string, zone func(name string) (*time.Location, error)) (time.Time, error) {
	t, err := parseTime(strings.TrimSpace(text), zone)
	if err == nil && (t.UTC().Year() < firstYear || t.UTC().Year() > lastYear) {
		return time.Time{}, fmt.Errorf("%s: expected a year from %d to %d", shown(text), firstYear, lastYear)
	}
	return t, err
}

func parseTime(text string, zone func(name string) (*time.Location, error)) (time.Time, error) {
	words := strings.Fields(text)
	switch {
	case len(words) == 1 && strings.ContainsAny(text, "Tt"):
		return parseRFC3339(text)
	case len(words) != 2 && len(words) != 3:
		return time.Time{}, fmt.Errorf("%s is not a time: expected %s", shown(text), timeForms)
	}
	clock := words[0] + " " + words[1]
	wall, err := parseClock(clock)
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("%s: %w", shown(text), err)
	case len(words) == 2:
		return time.Time{}, fmt.Errorf(`%s has no time zone: write it behind, such as "%s Europe/Madrid" or "%[2]s UTC"`, shown(text), clock)
	}
	location, err := zone(words[2])
	if err != nil {
		return time.Time{}, err
	}
	return instant(text, wall, location)
}

func parseRFC3339(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s is not a time: expected %s", shown(text), timeForms)
	}
	return t, nil
}

// parseClock reads what a clock shows. The result has it in UTC.
func parseClock(text string) (time.Time, error) {
	for _, form := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if len(text) != len(form) { // else the year, or the hour, could have fewer digits
			continue
		}
		wall, err := time.Parse(form, text)
		if wrong, is := errors.AsType[*time.ParseError](err); is && strings.Contains(wrong.Message, "out of range") {
			return time.Time{}, errors.New("no clock or calendar shows this: expected a day that exists, and an hour from 00 to 23")
		}
		if err == nil {
			return wall, nil
		}
	}
	return time.Time{}, fmt.Errorf("this is not a time: expected %s", timeForms)
}

// instant returns the one time at which a clock of the zone shows wall, which is in UTC.
func instant(text string, wall time.Time, zone *time.Location) (time.Time, error) {
	offsets := offsetsAround(wall, zone)
	var shows []time.Time
	for _, offset := range offsets {
		t := wall.Add(-offset).In(zone)
		if _, has := t.Zone(); time.Duration(has)*time.Second == offset {
			shows = append(shows, t)
		}
	}
	slices.SortFunc(shows, time.Time.Compare)
	switch len(shows) {
	case 0:
		return time.Time{}, skipped(text, wall, zone, offsets)
	case 1:
		return shows[0], nil
	}
	return time.Time{}, fmt.Errorf("%s is shown twice, because the clock goes back: write %q or %q",
		shown(text), shows[0].Format(time.RFC3339), shows[len(shows)-1].Format(time.RFC3339))
}

// skipped returns the error for a time that the clock leaves out. With the offset before and with
// the one after it, the time is two instants. The clock shows other times at them.
func skipped(text string, wall time.Time, zone *time.Location, offsets []time.Duration) error {
	early := wall.Add(-slices.Max(offsets)).In(zone)
	late := wall.Add(-slices.Min(offsets)).In(zone)
	return fmt.Errorf("%s does not exist, because the clock goes forward there: write %q or %q",
		shown(text), early.Format(time.RFC3339), late.Format(time.RFC3339))
}

// maxOffsets bounds the changes of a zone that are looked at. A real zone has at most two within
// these days; a file of a zone can have any number.
const maxOffsets = 16

// offsetsAround returns the offsets from UTC that a zone has around a time of its clock, each once.
// No offset is more than 26 hours, also where a zone leaves out a day.
func offsetsAround(wall time.Time, zone *time.Location) []time.Duration {
	const reach = 26 * time.Hour
	var offsets []time.Duration
	for t := wall.Add(-reach).In(zone); len(offsets) < maxOffsets; {
		_, seconds := t.Zone()
		if offset := time.Duration(seconds) * time.Second; !slices.Contains(offsets, offset) {
			offsets = append(offsets, offset)
		}
		_, end := t.ZoneBounds()
		if end.After(wall.Add(reach)) || !end.After(t) { // a zone that changes no more has a zero end
			break
		}
		t = end
	}
	return offsets
}

func shown(text string) string { return fmt.Sprintf("%q", spelling.Shortened(text, 64)) }
