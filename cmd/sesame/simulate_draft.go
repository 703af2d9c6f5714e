package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/simulate"
	"sesame/simulate/draft"
)

// writeTest prints a test that sends what mattered of the captures, and expects what came of it.
func (p *program) writeTest(ctx context.Context, f *simulateFlags, set *scripting.Set, config simulate.Config) error {
	found, err := simulate.Matter(ctx, config)
	if err != nil {
		return err
	}
	name, input := draftName(config.Captures)
	options, lists := givenOptions(set)
	written, err := draft.Write(ctx, draft.Config{
		Set: set, Mattered: found, Local: config.Local, Replace: f.output.replace, Options: options, Lists: lists,
		Name: name, Comment: fmt.Sprintf("Of %s: what mattered of it.", input),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", input, err)
	}
	for _, address := range written.Stayed {
		p.warn("%s is not replaced: with another address something else would happen", address)
	}
	return p.print("%s", written.Text)
}

// draftName returns the name of a test of captures, and what they are, for people.
func draftName(captures []string) (name, input string) {
	switch {
	case len(captures) == 0:
		return "typed knocks", "knocks that were typed"
	case captures[0] == "-":
		return "a capture", "a capture"
	}
	name, _, _ = strings.Cut(filepath.Base(captures[0]), ".")
	if n := len(captures); n > 1 {
		return name, transcript.Count(n, "capture")
	}
	return name, filepath.Base(captures[0])
}

// givenOptions returns the values of options that were given.
func givenOptions(set *scripting.Set) (values map[string]string, lists map[string]bool) {
	values, lists = map[string]string{}, map[string]bool{}
	for _, o := range set.Options {
		if o.Set {
			values[o.Name] = fmt.Sprint(o.Value)
			lists[o.Name] = o.Type == "strings" || o.Type == "ports"
		}
	}
	return values, lists
}
