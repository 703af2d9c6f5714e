package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sesame/daemon/confine"
	"sesame/daemon/geofile"
	"sesame/scripting"
)

// A confinement is what the kernel holds this process to since its start. A later script set that
// needs more is rejected: only a new start can give it more.
type confinement struct {
	text  string // of the status: what is limited, or why nothing is
	held  bool
	write []string // directories in which files may be replaced
}

// confine limits the process to what a set needs, for good. A daemon that may start programs, now
// or for a pending undo, is not confined: they would be, too.
func (d *daemon) confine(set *scripting.Set, commands bool) error {
	switch {
	case !d.config.Confine:
		d.confinement.Store(&confinement{text: "no, since the configuration says confine = false"})
		return nil
	case commands:
		d.confinement.Store(&confinement{text: "no, since this process runs commands of scripts, or undo commands may be pending; a daemon with a helper is confined, see docs/configuration.md"})
		return nil
	}
	needs := d.needs(set)
	report, err := confine.Apply(needs)
	if err != nil {
		return fmt.Errorf("confining the process: %w", err)
	}
	d.confinement.Store(&confinement{text: report.String(), held: len(report.Held) > 0, write: needs.Write})
	if len(report.Missing) > 0 {
		d.config.Log.Warn("the process is not confined in all that it could be", "confined", report.String())
	}
	return nil
}

// needs returns what the daemon does with files while a set runs, and sets that take its place.
func (d *daemon) needs(set *scripting.Set) confine.Needs {
	n := confine.Needs{Read: slices.Concat([]string{d.config.Scripts}, confine.Around(d.config.Scripts)), Socket: absolute(d.config.Socket)}
	for _, target := range ScriptTargets(set, &d.config.Config) {
		n.Read = append(n.Read, confine.Around(target.Path)...)
	}
	for _, path := range d.config.Readable {
		n.Read = append(n.Read, path.Text)
	}
	for _, database := range d.config.Geo.Databases {
		n.Read = append(n.Read, confine.Around(database.Text)...)
	}
	n.Read = append(n.Read, geofile.Places()...)
	if os.Geteuid() != 0 {
		// Files here take another's place at any time, such as a knockd.conf and the list of name
		// servers. Their modes protect those that are not for everybody, but not from root.
		n.Read = append(n.Read, "/etc", "/run")
	}
	n.Write = []string{absolute(d.config.State)}
	if d.helper == nil {
		n.Write = append(n.Write, oneTimeDirectories(set, directoryOf(d.config.Scripts))...)
	}
	if path := d.config.Config.Log.Knockd.Text; path != "" {
		n.Logs = []string{absolute(path)}
	}
	if path := AuditPath(&d.config.Config); path != "" {
		n.Logs = append(n.Logs, path)
	}
	n.Helper = d.helper != nil && d.helper.dial != nil // which may be started again
	n.Abstract = strings.HasPrefix(d.notifier.socket, "@")
	return n
}

// refusal returns why this process cannot run a set; nil: it can. With a helper it needs nothing
// more for it than for another.
func (d *daemon) refusal(set *scripting.Set) error {
	if d.helper != nil {
		return nil
	}
	return d.confinement.Load().refusal(set, d.config.Scripts)
}

// refusal returns why a set cannot take the place of the one that runs; nil: it can.
func (c *confinement) refusal(set *scripting.Set, scripts string) error {
	if c == nil || !c.held {
		return nil
	}
	if len(set.Commands) > 0 {
		return errors.New("the scripts have the first commands, and this process gave up starting programs when it started without any: restart Sesame (with its unit: systemctl restart sesame); grants stay")
	}
	for _, dir := range oneTimeDirectories(set, directoryOf(scripts)) {
		if !slices.Contains(c.write, dir) {
			return fmt.Errorf("the scripts have one-time sequences in %s, where this process gave up writing when it started without them: restart Sesame (with its unit: systemctl restart sesame); grants stay", dir)
		}
	}
	return nil
}

// explainSocket adds what to do to an error of a control socket that cannot be made again.
func (c *confinement) explainSocket(err error) error {
	if c == nil || !c.held || err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w (a confined process makes no directory and no socket: restart Sesame (with its unit: systemctl restart sesame); grants stay)", err)
}

// explain adds what to do to an error of a file that the confinement may have refused. A mistake
// in a script has the error of the file as text alone.
func (c *confinement) explain(err error) error {
	if c == nil || !c.held || !strings.Contains(err.Error(), fs.ErrPermission.Error()) {
		return err
	}
	return fmt.Errorf("%w (since its start Sesame reads only where the scripts were then and what they named; if that is why, restart it, or name the directory in readable in sesame.toml)", err)
}

// oneTimeDirectories returns the directories of the files of one-time sequences, of those that
// symbolic links lead to. They are written anew when a sequence is used.
func oneTimeDirectories(set *scripting.Set, dir string) (all []string) {
	for _, f := range set.Files {
		if !f.OneTime {
			continue
		}
		path := below(dir, f.Path)
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		all = append(all, filepath.Dir(path))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// directoryOf returns the absolute directory that the names of script files begin at.
func directoryOf(scripts string) string {
	if info, err := os.Stat(scripts); err == nil && !info.IsDir() {
		scripts = filepath.Dir(scripts)
	}
	return absolute(scripts)
}

func below(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
