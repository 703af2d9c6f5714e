package condition

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sesame/daemon/spelling"
)

// A day is a day of the calendar, counted from 1970-01-01. It is the same day in
// every zone.
type day int

// dayOf returns the day that a time has in its own zone.
func dayOf(t time.Time) day {
	year, month, date := t.Date()
	return day(time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

const secondsOfDay = 24 * 60 * 60

// midnight returns the beginning of the day in UTC.
func (d day) midnight() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }

func (d day) weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) } // day 0 was a Thursday

// yearly returns the month and the day of the month as one number: 1225.
func (d day) yearly() int {
	_, month, date := d.midnight().Date()
	return 100*int(month) + date
}

// A span is one date or a range of dates, as scripts and files write it: both
// ends are in it. A yearly one may go over the end of the year.
type span struct {
	text        string
	yearly      bool
	first, last day // of a yearly one, numbers such as 1225
}

const dateForms = `"2026-12-25", "12-25" for each year, or a range such as "2026-12-24 to 2027-01-06"`

// parseSpan reads "2026-12-25", "12-25", "2026-12-24 to 2027-01-06" or "12-24 to
// 01-06".
func parseSpan(s string) (span, error) {
	from, to, ranged := strings.Cut(s, " to ")
	first, yearly, err := parseDate(strings.TrimSpace(from))
	if err != nil || !ranged {
		return span{s, yearly, first, first}, err
	}
	last, yearlyToo, err := parseDate(strings.TrimSpace(to))
	switch {
	case err != nil:
		return span{}, err
	case yearly != yearlyToo:
		return span{}, fmt.Errorf("%q: write the year on both sides of to, or on none", spelling.Shortened(s, maxShown))
	case !yearly && last < first:
		return span{}, fmt.Errorf("%q ends before it begins", spelling.Shortened(s, maxShown))
	}
	return span{s, yearly, first, last}, nil
}

// parseDate reads one date. A yearly one is a number such as 1225, and may be
// 02-29.
func parseDate(s string) (d day, yearly bool, err error) {
	yearly = len(s) == len("12-25")
	full := s
	if yearly {
		full = "2000-" + s // a leap year
	}
	if !digits(full, "dddd-dd-dd") {
		return 0, false, fmt.Errorf("%q is not a date: expected %s", spelling.Shortened(s, maxShown), dateForms)
	}
	t, err := time.Parse(time.DateOnly, full)
	if err != nil || t.Year() == 0 {
		return 0, false, fmt.Errorf("%q does not exist in the calendar", s)
	}
	if d = dayOf(t); yearly {
		d = day(d.yearly())
	}
	return d, yearly, nil
}

// digits reports whether s has a digit for each d of a form, and its other bytes.
func digits(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	for i := range len(s) {
		if isDigit := '0' <= s[i] && s[i] <= '9'; isDigit != (form[i] == 'd') || !isDigit && s[i] != form[i] {
			return false
		}
	}
	return true
}

// maxShown bounds, in bytes, what a message shows of a line.
const maxShown = 64

// A dateFile is a file of dates.
type dateFile struct {
	path  string
	spans []span
}

// maxDateErrors bounds the wrong lines of a file that are reported.
const maxDateErrors = 10

// readDates reads a file of one date or range a line. What follows a # is a
// comment. A file without both is probably half written, and is refused.
func readDates(path string, text []byte) (any, error) {
	file := &dateFile{path: path}
	var errs []error
	commented := false
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		number++
		before, _, comment := bytes.Cut(line, []byte("#"))
		commented = commented || comment
		written := string(bytes.TrimSpace(before))
		if written == "" {
			continue
		}
		one, err := parseSpan(written)
		if err != nil {
			if errs = append(errs, &FileError{number, err.Error()}); len(errs) == maxDateErrors {
				break
			}
			continue
		}
		file.spans = append(file.spans, one)
	}
	if len(errs) == 0 && len(file.spans) == 0 && !commented {
		return nil, &FileError{1, "it has no dates: write one a line, or a comment that begins with # when none is meant"}
	}
	return file, errors.Join(errs...)
}

// dates is a set of days of the calendar.
type dates struct {
	text   string
	spans  []span     // with years, in order and apart from each other
	yearly [1232]bool // by numbers such as 1225
	always bool       // some date is yearly, so the days have no end
}

// datesOf makes a set of spans and files. An empty list gives nil.
func datesOf(items []any) *dates {
	if len(items) == 0 {
		return nil
	}
	d := &dates{text: datesText(items)}
	for _, item := range items {
		switch item := item.(type) {
		case span:
			d.add(item)
		case *dateFile:
			for _, one := range item.spans {
				d.add(one)
			}
		}
	}
	d.join()
	return d
}

func (d *dates) add(s span) {
	if !s.yearly {
		d.spans = append(d.spans, s)
		return
	}
	d.always = true
	for n := range day(len(d.yearly)) {
		if inside := s.first <= n && n <= s.last; inside || s.first > s.last && (s.first <= n || n <= s.last) {
			d.yearly[n] = true
		}
	}
}

// join puts the spans in order, and makes one of those that touch.
func (d *dates) join() {
	slices.SortFunc(d.spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var joined []span
	for _, s := range d.spans {
		if n := len(joined); n > 0 && s.first <= joined[n-1].last+1 {
			joined[n-1].last = max(joined[n-1].last, s.last)
			continue
		}
		joined = append(joined, s)
	}
	d.spans = joined
}

func (d *dates) has(is day) bool {
	if d.always && d.yearly[is.yearly()] {
		return true
	}
	i, _ := slices.BinarySearchFunc(d.spans, is, func(s span, is day) int { return cmp.Compare(s.last, is) })
	return i < len(d.spans) && d.spans[i].first <= is
}

// namedDates bounds the dates that the text of a window names.
const namedDates = 3

// datesText returns "12-25, 2026-12-24 to 2027-01-06, the dates in
// holidays.txt".
func datesText(items []any) string {
	var texts []string
	for _, item := range items {
		switch item := item.(type) {
		case span:
			texts = append(texts, item.text)
		case *dateFile:
			texts = append(texts, "the dates in "+filepath.Base(item.path))
		}
	}
	if more := len(texts) - namedDates; more > 0 {
		texts = append(texts[:namedDates], fmt.Sprintf("%d more", more))
	}
	return strings.Join(texts, ", ")
}
