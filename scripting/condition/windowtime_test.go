package condition

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/scripting/zone"
)

// location returns a zone that is built in.
func location(t interface{ Fatal(...any) }, name string) *time.Location {
	file, err := zone.BuiltIn(name)
	if err != nil {
		t.Fatal(name, err)
	}
	location, err := zone.Load(name, file)
	if err != nil {
		t.Fatal(name, err)
	}
	return location
}

// windowOf makes a window as a script does. An empty text leaves an option out.
func windowOf(t interface{ Fatal(...any) }, zone *time.Location, days, from, to string, only, except []string) *window {
	named := map[string]any{"tz": zone}
	set := func(name, text string, parse func(string) (any, error)) {
		if text != "" {
			value, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			named[name] = value
		}
	}
	set("days", days, parser(parseDays))
	set("from", from, parser(parseStart))
	set("to", to, parser(parseClock))
	for name, texts := range map[string][]string{"only": only, "except": except} {
		var items []any
		for _, text := range texts {
			one, err := parseSpan(text)
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, one)
		}
		if items != nil {
			named[name] = items
		}
	}
	w, err := buildWindow("w", Values{Named: named})
	if err != nil {
		t.Fatal(err)
	}
	return w.(*window)
}

// oddMoments are times around which the local clocks of some zones do odd things.
var oddMoments = []struct{ zone, at string }{
	{"Europe/Madrid", "2026-03-29"}, {"Europe/Madrid", "2026-10-25"}, // an hour, at 02:00 and 03:00
	{"America/St_Johns", "2010-11-07"}, {"America/St_Johns", "2011-03-13"}, // one minute after midnight
	{"Australia/Lord_Howe", "2026-04-05"}, {"Australia/Lord_Howe", "2026-10-04"}, // half an hour
	{"Pacific/Apia", "2011-12-30"},                                           // a day that never was
	{"Africa/Casablanca", "2026-02-15"}, {"Africa/Casablanca", "2026-03-22"}, // around Ramadan
	{"Pacific/Kwajalein", "1993-08-21"}, // another day that never was
	{"America/Havana", "2026-11-01"},    // at 01:00, back to midnight
	{"Asia/Manila", "1844-12-31"},       // a day that never was
	{"America/Juneau", "1867-10-18"},    // a day that was twice
	{"America/Sao_Paulo", "2018-11-04"}, // no midnight
	{"UTC", "2026-12-31"},
}

// TestTheWalkFindsWhatEachMinuteShows compares the search with a look at each
// minute of two weeks.
func TestTheWalkFindsWhatEachMinuteShows(t *testing.T) {
	zones := map[string]*time.Location{"UTC": time.UTC}
	for _, m := range oddMoments {
		if zones[m.zone] == nil {
			zones[m.zone] = location(t, m.zone)
		}
	}
	clocks := rapid.Custom(func(t *rapid.T) string {
		minute := rapid.OneOf(rapid.SampledFrom([]int{0, 1, 30, 60, 90, 120, 150, 180, 1439}), rapid.IntRange(0, 1439)).Draw(t, "minute")
		return clockText(minute)
	})
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(oddMoments).Draw(t, "moment")
		middle, err := time.Parse(time.DateOnly, m.at)
		if err != nil {
			t.Fatal(err)
		}
		dates := rapid.Custom(func(t *rapid.T) string {
			d := middle.AddDate(0, 0, rapid.IntRange(-6, 6).Draw(t, "day"))
			if rapid.Bool().Draw(t, "yearly") {
				return d.Format("01-02")
			}
			return d.Format(time.DateOnly) + " to " + d.AddDate(0, 0, rapid.IntRange(0, 5).Draw(t, "more")).Format(time.DateOnly)
		})
		from, to := clocks.Draw(t, "from"), clocks.Draw(t, "to")
		if from == to {
			to = ""
		}
		if from != "00:00" && to == "00:00" {
			to = "24:00"
		}
		w := windowOf(t, zones[m.zone], rapid.SampledFrom([]string{"mon-sun", "mon-fri", "sat,sun", "fri", "thu-sat"}).Draw(t, "days"), from, to,
			rapid.SliceOfN(dates, 0, 3).Draw(t, "only"), rapid.SliceOfN(dates, 0, 3).Draw(t, "except"))
		start := middle.AddDate(0, 0, -7).Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "start")) * time.Minute)
		limit := start.AddDate(0, 0, 14)

		naive := limit
		for at := start; at.Before(limit); at = at.Add(time.Minute) {
			if shows(w, at) != shows(w, start) {
				naive = at
				break
			}
		}
		got, some := change(w, start, limit)
		if !some {
			got = limit
		}
		// Zones of the time before railways are off by seconds.
		if d := naive.Sub(got); d < 0 || d >= time.Minute {
			t.Fatalf("%v from %v: changes at %v, and minute by minute at %v", w, start, got, naive)
		}
		if w.MayHold(start) != shows(w, start) {
			t.Fatalf("%v at %v: holds is %t", w, start, w.MayHold(start))
		}
	})
}

