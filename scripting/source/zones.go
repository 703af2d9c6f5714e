package source

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/yuin/gopher-lua/ast"

	"sesame/scripting/zone"
)

// This file makes the zone files that scripts use part of the set, so that a
// recording replays the same on a machine with other zone files.

// maxZones bounds the zones of a set.
const maxZones = 100

// A ZoneSite is a zone that the text names as a literal, in a call such as
// attempt:date("Europe/Madrid").
type ZoneSite struct {
	Place
	Name string
}

// Zone returns a time zone by its name, which becomes a referenced file of the
// set. Once the set was loaded, there are only the zones that it named by then:
// what a function may use does not depend on the machine that replays it.
func (s *Scripts) Zone(name string) (*time.Location, error) {
	switch {
	case name == "UTC": // it has no rules
		return time.UTC, nil
	case s.zones[name] != nil:
		return s.zones[name], nil
	}
	if err := zone.Check(name); err != nil {
		return nil, err
	}
	if s.closed {
		return nil, fmt.Errorf(`time zone %q is not named in the text of the scripts: write the name itself in a call, as in attempt:date("Europe/Madrid")`, name)
	}
	path := zone.Path(name)
	file := s.files.referenced[path]
	if (file == nil || !file.named) && len(s.zones) >= maxZones {
		return nil, fmt.Errorf("scripts name more than %d time zones", maxZones)
	}
	if file == nil {
		file = s.files.readZone(path, name)
	}
	file.named, file.Zone = true, true
	if errors.Is(file.err, fs.ErrNotExist) {
		return nil, zone.Unknown(name)
	}
	location, err := (*time.Location)(nil), file.err
	if err == nil {
		location, err = zone.Load(name, file.Source)
	}
	if err != nil {
		return nil, fmt.Errorf("time zone %q: reading %s: %w", name, path, withoutPath(err))
	}
	s.zones[name] = location
	return location, nil
}

// MachineZones makes files that were stored look at the zone files of the machine, as files that
// are read do.
func (f *Files) MachineZones() { f.zones = zone.Dir }

// readZone reads a zone file that was not read before: that of the machine, else the one that is
// built in. Files that were stored never look at the machine.
func (f *Files) readZone(path, name string) *ReferencedFile {
	var text []byte
	err := fs.ErrNotExist
	if f.zones != "" {
		text, err = readRegular(filepath.Join(f.zones, filepath.FromSlash(name)), zone.MaxSize)
	}
	if err == nil {
		_, err = zone.Load(name, text)
	}
	warning := ""
	if err != nil {
		unusable := err
		if text, err = zone.BuiltIn(name); err == nil && !errors.Is(unusable, fs.ErrNotExist) {
			warning = fmt.Sprintf("the machine's zone file is not used: %v: the one that is built in is used", withoutPath(unusable))
		}
	}
	file := newReferenced(path, text, err)
	file.Zone, file.Warning = true, warning
	f.referenced[path] = file
	return file
}

// zone notes a zone that a call names.
func (f *finder) zone(n *ast.FuncCallExpr) {
	if name := literal(n.Args); name != "" {
		f.script.Zones = append(f.script.Zones, ZoneSite{f.script.At(n, 0), name})
	}
}
