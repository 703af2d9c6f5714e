package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"sesame/daemon/config"
	"sesame/daemon/executable"
	"sesame/daemon/geofile"
	"sesame/daemon/writable"
	"sesame/scripting"
	"sesame/scripting/source"
)

// WritableByOthers returns the files and directories that let users other than root and the person
// who runs this change what a set of scripts does: the configuration, scripts, modules, tests,
// referenced files, programs of commands, databases that the set asks, and the directories above
// them.
func WritableByOthers(set *scripting.Set, settings *config.Config) []writable.Finding {
	targets := ScriptTargets(set, settings)
	if settings.File != "" {
		targets = append(targets, target(settings.File, "the configuration"))
	}
	return writable.Find(slices.Concat(targets, programTargets(set), DatabaseTargets(set, settings)))
}

// ScriptTargets returns the scripts of a set with all that they read, without the programs that
// they run: on another machine these are others.
//
// A daemon writes a file of one-time sequences, so it may belong to the user whom the state
// directory belongs to. That user gains nothing by it: who runs the daemon opens doors anyhow.
func ScriptTargets(set *scripting.Set, settings *config.Config) []writable.Target {
	return fileTargets(set.Files, settings)
}

// ownerOf returns the user whom a directory belongs to, and root when there is none.
func ownerOf(dir string) uint32 {
	info, err := os.Stat(absolute(dir))
	if err != nil {
		return 0
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Uid
	}
	return 0
}

// fileTargets returns files of a set, and the directories of the scripts.
func fileTargets(files []source.File, settings *config.Config) []writable.Target {
	scripts, dir := absolute(settings.Scripts), directoryOf(settings.Scripts)
	var targets []writable.Target
	if dir == scripts {
		targets = append(targets, writable.Target{Path: dir, Listed: true})
	}
	lib := filepath.Join(dir, "lib")
	if _, err := os.Stat(lib); err == nil {
		targets = append(targets, writable.Target{Path: lib, Listed: true})
	}
	owner := ownerOf(settings.State)
	for _, f := range files {
		t := target(below(dir, f.Path), "")
		if f.OneTime {
			t.Owner = owner
		}
		targets = append(targets, t)
	}
	// Tests are no part of a set, but decide whether a reload is applied.
	for _, path := range source.TestPaths(settings.Scripts) {
		targets = append(targets, target(path, ""))
	}
	return targets
}

// programTargets returns the programs that commands of a set run.
func programTargets(set *scripting.Set) (targets []writable.Target) {
	for _, c := range set.Commands {
		for _, argv := range [][]string{c.Argv, c.Undo} {
			for _, path := range executable.Files(argv) {
				targets = append(targets, target(path, fmt.Sprintf("%s:%d runs it", c.Place.File, c.Place.Line)))
			}
		}
	}
	return targets
}

// DatabaseTargets returns the databases that a set may ask for the country or the network of a
// source: those of the configuration, or the usual places with what is there. A file that is added
// to such a place may be preferred to the others.
func DatabaseTargets(set *scripting.Set, settings *config.Config) (targets []writable.Target) {
	const use = "scripts ask this database who may knock"
	switch {
	case len(set.Asks) == 0:
	case settings.Geo.Databases != nil:
		for _, path := range settings.Geo.Databases {
			targets = append(targets, target(path.Text, use))
		}
	default:
		for _, path := range geofile.Places() {
			targets = append(targets, writable.Target{Path: path, Listed: true, Use: "scripts ask databases in it who may knock"})
		}
		for _, path := range geofile.Found() {
			targets = append(targets, target(path, use))
		}
	}
	return targets
}

func target(path, use string) writable.Target { return writable.Target{Path: absolute(path), Use: use} }

// absolute returns a path without "..". Where the current directory is unknown, it begins at /.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return filepath.Join("/", path)
}

// A heldError holds a set that other users can change.
type heldError struct {
	found []writable.Finding
	text  string // what the helper found, in place of found
}

func (e *heldError) Error() string {
	lines := writable.Lines(e.found)
	if e.text != "" {
		lines = "    " + e.text + "\n"
	}
	return "users other than root can change who gets in and what is run, so the scripts are not loaded:\n" + lines +
		"mend that, and run sesame reload, or start Sesame if it does not run; to load them all the same, set allow_writable = true in sesame.toml and start it again"
}

// vet returns a [*heldError] when other users can change files, unless the configuration allows it.
// Before the files are loaded there is no set: what others wrote is not even run to learn what it
// is. The set tells what files and programs there are beside these.
func (d *daemon) vet(files *source.Files, set *scripting.Set) error {
	if d.helper != nil { // which sees also what is closed to this process
		if err := d.helper.vetByHelper(files, set != nil); err != nil {
			return err
		}
	}
	if d.config.AllowWritable {
		return nil
	}
	var found []writable.Finding
	if set == nil && d.helper == nil {
		found = writable.Find(fileTargets(scriptsOf(files), &d.config.Config))
	} else if set != nil {
		found = d.writableFiles(set)
	}
	if len(found) > 0 {
		return &heldError{found: found}
	}
	return nil
}

// writableFiles returns what others can change of a set, as far as this process is to look. A
// helper looks at all but the databases, which this process reads itself.
func (d *daemon) writableFiles(set *scripting.Set) []writable.Finding {
	if d.helper != nil && !d.config.AllowWritable {
		return writable.Find(DatabaseTargets(set, &d.config.Config))
	}
	return WritableByOthers(set, &d.config.Config)
}

// scriptsOf returns the scripts and modules among files. What these name is known when they are
// loaded.
func scriptsOf(files *source.Files) (all []source.File) {
	for _, path := range files.Paths() {
		if f := (source.File{Path: path}); !f.Referenced() {
			all = append(all, f)
		}
	}
	return all
}

// vetCommand returns why a command is not run: other users can change a program of it. That may be
// so since the scripts were loaded, and also for scripts that were saved. Without a change of the
// mode the next run is refused too; an undo stays pending.
func (d *daemon) vetCommand(argv []string) error {
	if d.config.AllowWritable {
		return nil
	}
	var targets []writable.Target
	for _, path := range executable.Files(argv) {
		targets = append(targets, target(path, ""))
	}
	found := writable.Find(targets)
	if len(found) == 0 {
		return nil
	}
	next := ""
	if mend := writable.Mend(found); mend != "" {
		next = ": run " + mend
	}
	return fmt.Errorf("users other than root can change %s, so it is not run%s", writable.Text(found), next)
}

// warnOfPermissions logs a warning when other users can change a set, and the configuration allows
// that.
func (d *daemon) warnOfPermissions(set *scripting.Set) {
	if d.helper != nil && !d.config.AllowWritable { // it has looked, and no others are loaded
		return
	}
	if found := WritableByOthers(set, &d.config.Config); len(found) > 0 {
		d.config.Log.Warn("users other than root can change who gets in and what is run", "files", writable.Text(found), "run", writable.Mend(found))
	}
}
