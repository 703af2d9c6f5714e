package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnitsRunWhatIsThere holds that the units of systemd call commands that
// this program has.
func TestUnitsRunWhatIsThere(t *testing.T) {
	units, err := filepath.Glob("../../daemon/systemd/*.service")
	if err != nil || len(units) != 3 {
		t.Fatalf("found the units %v, %v: expected three", units, err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		for line := range strings.Lines(string(text)) {
			key, call, found := strings.Cut(strings.TrimSpace(line), "=")
			if !found || !strings.HasPrefix(key, "Exec") {
				continue
			}
			calls++
			arguments, ours := strings.CutPrefix(call, "/usr/sbin/sesame ")
			p := &program{}
			command, rest, err := p.root().Find(strings.Fields(arguments))
			if !ours || err != nil || len(rest) > 0 || !command.Runnable() {
				t.Errorf("%s: %s: no such command of sesame", filepath.Base(unit), line)
			}
		}
		if calls == 0 {
			t.Errorf("%s calls nothing", filepath.Base(unit))
		}
	}
}
