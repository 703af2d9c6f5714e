//go:build linux

package privileged

import (
	"os"
	"path/filepath"
	"slices"

	"sesame/daemon/executable"
	"sesame/daemon/writable"
	"sesame/scripting/source"
)

const heldText = "users other than root can change what is run: "

// vetFiles returns what other users can change of the files of a set and of the configuration; "":
// nothing, or it is allowed. The daemon looks too, but is not believed, and cannot look into
// directories that are closed to it.
func (s *Settings) vetFiles(files *source.Files) string {
	var targets []writable.Target
	if files.Single == "" {
		targets = append(targets, targetOf(files.Dir, true))
	}
	if lib := filepath.Join(files.Dir, "lib"); exists(lib) {
		targets = append(targets, targetOf(lib, true))
	}
	for _, f := range files.Stored() {
		path := f.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(files.Dir, path)
		}
		targets = append(targets, targetOf(path, false))
	}
	if s.File != "" {
		targets = append(targets, targetOf(s.File, false))
	}
	return s.vet(targets)
}

// vetPrograms does that for the programs that commands run, and for their interpreters.
func (s *Settings) vetPrograms(m *manifest) string {
	var targets []writable.Target
	for _, d := range m.commands {
		for _, path := range slices.Concat(executable.Files(d.argv), executable.Files(d.undo)) {
			targets = append(targets, targetOf(path, false))
		}
	}
	return s.vet(targets)
}

func (s *Settings) vet(targets []writable.Target) string {
	if s.AllowWritable {
		return ""
	}
	return writable.Text(writable.Find(targets))
}

func targetOf(path string, listed bool) writable.Target {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return writable.Target{Path: path, Listed: listed}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
