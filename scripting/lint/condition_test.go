package lint_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source/sourcetest"
)

// windowsOf names windows that the cases below use.
const windowsOf = `
local hours    = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local same     = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local saturday = sesame.window { days = "sat", from = "09:00", to = "14:00", tz = "Europe/Madrid" }
local contract = sesame.window { tz = "Europe/Madrid", only = { "2026-01-01 to 2026-06-30" } }
local leap     = sesame.window { tz = "Europe/Madrid", only = { "02-29" } }
local sunday   = sesame.window { days = "sun", tz = "Europe/Madrid", except = { "12-25" } }
local closed   = sesame.window { days = "mon-fri", tz = "UTC", except = { "01-01 to 12-31" } }
local office   = sesame.networks { "192.0.2.0/24" }
sesame.door "a" { sequence = { 5526, 9342, "udp/3051", 7718 }, guards = 22, OPTIONS }
sesame.door "way" { sequence = { 9101, 2718, "udp/8281", 4590 }, guards = 22 }`

func TestWindows(t *testing.T) {
	june, july := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 3, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		options string
		now     time.Time
		want    string
	}{
		{"when = hours", july, ""},
		{"when = { hours, saturday }", july, lint.WindowNever},
		{"when = { contract, hours }", june, ""},
		{"when = { contract, hours }", july, lint.WindowOver},
		{"when = sesame.any { contract, hours }", july, lint.WindowOver},
		{"when = { contract, hours }", time.Time{}, ""}, // nobody knows
		{"when = { leap, hours }", july, ""},
		{"when = { leap, contract }", june, lint.WindowNever},
		{"when = { sunday, hours }", july, lint.WindowNever},
		{"when = closed", july, lint.WindowOver},
		{"when = { sesame.none { contract }, hours }", june, ""},

		{"ends_with = hours", july, lint.EndsOutside},
		{"ends_with = hours, when = hours", july, ""},
		{"ends_with = hours, when = same", july, ""},
		{"ends_with = hours, when = { office, hours }", july, ""},
		{"ends_with = hours, when = sesame.all { office, hours }", july, ""},
		{"ends_with = hours, when = sesame.any { office, hours }", july, lint.EndsOutside},
		{"ends_with = hours, when = sesame.any { hours, saturday }", july, lint.EndsOutside},
		{"ends_with = sesame.any { hours, saturday }, when = sesame.any { saturday, same }", july, ""},
		{"ends_with = sesame.any { hours, saturday }, when = hours", july, ""},
		{"ends_with = hours, when = sesame.none { hours }", july, lint.EndsOutside},
		{"ends_with = hours, when = function() return true end", july, lint.EndsOutside},
	} {
		set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": strings.Replace(windowsOf, "OPTIONS", tt.options, 1)}), scripting.Options{})
		if err != nil {
			t.Fatal(tt.options, err)
		}
		var got []string
		for _, f := range lint.CheckOn(set, nil, nil, tt.now) {
			if slices.Contains([]string{lint.WindowNever, lint.WindowOver, lint.EndsOutside}, f.ID) {
				got = append(got, f.ID)
			}
		}
		set.Close()
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s in %s: found %v, want %q", tt.options, tt.now.Format(time.DateOnly), got, tt.want)
		}
	}
}
