//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"sesame/scripting"
)

// Load is the loader: it reads an archive from in, loads the set, and writes the manifest to out.
// Before it runs Lua it gives up all that it does not need, for this process and for good: see
// confineLoader. So it must be called first in a process of its own, and ends with it.
func Load(in, out *os.File) error {
	a, err := readFile(in)
	if err != nil {
		return err
	}
	if err := confineLoader(); err != nil {
		return fmt.Errorf("giving up privileges: %w", err)
	}
	m := manifestOf(&a)
	text, err := m.encode()
	if err != nil {
		m = manifest{problem: cut(err.Error(), maxText)}
		if text, err = m.encode(); err != nil {
			return err
		}
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("writing the manifest: %w", err)
	}
	return nil
}

var errNotHere = errors.New("it was not among the files")

// manifestOf loads a set, and tells what it declares.
func manifestOf(a *archive) (m manifest) {
	files := a.files()
	files.ReadReferenced = func(path string) ([]byte, error) {
		m.missing = append(m.missing, path)
		return nil, errNotHere
	}
	had := files.Referenced()
	options := scripting.Options{Values: a.settings, Lists: map[string]bool{}}
	for _, name := range a.lists {
		options.Lists[name] = true
	}
	set, err := scripting.Load(files, options)
	oneTime := map[string]bool{}
	if err == nil {
		defer set.Close()
		for _, f := range set.Files {
			oneTime[f.Path] = f.OneTime
		}
		m.describe(set)
	} else {
		m.problem = cut(err.Error(), maxText)
	}
	for _, path := range files.Referenced() {
		m.files = append(m.files, namedFile{path, oneTime[path]})
		if !slices.Contains(had, path) && !slices.Contains(m.missing, path) {
			m.missing = append(m.missing, path) // a zone, of which the loader has another copy
		}
	}
	return m
}

// describe tells what a set declares.
func (m *manifest) describe(set *scripting.Set) {
	for _, door := range set.Engine.Doors {
		m.doors = append(m.doors, door.Name)
	}
	for _, c := range set.Commands {
		m.commands = append(m.commands, declared{argv: c.Argv, undo: c.Undo, timeout: c.Timeout, anyStatus: c.AnyStatus, choices: c.Choices})
	}
}

// cut shortens a text to so many bytes, at the end of a character.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
