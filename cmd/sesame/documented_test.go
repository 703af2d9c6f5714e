//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCommandsAreDocumented holds that a page names each command, and that each has a
// short description.
func TestCommandsAreDocumented(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, page := range append(pages, "../../README.md") {
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	text := strings.Join(strings.Fields(all.String()), " ") // a line may end within a name
	p := &program{}
	for _, name := range undocumented(p.root(), text) {
		t.Errorf("%s: no page in docs/ names it, or it has no short description", name)
	}
	if got := undocumented(&cobra.Command{Use: "sesame"}, ""); got != nil {
		t.Errorf("without commands: %q", got)
	}
	extra := p.root()
	extra.AddCommand(&cobra.Command{Use: "forgotten", Short: "x", Run: func(*cobra.Command, []string) {}})
	if got := undocumented(extra, text); len(got) != 1 || got[0] != "sesame forgotten" {
		t.Errorf("a new command is not missed: %q", got)
	}
}

// undocumented returns the commands below one, such as "sesame check", that a text does
// not name.
func undocumented(parent *cobra.Command, text string) (missing []string) {
	for _, c := range parent.Commands() {
		if c.Hidden {
			continue
		}
		if c.Short == "" || !strings.Contains(text, c.CommandPath()) {
			missing = append(missing, c.CommandPath())
		}
		missing = append(missing, undocumented(c, text)...)
	}
	return missing
}
