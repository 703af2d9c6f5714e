package systemd_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// installed copies the units to a directory, with a program that is there, and returns the paths of
// their names.
func installed(t *testing.T) (units map[string]string) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not here: the units are not looked at")
	}
	names, err := filepath.Glob("*.s[eo]*")
	if err != nil || len(names) != 4 {
		t.Fatalf("found the units %v, %v: expected four", names, err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, units := t.TempDir(), map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		units[name] = filepath.Join(dir, name)
		text = []byte(strings.ReplaceAll(string(text), "/usr/sbin/sesame ", program+" "))
		if err := os.WriteFile(units[name], text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return units
}

func TestUnitsAreRight(t *testing.T) {
	units := slices.Collect(maps.Values(installed(t)))
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", append([]string{"verify", "--man=no"}, units...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

var overall = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// TestUnitsAreConfined holds the score that systemd gives a unit, from 0 for
// one that can do nothing to 10 for one that can do everything.
func TestUnitsAreConfined(t *testing.T) {
	units := installed(t)
	for name, most := range map[string]float64{"sesame.service": 2.3, "sesame-guard.service": 1.9, "sesame-helper.service": 3.5} {
		out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", units[name]).CombinedOutput()
		score := overall.FindSubmatch(out)
		if err != nil || score == nil {
			t.Fatalf("systemd-analyze security: %v\n%s", err, out)
		}
		if level, err := strconv.ParseFloat(string(score[1]), 64); err != nil || level > most {
			t.Errorf("%s: exposure %s, %v: expected at most %v", name, score[1], err, most)
		}
	}
}
