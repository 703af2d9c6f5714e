package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/knockd"
	"sesame/scripting/lint"
	"sesame/scripting/source"
)

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// fenced returns what docs/from-knockd.md shows in a language.
func fenced(t *testing.T, page, language string) []string {
	t.Helper()
	var found []string
	for _, m := range fence.FindAllStringSubmatch(page, -1) {
		if m[1] == language {
			found = append(found, m[2])
		}
	}
	return found
}

// withoutComments returns a script as the page shows it: without lines that are
// comments, and blank ones at its head.
func withoutComments(script string) string {
	lines := slices.DeleteFunc(strings.SplitAfter(script, "\n"), func(line string) bool { return strings.HasPrefix(line, "--") })
	return strings.TrimLeft(strings.Join(lines, ""), "\n")
}

// withoutRemarks returns a configuration without blank lines and lines that are comments.
func withoutRemarks(settings string) string {
	return strings.Join(slices.DeleteFunc(strings.SplitAfter(settings, "\n"), func(line string) bool { return line == "\n" || strings.HasPrefix(line, "#") }), "")
}

// What the page says of its example is what the programs make of it.
func TestFromKnockd(t *testing.T) {
	text, err := os.ReadFile("../../docs/from-knockd.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	confs, scripts := fenced(t, page, "conf"), fenced(t, page, "lua")
	if len(confs) == 0 || len(scripts) != 3 {
		t.Fatalf("the page shows %d knockd.conf and %d scripts: expected the example, and its script, the line that reads it, and its native script", len(confs), len(scripts))
	}
	for _, conf := range confs {
		if _, err := knockd.Parse("knockd.conf", []byte(conf)); err != nil {
			t.Errorf("the import refuses what the page shows: %v", err)
		}
	}
	conf, err := knockd.Parse("/etc/knockd.conf", []byte(confs[0]))
	if err != nil {
		t.Fatal(err)
	}
	conf.Add(inOrder(conf)...)
	script := conf.Script(knockd.ScriptOptions{})
	if got := withoutComments(script); got != scripts[0] {
		t.Errorf("the import writes\n%s\nand the page shows\n%s", got, scripts[0])
	}
	native := withoutComments(conf.Script(knockd.ScriptOptions{Native: true}))
	if want := "sesame.policy \"knockd\"\n\n" + scripts[2]; native != want {
		t.Errorf("the import writes with --native\n%s\nand the page shows\n%s", native, want)
	}
	configs, defaults := fenced(t, page, "toml"), fenced(t, page, "sh")
	if len(configs) == 0 || len(defaults) == 0 {
		t.Fatal("the page shows no sesame.toml, or no file of defaults: expected one of each")
	}
	settings := conf.Settings(knockd.ReadDefaults([]knockd.DefaultsFile{{Path: "/etc/default/knockd", Text: []byte(defaults[0])}}))
	if got := withoutRemarks(settings); got != configs[0] {
		t.Errorf("the import writes\n%s\nand the page shows\n%s", got, configs[0])
	}

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "knockd.lua"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := source.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, o := range guesses(lint.Guesses(set)) {
		if !strings.Contains(page, o.String()) {
			t.Errorf("the page lacks what check --guess says of its example:\n%s", o)
		}
	}
}
