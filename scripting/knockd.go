package scripting

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/knockd"
	"sesame/scripting/source"
)

func knockdMember() Member {
	return Member{Name: "knockd", Type: `"path"`, Doc: "Registers the doors of a knockd.conf, with the policy \"knockd\". Its section [options] is ignored.",
		Example: `sesame.knockd "/etc/knockd.conf"`, function: registerKnockd}
}

// The price of reading a knockd.conf, for each of its bytes.
const (
	confSteps = 1
	confBytes = 32
)

// registerKnockd reads a knockd.conf and registers its doors. A problem in that
// file is reported twice: with its line there, and where the script names the
// file.
func registerKnockd(s *script, L *lua.LState) int {
	v, _ := s.argument(L, "knockd", "")
	name, ok := v.path("/etc/knockd.conf")
	if !ok || s.again { // a knockd.conf has no functions
		return 0
	}
	file, err := s.scripts.Reference(name, source.SmallFile, false)
	if err != nil {
		v.fail("%v", err)
		return 0
	}
	if s.readBefore(v, file.Path) {
		return 0
	}
	s.state.Charge(confSteps*int64(len(file.Source)), confBytes*int64(len(file.Source)))
	conf, err := knockd.Parse(file.Path, file.Source)
	if e, ok := errors.AsType[*knockd.SyntaxError](err); ok {
		s.refuseConf(v, source.Place{File: e.Path, Line: e.Line}, e.Message)
		return 0
	}
	if conf != nil && s.readSequences(v, conf) {
		s.addConf(v, file, conf)
	}
	return 0
}

// readBefore notes that a knockd.conf is read. It is a problem when it was read
// before, by this script or by another, since each of its doors would exist
// twice.
func (s *script) readBefore(v value, path string) bool {
	first, here := s.loading.confs[path]
	twice := here
	if !twice {
		first, twice = s.confs[path]
	}
	switch {
	case !twice:
		s.loading.confs[path] = v.at
	case first == v.at && here:
		v.fail("%s was read by this line already, which runs more than once: run it once", path)
	case first == v.at:
		v.fail("%s is read twice, since more than one script requires %s: read it in one of them", path, v.at.File)
	default:
		v.fail("%s is read at %s already: remove one of the two", path, first)
	}
	return twice
}

// readSequences reads the files of one-time sequences that a knockd.conf names,
// and reports those that cannot be read.
func (s *script) readSequences(v value, conf *knockd.File) bool {
	good := true
	for i := range conf.Doors {
		d := &conf.Doors[i]
		if d.OneTime == "" || d.Unreachable {
			continue
		}
		file, err := s.scripts.Reference(conf.OneTimePath(d), source.SmallFile, true)
		if err == nil {
			if err = knockd.CheckOneTime(file.Source); err != nil {
				err = fmt.Errorf("%s has none: %w", file.Path, err)
			}
		}
		if err != nil {
			s.refuseConf(v, source.Place{File: conf.Path, Line: d.OneTimeLine}, fmt.Sprintf("the one-time sequences of the door %q: %v", d.Name, err))
			good = false
			continue
		}
		s.state.Charge(oneTimeSteps*int64(len(file.Source)), oneTimeBytes*int64(len(file.Source)))
	}
	return good
}

// refuseConf reports a problem of a knockd.conf, there and where the script
// names it.
func (s *script) refuseConf(v value, at source.Place, message string) {
	s.report(at, message)
	v.fail("%s cannot be used: see its line %d", at.File, at.Line)
}

// addConf registers the doors of a knockd.conf with their commands and
// warnings. Warnings about the order of doors are left out: lints find these
// better, since they see the doors of all files.
func (s *script) addConf(v value, file *source.ReferencedFile, conf *knockd.File) {
	doors, err := conf.EngineDoors(s.source.Path, func(path string) ([]byte, error) {
		file, err := s.scripts.Reference(path, source.SmallFile, true)
		if err != nil {
			return nil, err
		}
		return file.Source, nil
	})
	if err != nil {
		v.fail("%v", err)
		return
	}
	s.loading.doors = append(s.loading.doors, doors...)
	for i := range conf.Doors {
		if d := &conf.Doors[i]; !d.Unreachable {
			s.loading.commands = append(s.loading.commands, confCommands(conf.Path, d)...)
		}
	}
	for _, t := range conf.Warnings {
		if !t.Order {
			s.loading.warnings = append(s.loading.warnings, Warning{Place: source.Place{File: conf.Path, Line: t.Line}, Door: t.Door, Text: t.Text, Pasted: t.Pasted})
		}
	}
	if text := IgnoredOptions(conf.Options); text != "" {
		at := source.Place{File: conf.Path, Line: file.Line("[options]")}
		s.loading.warnings = append(s.loading.warnings, Warning{Place: at, Text: text, Options: &conf.Options})
	}
}

// confCommands returns the commands of a door of a knockd.conf, as if a script
// had declared them.
func confCommands(path string, d *knockd.Door) []*Command {
	var commands []*Command
	for _, run := range d.Runs() {
		commands = append(commands, &Command{
			Name: d.Name, Place: source.Place{File: path, Line: run.Line},
			Argv: run.Argv, Undo: run.Undo, TTL: run.TTL, Timeout: run.Timeout, AnyStatus: true,
		})
	}
	return commands
}

// IgnoredOptions returns a text that names, for each option of a section
// [options], the setting of sesame.toml that takes its place. It is "" when no
// option is set.
func IgnoredOptions(o knockd.Options) string {
	var instead []string
	for _, option := range []struct {
		given         bool
		name, instead string
	}{
		{o.Interface != "", "Interface", fmt.Sprintf("interfaces = [%q]", o.Interface)},
		{o.LogFile != "", "LogFile", fmt.Sprintf("[log] knockd = %q", o.LogFile)},
		{o.Syslog, "UseSyslog", "[log] knockd_syslog = true"},
		{o.PIDFile != "", "PidFile", "nothing, since none is needed"},
	} {
		if option.given {
			instead = append(instead, option.name+" is "+option.instead)
		}
	}
	if instead == nil {
		return ""
	}
	return "[options] is for knockd alone, and Sesame does not use it: in sesame.toml " + strings.Join(instead, ", ")
}

// InConf reports whether a door comes from a knockd.conf. Such a door has no
// functions of scripts, and not the options that scripts alone have.
func InConf(d *engine.Door) bool {
	return d.Policy == engine.PolicyKnockd && d.Group != d.Script
}