// shows reports whether a window holds, from the texts that a clock and a
// calendar on the wall show.
func shows(w *window, at time.Time) bool {
	local := at.In(w.zone)
	clock, today := local.Format("15:04"), local.Format(time.DateOnly)
	date, _ := time.Parse(time.DateOnly, today)
	yesterday := date.AddDate(0, 0, -1).Format(time.DateOnly)
	from, to := clockText(w.from), clockText(w.to)
	if from < to {
		return from <= clock && clock < to && beginsOn(w, today)
	}
	return from <= clock && beginsOn(w, today) || clock < to && beginsOn(w, yesterday)
}

// beginsOn is a naive model of dates. It reads the texts of the spans.
func beginsOn(w *window, date string) bool {
	t, _ := time.Parse(time.DateOnly, date)
	has := func(d *dates) bool {
		for n, yearly := range d.yearly {
			if yearly && fmt.Sprintf("%02d-%02d", n/100, n%100) == date[5:] {
				return true
			}
		}
		for _, s := range d.spans {
			if s.first.midnight().Format(time.DateOnly) <= date && date <= s.last.midnight().Format(time.DateOnly) {
				return true
			}
		}
		return false
	}
	return w.days.on[t.Weekday()] && (w.only == nil || has(w.only)) && (w.except == nil || !has(w.except))
}

func TestWindowsFarAway(t *testing.T) {
	madrid := location(t, "Europe/Madrid")
	for _, tt := range []struct {
		days         string
		only, except []string
		want         string // "": never
	}{
		{"mon", []string{"02-29"}, nil, "2044-02-29 08:00"},
		{"mon-sun", []string{"2031-05-01 to 2031-05-03"}, []string{"2031-05-01"}, "2031-05-02 08:00"},
		{"mon-sun", []string{"2020-01-01 to 2026-01-04"}, nil, ""},
		{"mon", []string{"2027-01-05"}, nil, ""}, // a Tuesday
		{"mon-sun", []string{"12-24 to 01-06"}, []string{"12-24 to 12-31"}, "2027-01-01 08:00"},
		{"mon-sun", nil, []string{"01-01 to 12-31"}, ""},
	} {
		w := windowOf(t, madrid, tt.days, "08:00", "19:00", tt.only, tt.except)
		at, some := change(w, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), time.Time{})
		if w.MayHold(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)) {
			t.Fatalf("%v holds in June", w)
		}
		got := ""
		if some {
			got = at.In(madrid).Format("2006-01-02 15:04")
		}
		if got != tt.want {
			t.Errorf("%v: holds again %q, want %q", w, got, tt.want)
		}
	}
}

// In Madrid 02:30 is left out on March 29, so what begins then begins at 03:00.
func TestAWindowThatBeginsInTheHourThatIsLeftOut(t *testing.T) {
	w := windowOf(t, location(t, "Europe/Madrid"), "sun", "02:30", "05:00", nil, nil)
	at, _ := change(w, time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC), time.Time{})
	if want := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC); !at.Equal(want) {
		t.Errorf("it begins at %v, want %v", at, want)
	}
}
