package spec

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/scripting/zone"
)

// builtIn finds zones without looking at the machine.
func builtIn(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	file, err := zone.BuiltIn(name)
	if err != nil {
		return nil, zone.Unknown(name)
	}
	return zone.Load(name, file)
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-23 09:00 Europe/Madrid":    "2026-11-23T08:00:00Z",
		"2026-11-23 09:00:01 Europe/Madrid": "2026-11-23T08:00:01Z",
		" 2026-07-01  17:30 Europe/Madrid ": "2026-07-01T15:30:00Z",
		"2026-11-23 09:00 UTC":              "2026-11-23T09:00:00Z",
		"2026-11-23T09:00:00+01:00":         "2026-11-23T08:00:00Z",
		"2026-11-23T09:00:00.25Z":           "2026-11-23T09:00:00.25Z",
		"2026-03-29 01:59:59 Europe/Madrid": "2026-03-29T00:59:59Z",
		"2026-03-29 03:00 Europe/Madrid":    "2026-03-29T01:00:00Z",
		"2026-10-25 01:59:59 Europe/Madrid": "2026-10-24T23:59:59Z",
		"2026-10-25 03:00 Europe/Madrid":    "2026-10-25T02:00:00Z",
		"2011-12-29 23:59 Pacific/Apia":     "2011-12-30T09:59:00Z",
		"2011-12-31 00:00 Pacific/Apia":     "2011-12-30T10:00:00Z",
		"1970-01-01 00:00 UTC":              "1970-01-01T00:00:00Z",
		"2100-12-31 23:59:59 UTC":           "2100-12-31T23:59:59Z",
		"2026-11-23 09:00 Asia/Kathmandu":   "2026-11-23T03:15:00Z",
		"2026-11-23 09:00 Pacific/Niue":     "2026-11-23T20:00:00Z",
		"2026-11-23 09:00 Etc/GMT-14":       "2026-11-22T19:00:00Z",
	} {
		got, err := ParseTime(text, builtIn)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q is %v, %v: want %s", text, got.UTC().Format(time.RFC3339Nano), err, want)
		}
	}
}

func TestWrongTimes(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `"" is not a time: expected a time with its zone, such as "2026-11-23 09:00 Europe/Madrid"`,
		"2026-11-23":                     "is not a time",
		"2026-11-23 09:00":               `has no time zone: write it behind, such as "2026-11-23 09:00 Europe/Madrid" or "2026-11-23 09:00 UTC"`,
		"2026-11-23T09:00:00":            "is not a time",
		"2026-02-30 09:00 UTC":           "no clock or calendar shows this",
		"2026-11-23 24:00 UTC":           "no clock or calendar shows this",
		"2026-11-23 9:00 UTC":            "this is not a time",
		"2026-11-23 09:00 Europe/Madird": `unknown time zone "Europe/Madird": did you mean "Europe/Madrid"?`,
		"2026-11-23 09:00 Local":         "unknown time zone",
		"2026-11-23 09:00 UTC now":       "is not a time",
		"1969-12-31 23:59 UTC":           "expected a year from 1970 to 2100",
		"2101-01-01 00:00 UTC":           "expected a year from 1970 to 2100",
		"0000-01-01T00:00:00Z":           "expected a year from 1970 to 2100",
		"2026-03-29 02:30 Europe/Madrid": `"2026-03-29 02:30 Europe/Madrid" does not exist, because the clock goes forward there: write "2026-03-29T01:30:00+01:00" or "2026-03-29T03:30:00+02:00"`,
		"2026-10-25 02:30 Europe/Madrid": `"2026-10-25 02:30 Europe/Madrid" is shown twice, because the clock goes back: write "2026-10-25T02:30:00+02:00" or "2026-10-25T02:30:00+01:00"`,
		"2011-12-30 12:00 Pacific/Apia":  `write "2011-12-29T12:00:00-10:00" or "2011-12-31T12:00:00+14:00"`,
		strings.Repeat("x", 1<<16):       "is not a time",
	} {
		got, err := ParseTime(text, builtIn)
		if err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 || !got.IsZero() {
			t.Errorf("%.80q: got %v, %v; want an error with %s", text, got, err, want)
		}
	}
}

// Every instant is written in a way that is read again, unless the clock shows it twice. Then both
// readings that the error offers are times at which the clock shows it.
func TestTimesAreReadAsTheyAreShown(t *testing.T) {
	zones := []string{"Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "UTC"}
	rapid.Check(t, func(t *rapid.T) {
		location, err := builtIn(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		want := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "seconds"), 0).In(location)
		if rapid.Bool().Draw(t, "at a change") {
			if start, _ := want.ZoneBounds(); start.Unix() > 100_000 {
				want = start.Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "from it")) * time.Second).In(location)
			}
		}
		text := want.Format(time.DateTime) + " " + location.String()
		got, err := ParseTime(text, builtIn)
		if err == nil {
			if !got.Equal(want) {
				t.Fatalf("%s is %v, want %v", text, got, want)
			}
			return
		}
		if !strings.Contains(err.Error(), "shown twice") || !strings.Contains(err.Error(), want.Format(time.RFC3339)) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, seed := range []string{"2026-11-23 09:00 Europe/Madrid", "2026-11-23T09:00:00+01:00", "2026-03-29 02:30 Europe/Madrid", "9999-99-99 99:99 UTC"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime(text, builtIn)
		if (err == nil) == got.IsZero() {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("%d bytes of error", len(err.Error()))
		}
	})
}
