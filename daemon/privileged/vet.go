//go:build linux

package privileged

import (
	"errors"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sesame/daemon/executable"
	"sesame/daemon/writable"
	"sesame/scripting/source"
)

const heldText = "users other than root can change what is run: "

// vetFiles returns what other users can change of the scripts, the modules, the tests and the
// configuration; "": nothing, or it is allowed. The daemon looks too, but is not believed, and
// cannot look into directories that are closed to it. What the scripts name is looked at when a
// loader has told what it is for.
func (s *Settings) vetFiles(files *source.Files) string {
	var targets []writable.Target
	if files.Single == "" {
		targets = append(targets, targetOf(files.Dir, true))
	}
	if lib := filepath.Join(files.Dir, "lib"); exists(lib) {
		targets = append(targets, targetOf(lib, true))
	}
	for _, path := range files.Paths() {
		if !filepath.IsAbs(path) {
			targets = append(targets, targetOf(filepath.Join(files.Dir, path), false))
		}
	}
	if s.File != "" {
		targets = append(targets, targetOf(s.File, false))
	}
	return s.vet(targets)
}

// referencedTargets are the files that the scripts name. One of one-time sequences may belong to
// the daemon's user.
func (s *Settings) referencedTargets(m *manifest) (targets []writable.Target) {
	user, _ := s.daemonUser()
	for _, f := range m.files {
		t := targetOf(f.path, false)
		if f.oneTime {
			t.Owner = user
		}
		targets = append(targets, t)
	}
	return targets
}

// vetPrograms is vetFiles for the programs that commands run, and for their interpreters.
func (s *Settings) vetPrograms(m *manifest) string { return s.vet(programTargets(m)) }

func programTargets(m *manifest) (targets []writable.Target) {
	for _, d := range m.commands {
		for _, path := range slices.Concat(executable.Files(d.argv), executable.Files(d.undo)) {
			targets = append(targets, targetOf(path, false))
		}
	}
	return targets
}

// vetRun returns why a program is not run: others can change it, or its interpreter. That may be so
// since the scripts were loaded.
func (s *Settings) vetRun(commands ...[]string) error {
	var targets []writable.Target
	for _, argv := range commands {
		for _, path := range executable.Files(argv) {
			targets = append(targets, targetOf(path, false))
		}
	}
	if found := s.vet(targets); found != "" {
		return errors.New(heldText + found)
	}
	return nil
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

// daemonUser returns the user and the group that the state directory belongs to; root when there
// is none, or when others than root can put another in its place.
func (s *Settings) daemonUser() (user, group uint32) {
	real, err := filepath.EvalSymlinks(s.State)
	if err != nil {
		return 0, 0
	}
	above := []writable.Target{targetOf(filepath.Dir(s.State), true), targetOf(filepath.Dir(real), true)}
	var state unix.Stat_t
	if len(writable.Find(above)) > 0 || unix.Lstat(real, &state) != nil {
		return 0, 0
	}
	return state.Uid, state.Gid
}

// rights returns whose rights on files are enough for those that others than root can exchange:
// of the daemon's user, or of nobody when it is not known who that is.
func (s *Settings) rights() (user, group uint32) {
	const nobody = 65534
	if user, group = s.daemonUser(); user == 0 && s.State != "" {
		return nobody, nobody
	}
	return user, group
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
