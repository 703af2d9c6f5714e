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

// EngineDoors returns the doors as the engine matches them. They are in the order of the file and
// in one group, since the doors of a file share their packets. Script is the path of the script
// that reads the file. Doors that are Unreachable are left out.
//
// oneTime reads a file of one-time sequences. Its path is that of [File.OneTimePath]. The errors of
// all doors are joined, and then no doors are returned.
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

// engineDoor returns one door. With one-time sequences its Sequence is the first unused one, which
// may be none: then the door cannot be opened until the file has new lines.
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

// OneTimePath returns the path of the one-time sequences of a door. A relative path begins at the
// directory of the knockd.conf; knockd's begins where knockd was started. The path is cleaned,
// because two doors that name the same file share its lines and must get the same text. It is
// absolute when f.Path is.
func (f *File) OneTimePath(d *Door) string {
	if filepath.IsAbs(d.OneTime) {
		return filepath.Clean(d.OneTime)
	}
	return filepath.Join(filepath.Dir(f.Path), d.OneTime)
}

// oneTime returns the unused sequences of a door: the one of the knockd.conf, which is in no line
// of the file and so comes back at each start as in knockd, and those of the file.
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

// knocks returns knocks for the ports. The flags of the door count for TCP only.
func (d *Door) knocks(ports []packet.Port) []engine.Knock {
	knocks := make([]engine.Knock, len(ports))
	for i, p := range ports {
		if knocks[i].Port = p; p.Proto == packet.TCP {
			knocks[i].Flags = d.Flags
		}
	}
	return knocks
}

// A handler implements engine.Handler: it runs the commands of a door when it opens.
type handler struct {
	four, six action
	wait      time.Duration
}

// Handle returns a decision that runs the start command, with the stop command as its undo.
func (h handler) Handle(m *engine.Call) (engine.Decision, error) {
	run := h.four
	if !m.Source.Is4() {
		run = h.six
	}
	if run.start == "" {
		return engine.Decision{}, nil
	}
	fill := strings.NewReplacer(placeholder, m.Source.String()).Replace
	how := &engine.Invocation{Argv: shell(template(run.start)), Values: map[string]string{"source": m.Source.String()}}
	exec := engine.Exec{Argv: shell(fill(run.start)), Timeout: commandLimit, AnyStatus: true, Invocation: how}
	if run.stop != "" {
		exec.Undo, exec.TTL = shell(fill(run.stop)), h.wait
		how.Undo = shell(template(run.stop))
	}
	return engine.Decision{Operations: []engine.Operation{exec}}, nil
}
