package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/knockd"
	"sesame/scripting/source"
)

// readSequence reads the knocks. All other options must be read before, since
// knocks have the flags of the door unless they have their own.
func (d *draft) readSequence(v value) {
	if d.knockd() {
		d.door.Flags = d.flags
	}
	if d.sequence.lua == nil {
		if !v.has("sequence") && !v.has("one_time_sequences") {
			v.fail(`sequence is missing: expected 1 to %d ports, such as sequence = { "tcp/7421", "udp/9133" }, or the path of a file of them in one_time_sequences`, maxSequence)
		}
		return
	}
	if one := d.sequence.lua.Type(); one == lua.LTString || one == lua.LTNumber {
		d.sequence.fail("expected a list of ports, got %s: write it in { }", describe(d.sequence.lua))
		return
	}
	items, ok := d.sequence.items("a list of ports")
	if ok && (len(items) < 1 || len(items) > maxSequence) {
		d.sequence.fail("expected 1 to %d knocks, got %d", maxSequence, len(items))
	}
	for _, item := range items {
		d.door.Sequence = append(d.door.Sequence, d.knock(item))
	}
}

// knock reads "tcp/7000" or { "tcp/7000", flags = "syn,!ack" }.
func (d *draft) knock(v value) engine.Knock {
	if _, ok := v.lua.(*lua.LTable); !ok {
		return d.withFlags(d.port(v), d.flags)
	}
	var knock engine.Knock
	knock.Flags = d.flags
	flagged := false
	schema := []option[engine.Knock]{{Option{Name: "flags"}, func(v value, k *engine.Knock) {
		if flagged = true; d.knockd() {
			v.fail(decidedByKnockd, "and all knocks have the flags of their door")
			return
		}
		k.Flags, _ = parsed(v, `flags such as "syn,!ack"`, parseFlags)
	}}}
	given := 0
	read(v, schema, func(v value, k *engine.Knock) { k.Port = d.port(v); given++ }, &knock)
	switch {
	case given != 1:
		v.fail(`a knock with flags has one port, got %d: write { "tcp/7000", flags = "syn,!ack" }`, given)
	case flagged && knock.Port.Proto == packet.UDP:
		v.fail("%s has no TCP flags: leave flags out", knock.Port)
	}
	return d.withFlags(knock.Port, knock.Flags)
}

// withFlags makes a knock. Only TCP has flags.
func (d *draft) withFlags(port packet.Port, flags engine.FlagTest) engine.Knock {
	if port.Proto != packet.TCP {
		flags = engine.FlagTest{}
	}
	return engine.Knock{Port: port, Flags: flags}
}

// decidedByKnockd is the message for an option that does not exist under the
// policy "knockd". It is followed by what the policy does.
const decidedByKnockd = `the policy "knockd" decides this, %s: leave it out`

// port reads the port of a knock. Under the policy "knockd" it can be 0, which
// a knockd.conf may have.
func (d *draft) port(v value) packet.Port {
	if d.knockd() {
		switch v.lua {
		case lua.LString("tcp/0"), lua.LString("0"), lua.LNumber(0):
			return packet.Port{Proto: packet.TCP}
		case lua.LString("udp/0"):
			return packet.Port{Proto: packet.UDP}
		}
	}
	port, _ := v.port()
	return port
}

// The price of a file of one-time sequences for each of its bytes. Without it,
// many doors that name one large file would cost nothing.
const (
	oneTimeSteps = 1
	oneTimeBytes = 16
)

// readOneTime reads the unused sequences of a file. It comes after all other
// options, since the knocks have the flags of the door. A sequence of the
// script is the first of the one-time sequences.
func (d *draft) readOneTime() {
	name, ok := d.oneTime.path("/etc/knockd/sequences")
	if !ok || d.script.again { // a second start needs the functions alone
		return
	}
	file, err := d.script.scripts.Reference(name, source.SmallFile, true)
	if err != nil {
		d.oneTime.fail("%v", err)
		return
	}
	if err := knockd.CheckOneTime(file.Source); err != nil {
		d.oneTime.fail("%s has no one-time sequences: %v", file.Path, err)
		return
	}
	d.script.state.Charge(oneTimeSteps*int64(len(file.Source)), oneTimeBytes*int64(len(file.Source)))
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
		warnings = append(warnings, Warning{Place: source.Place{File: path, Line: t.Line}, Text: t.Text, Pasted: t.Pasted})
	}
	return warnings
}
