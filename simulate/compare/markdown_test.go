package compare_test

import (
	"strings"
	"testing"

	"sesame/simulate/compare"
)

// TestHostileTextsStayText has names of doors and reasons that would be markup.
func TestHostileTextsStayText(t *testing.T) {
	const hostile = `a<img src=x onerror=alert(1)>|[x](http://e.example) @all #1 ` + "`c` *b* \x1b[2J\n# h"
	r := &compare.Report{
		Doors: []compare.Door{{Door: hostile, Was: hostile, Lost: 1}},
		Lost:  []compare.Lost{{Opening: &compare.Opening{Door: hostile, Source: "203.0.113.9"}, Why: hostile}},
	}
	var b strings.Builder
	r.WriteMarkdown(&b, compare.Heading{Old: hostile, New: hostile}, "lost")
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "From `") { // code, in which all but a backtick is text
			if n := strings.Count(line, "`"); n != 4 {
				t.Errorf("%d backticks in %s", n, line)
			}
			continue
		}
		for _, markup := range []string{"<", "[x](", "@all", "#1", "www.", "GH-", "\x1b", "://", " *b*", " `c`"} {
			if strings.Contains(line, markup) {
				t.Errorf("%q is left in %s", markup, line)
			}
		}
	}
	if n := strings.Count(b.String(), "\n# h"); n > 0 {
		t.Errorf("%d headings are left", n)
	}
	var text strings.Builder
	r.WriteText(&text, compare.Heading{Old: hostile, New: hostile}, "lost")
	if strings.Contains(text.String(), "\x1b") || strings.Contains(text.String(), "\n# h") {
		t.Errorf("control characters are left in %q", text.String())
	}
}
