package scripting

import (
	"sesame/daemon/engine"
	"sesame/scripting/knockd"
	"sesame/scripting/source"
)

// The price of a file of one-time sequences for each of its bytes. Without it,
// many doors that name one large file would cost nothing.
const (
	oneTimeInstructions = 4
	oneTimeBytes        = 16
)

// readOneTime reads the unused sequences of a file. It comes after all other
// options, since the knocks have the flags of the door. A sequence of the
// script is the first of the one-time sequences.
func (d *draft) readOneTime() {
	name, ok := d.oneTime.path("/etc/knockd/sequences")
	if !ok || d.script.again { // a second start needs the functions alone
		return
	}
	file, err := d.script.scripts.Reference(name, true)
	if err != nil {
		d.oneTime.fail("%v", err)
		return
	}
	d.script.state.Charge(oneTimeInstructions*int64(len(file.Source)), oneTimeBytes*int64(len(file.Source)))
	list := &engine.OneTime{File: file.Path}
	if len(d.door.Sequence) > 0 {
		list.Sequences = append(list.Sequences, engine.OneTimeSequence{Knocks: d.door.Sequence})
	}
	unused, _ := knockd.Unused(file.Source)
	for _, line := range unused {
		sequence := engine.OneTimeSequence{Line: line.Text}
		for _, port := range line.Ports {
			if port.Number == 0 && !d.knockd() {
				d.oneTime.fail(`%s:%d has port 0, which nobody knocks by ordinary means: correct the line, or write # before it`, file.Path, line.Line)
				return
			}
			sequence.Knocks = append(sequence.Knocks, d.withFlags(port, d.flags))
		}
		list.Sequences = append(list.Sequences, sequence)
	}
	d.door.OneTime = list
	if d.door.Sequence = nil; len(list.Sequences) > 0 {
		d.door.Sequence = list.Sequences[0].Knocks
	}
}

// oneTimeWarnings returns the lines of a file of one-time sequences that
// probably mean something else than their author thinks.
func oneTimeWarnings(path string, text []byte) []Warning {
	var warnings []Warning
	_, found := knockd.Unused(text)
	for _, t := range found {
		warnings = append(warnings, Warning{Place: source.Place{File: path, Line: t.Line}, Text: t.Text})
	}
	return warnings
}
