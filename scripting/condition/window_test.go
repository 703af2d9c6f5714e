package condition

import (
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	madrid := location(t, "Europe/Madrid")
	for _, tt := range []struct{ days, from, to, at, want string }{
		{"mon-fri", "08:00", "19:00", "2026-03-02 08:00", "in"}, // a Monday
		{"mon-fri", "08:00", "19:00", "2026-03-02 07:59", "out"},
		{"mon-fri", "08:00", "19:00", "2026-03-02 18:59", "in"},
		{"mon-fri", "08:00", "19:00", "2026-03-02 19:00", "out"},
		{"mon-fri", "08:00", "19:00", "2026-03-01 12:00", "out"},
		{"fri-mon", "00:00", "24:00", "2026-03-01 23:59", "in"},
		{"fri-mon", "00:00", "24:00", "2026-03-03 00:00", "out"},
		{"mon-wed,fri", "00:00", "24:00", "2026-03-05 12:00", "out"},
		{"mon-wed, fri", "00:00", "24:00", "2026-03-06 12:00", "in"},
		{"fri", "22:00", "06:00", "2026-03-06 22:00", "in"}, // begins on Friday
		{"fri", "22:00", "06:00", "2026-03-07 05:59", "in"}, // and ends on Saturday
		{"fri", "22:00", "06:00", "2026-03-07 06:00", "out"},
		{"fri", "22:00", "06:00", "2026-03-06 05:59", "out"}, // Thursday's night
		{"sun", "01:00", "04:00", "2026-03-29 03:30", "in"},  // an hour later than 01:59: the clock leaps
	} {
		w := &window{name: "w", zone: madrid}
		var errs [3]error
		w.days, errs[0] = parseDays(tt.days)
		w.from, errs[1] = parseClock(tt.from)
		w.to, errs[2] = parseClock(tt.to)
		at, err := time.ParseInLocation("2006-01-02 15:04", tt.at, madrid)
		if err != nil || errs != [3]error{} {
			t.Fatal(err, errs)
		}
		if got := w.MayHold(at.UTC()); got != (tt.want == "in") {
			t.Errorf("%s: %s is %s %s-%s: %t", tt.want, tt.at, tt.days, tt.from, tt.to, got)
		}
	}
	for _, text := range []string{"", "8:00", "08:60", "24:01", "-1:00", "08.00", "+8:00", "0800"} {
		if got, err := parseClock(text); err == nil {
			t.Errorf("%q is %d minutes: expected an error", text, got)
		}
	}
}
