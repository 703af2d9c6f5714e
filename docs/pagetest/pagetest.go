// Package pagetest turns a template and a table of the program into a page of
// documentation, and compares the page with the one that is stored.
package pagetest

import (
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
)

// Fill returns the page at path, made from its template at path.tmpl.
func Fill(t *testing.T, path string, functions map[string]any) string {
	t.Helper()
	text, err := os.ReadFile(path + ".tmpl")
	if err != nil {
		t.Fatal(err)
	}
	page, err := template.New(path).Funcs(functions).Parse(string(text))
	if err != nil {
		t.Fatalf("reading the template: %v", err)
	}
	var b strings.Builder
	if err := page.Execute(&b, nil); err != nil {
		t.Fatalf("filling the template: %v", err)
	}
	return b.String()
}

// Compare fails the test when the file at path differs from a page. With update
// it writes the page first.
func Compare(t *testing.T, path, page string, update bool) {
	t.Helper()
	if update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page, string(stored)); diff != "" {
		t.Errorf("%s differs from its template and its table; run make docs (-want +got):\n%s", path, diff)
	}
}

// Wrap breaks a text into lines of at most width columns. The first line begins
// with first, and the others with rest. Words stay whole, and so does what
// stands between backquotes.
func Wrap(text, first, rest string, width int) string {
	var b strings.Builder
	line, empty := first, true
	for _, word := range words(text) {
		if !empty && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	return b.String() + line + "\n"
}

// words cuts a text at its spaces, but not inside of code: markdown would keep
// a line break there, and some readers show it.
func words(text string) []string {
	var words []string
	for _, field := range strings.Fields(text) {
		if last := len(words) - 1; last >= 0 && strings.Count(words[last], "`")%2 == 1 {
			words[last] += " " + field
			continue
		}
		words = append(words, field)
	}
	return words
}
