package sandbox

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLongLinesAreCut: a message shows what is around the column, with the caret under it.
func TestLongLinesAreCut(t *testing.T) {
	for _, unit := range []string{"x", "\u00e9", "\u20ac"} {
		for _, columns := range [][2]int{{0, 0}, {1, 500}, {300, 300}, {700, 0}, {50, 10}} {
			before, after := strings.Repeat(unit, columns[0]), strings.Repeat(unit, columns[1])
			e := &Error{File: "a.lua", Line: 1, Column: len(before) + 1, Message: "m"}
			e.Quote(before + "@" + after)
			lines := strings.Split(e.Detail(), "\n")
			if len(lines) != 3 || len(lines[1]) > maxExcerpt+20 || !utf8.ValidString(lines[1]) {
				t.Fatalf("%q", lines)
			}
			at := func(line, mark string) int { return utf8.RuneCountInString(line[:strings.Index(line, mark)]) }
			if at(lines[1], "@") != at(lines[2], "^") {
				t.Errorf("the caret is at the wrong place:\n%s\n%s", lines[1], lines[2])
			}
			if len(before+after) < maxExcerpt && strings.Contains(lines[1], "...") {
				t.Errorf("a short line is cut: %s", lines[1])
			}
		}
	}
	e := &Error{File: "a.lua", Line: 1, Message: "m"}
	e.Quote(strings.Repeat("x", 500))
	if got, want := e.Detail(), "a.lua:1: m\n    1 | "+strings.Repeat("x", maxExcerpt)+"..."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
