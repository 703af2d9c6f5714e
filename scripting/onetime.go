package scripting

import (
	"sesame/daemon/engine"
	"sesame/scripting/knockd"
	"sesame/scripting/source"
)

// A file of one-time sequences costs a script this much for each of its bytes.
const (
	oneTimeInstructions = 4
	oneTimeBytes        = 16
)

// readOneTime reads the sequences of a file after all other options: their flags
// are those of the door. A sequence of the script is used before them, and once
// too.
func (d *draft) readOneTime() {
	name, ok := d.oneTime.path("/etc/knockd/sequences")
	if !ok || d.script.again { // its functions are all that it is started anew for
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

// oneTimeWarnings says what in a file of one-time sequences is hardly meant as it is
// read.
func oneTimeWarnings(path string, text []byte) []Warning {
	var warnings []Warning
	_, found := knockd.Unused(text)
	for _, t := range found {
		warnings = append(warnings, Warning{Place: source.Place{File: path, Line: t.Line}, Text: t.Text})
	}
	return warnings
}
