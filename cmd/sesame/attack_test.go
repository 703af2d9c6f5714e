package main

import (
	"testing"
	"time"

	"sesame/simulate/attack"
)

// FuzzAttackFlags: what is accepted is a rate and a range that a scan can have.
func FuzzAttackFlags(f *testing.F) {
	for _, text := range []string{"13000/s", "13000", "6/m", "1/10m", "1-1024", "22", "worst", "0-9", "9-8", "-1", "1/", "/s", "1-", "99999-99999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if rate, err := parseRate(text); err == nil && (rate.Count < 1 || rate.Per <= 0) {
			t.Errorf("rate %q: %+v", text, rate)
		}
		if low, high, err := parsePorts(text); err == nil && (low < 1 || high < low) {
			t.Errorf("ports %q: %d-%d", text, low, high)
		}
	})
}

func TestRates(t *testing.T) {
	for text, want := range map[string]attack.Rate{
		"13000/s": {Count: 13000, Per: time.Second}, "7": {Count: 7, Per: time.Second},
		"6/m": {Count: 6, Per: time.Minute}, "1/10m": {Count: 1, Per: 10 * time.Minute},
		"0": {}, "-1/s": {}, "1/": {}, "/s": {}, "x/s": {}, "1/x": {}, "1/0s": {}, "2147483648": {},
	} {
		if got, err := parseRate(text); got != want || (err == nil) != (want.Count > 0) {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
}
