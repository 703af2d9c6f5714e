package knockd

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// EngineDoors returns the doors as the engine matches them, in their order and in
// one group. Script is the path of the script that reads the file. A door whose
// target is nowhere is left out: no packet concerns it.
//
// oneTime reads a file of one-time sequences. Its path is absolute when f.Path is:
// one that is not, in the file, is taken to be beside it.
func (f *File) EngineDoors(script string, oneTime func(path string) ([]byte, error)) ([]*engine.Door, error) {
	var doors []*engine.Door
	var problems []error
	for i := range f.Doors {
		d := &f.Doors[i]
		if d.Unreachable {
			continue
		}
		door, err := f.engineDoor(d, script, oneTime)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		doors = append(doors, door)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return doors, nil
}

func (f *File) engineDoor(d *Door, script string, oneTime func(path string) ([]byte, error)) (*engine.Door, error) {
	door := &engine.Door{
		Name: d.Name, Script: script, File: f.Path, Line: d.Line,
		Policy: engine.PolicyKnockd, Group: f.Path, Flags: d.Flags, Target: d.Target,
		Sequence: d.knocks(d.Sequence),
		Within:   time.Duration(max(d.Timeout, 0)) * time.Second,
		TTL:      d.wait(),
	}
	if d.OneTime != "" {
		path := f.OneTimePath(d)
		text, err := oneTime(path)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: reading the one-time sequences of the door %q from %s: %w", f.Path, d.OneTimeLine, d.Name, shown(path), err)
		}
		door.OneTime = d.oneTime(path, text)
		if door.Sequence = nil; len(door.OneTime.Sequences) > 0 {
			door.Sequence = door.OneTime.Sequences[0].Knocks
		}
	}
	h := handler{four: d.action(ipv4), six: d.action(ipv6), wait: d.wait()}
	if h.four.start != "" || h.six.start != "" {
		door.Handler, door.Hooks = h, engine.HookOpen
	}
	return door, nil
}

// OneTimePath returns where the one-time sequences of a door are, by the shortest
// name: two doors that name one file must use each of its lines once between them.
// It is absolute when f.Path is.
func (f *File) OneTimePath(d *Door) string {
	if filepath.IsAbs(d.OneTime) {
		return filepath.Clean(d.OneTime)
	}
	return filepath.Join(filepath.Dir(f.Path), d.OneTime)
}

func (d *Door) oneTime(path string, text []byte) *engine.OneTime {
	o := &engine.OneTime{File: path}
	if len(d.Sequence) > 0 {
		o.Sequences = append(o.Sequences, engine.OneTimeSequence{Knocks: d.knocks(d.Sequence)})
	}
	unused, _ := Unused(text)
	for _, s := range unused {
		o.Sequences = append(o.Sequences, engine.OneTimeSequence{Line: s.Text, Knocks: d.knocks(s.Ports)})
	}
	return o
}

func (d *Door) knocks(ports []packet.Port) []engine.Knock {
	knocks := make([]engine.Knock, len(ports))
	for i, p := range ports {
		if knocks[i].Port = p; p.Proto == packet.TCP {
			knocks[i].Flags = d.Flags
		}
	}
	return knocks
}

// A handler runs the commands of a door when it opens.
type handler struct {
	four, six action
	wait      time.Duration
}

// Handle asks for the start command, with the stop command as its undo.
func (h handler) Handle(m *engine.Call) (engine.Decision, error) {
	run := h.four
	if !m.Source.Is4() {
		run = h.six
	}
	if run.start == "" {
		return engine.Decision{}, nil
	}
	fill := strings.NewReplacer(placeholder, m.Source.String()).Replace
	exec := engine.Exec{Argv: shell(fill(run.start)), Timeout: commandLimit, AnyStatus: true}
	if run.stop != "" {
		exec.Undo, exec.TTL = shell(fill(run.stop)), h.wait
	}
	return engine.Decision{Operations: []engine.Operation{exec}}, nil
}
