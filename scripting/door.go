package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func doorMember() Member {
	return Member{Name: "door", Type: `"name" { options }`, Doc: "Registers a named sequence and what happens when somebody knocks it.",
		Example: `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22" }`,
		Options: documented(doorOptions()), function: named("door", registerDoor)}
}

// defaultTripwires is how many tripwires a door adds to those of the set, unless it says otherwise.
const defaultTripwires = 64

// registerDoor makes a door of its table. A door with problems is registered
// too, so that calls of close find its name.
func registerDoor(s *script, v value, name string) lua.LValue {
	d := s.newDraft(name, false)
	if s.loading.knockd {
		d.door.Policy, d.door.Group = engine.PolicyKnockd, s.source.Path
	} else {
		d.door.Tripwires = defaultTripwires
	}
	if read(v, doorOptions(), nil, d) {
		d.readSequence(v)
		if d.oneTime.lua != nil {
			d.readOneTime()
		}
		if d.door.Except != nil && !d.door.Strict && d.door.Tripwires == 0 {
			v.fail("except changes nothing in a door that has tripwires = 0 and is not strict: leave it out")
		}
		d.finish(v)
	}
	return lua.LNil
}

func doorOptions() []option[draft] {
	return append([]option[draft]{
		{Option{"sequence", "a list of 1 to 32 ports", "", "The knocks that open the door, in their order. A knock with TCP flags of its own is a table: `{ \"tcp/7000\", flags = \"syn,!ack\" }`. Required unless one_time_sequences is given."},
			func(v value, d *draft) { d.sequence = v }},
		{Option{"one_time_sequences", "the path of a file", "", "A file of sequences that open the door once each, in their order; see the section Referenced files above."},
			func(v value, d *draft) { d.oneTime = v }},
		{Option{"target", "an address", "any of this host", "The only destination address whose packets count. It may be an address of another host."},
			func(v value, d *draft) { d.door.Target, _ = parsed(v, `an address such as "203.0.113.5"`, parseTarget) }},
		{Option{"flags", `TCP flags, or "any"`, `"syn,!ack"`, "The flags that a TCP packet must have to count as a knock, and those, with !, that it must not have."},
			func(v value, d *draft) { d.flags, _ = parsed(v, `flags such as "syn,!ack"`, parseFlags) }},
		{Option{"within", "duration", `"10s"`, "The time for the whole sequence. A knock at exactly its end is too late."},
			func(v value, d *draft) { d.readWithin(v) }},
		{Option{"step_timeout", "duration", "", "The time between two knocks."},
			ofSesame("and limits the whole sequence alone", func(v value, d *draft) { d.door.StepTimeout, _ = v.duration() })},
		{Option{"on_wrong", `"reset" or "ignore"`, `"reset"`, "What a wrong knock does to an attempt: the attempt falls back, or nothing happens."},
			ofSesame("and each wrong knock ends an attempt", func(v value, d *draft) {
				i, _ := v.oneOf("reset", "ignore")
				d.door.OnWrong = engine.OnWrong(i)
			})},
		{Option{"duplicates", `"ignore" or "wrong"`, `"ignore"`, "Whether a repeat of the latest knock is ignored, or judged like any other knock."},
			ofSesame("and a repeat is a wrong knock", func(v value, d *draft) {
				i, _ := v.oneOf("ignore", "wrong")
				d.door.Duplicates = engine.Duplicates(i)
			})},
		{Option{"strict", "true or false", "false", "Whether TCP SYN and UDP packets to all ports of this host can be wrong knocks, so that nearly every scan ends its own attempts."},
			ofSesame("and the ports of the file's doors alone can be wrong knocks", func(v value, d *draft) { d.door.Strict, _ = v.boolean() })},
		{Option{"tripwires", "a whole number from 0 to 1000", "64", "How many secret ports the door adds to those that end an attempt when its source sends a packet there, so that sweeps never and other scans rarely open the door. All doors of all files share them, at most 1000. With 0 the door adds none, and none ends its attempts."},
			ofSesame("and no door has tripwires", func(v value, d *draft) { d.door.Tripwires, _ = v.integer(0, engine.MaxTripwires) })},
		{Option{"except", "a port or a list of ports", "", "The ports that are no tripwires to the door, and at which a strict door sees no wrong knocks."},
			ofSesame("and no door has tripwires or is strict", func(v value, d *draft) { d.door.Except, _ = v.ports() })},
		functionOption("on_stage", "function(attempt)", "Called at the second knock and each later one. It may return false and a reason to refuse.", engine.CallStage, engine.HookStage),
		functionOption("on_open", "function(attempt)", "Called when the sequence is complete and the conditions hold. Without it the door allows its guards. It may return false and a reason to refuse; what it stored, logged or ran is done all the same.", engine.CallOpen, engine.HookOpen),
		functionOption("on_miss", "function(attempt)", "Called when an attempt of two knocks or more ends unfinished.", engine.CallMiss, engine.HookMiss),
	}, append(payloadOptions(), responseOptions("")...)...)
}

// ofSesame makes the reader of an option that exists under the policy "sesame"
// alone. why describes what the policy "knockd" does instead.
func ofSesame(why string, read func(value, *draft)) func(value, *draft) {
	return func(v value, d *draft) {
		if d.knockd() {
			v.fail(decidedByKnockd, why)
			return
		}
		read(v, d)
	}
}

// readWithin reads the time of a sequence. Under the policy "knockd" it can be
// zero, as in a knockd.conf: then no second knock is in time.
func (d *draft) readWithin(v value) {
	if d.knockd() && v.lua == lua.LString("0s") {
		d.door.Within = 0
		return
	}
	d.door.Within, _ = v.duration()
}
