package journald

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestEventsAreDocumented compares the table of events with docs/running.md.
func TestEventsAreDocumented(t *testing.T) {
	table, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(page), "| `EVENT` | level | message |")
	rows, _, _ = strings.Cut(rows, "\n\n")
	documented := map[string]bool{}
	for row := range strings.Lines(rows) {
		first, _, _ := strings.Cut(strings.TrimPrefix(row, "|"), "|")
		for _, name := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(first, -1) {
			documented[name[1]] = true
		}
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`return "([a-z]+)"|case ("stage".*):`).FindAllStringSubmatch(string(table), -1) {
		for _, name := range regexp.MustCompile(`[a-z]+`).FindAllString(m[1]+" "+m[2], -1) {
			known[name] = true
		}
	}
	for name := range known {
		if !documented[name] {
			t.Errorf("docs/running.md does not have the event %s", name)
		}
	}
	for name := range documented {
		if !known[name] {
			t.Errorf("docs/running.md has the event %s, and no line has it", name)
		}
	}
	if len(known) < 10 {
		t.Errorf("%d events are known", len(known))
	}
}
