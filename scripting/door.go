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

func registerDoor(s *script, L *lua.LState, name string) lua.LValue {
	v, _ := s.argument(L, "door", name)
	d := s.newDraft(name, false)
	if s.loading.knockd {
		d.door.Policy, d.door.Group = engine.PolicyKnockd, s.source.Path
	}
	if read(v, doorOptions(), nil, d) {
		d.readSequence(v)
		if d.oneTime.lua != nil {
			d.readOneTime()
		}
		if d.door.Except != nil && !d.door.Strict {
			v.fail("except is for a strict door: add strict = true, or leave it out")
		}
		d.finish(v)
	}
	return lua.LNil
}

func doorOptions() []option[draft] {
	return append([]option[draft]{
		{Option{"sequence", `a list of 1 to 32 ports, such as { "tcp/7421", "udp/9133" }; { "tcp/7000", flags = "syn,!ack" } for one knock's flags`, "", "The knocks that open the door, in their order; required where there are no one_time_sequences."},
			func(v value, d *draft) { d.sequence = v }},
		{Option{"one_time_sequences", "the path of a file", "", "Sequences that open the door once each, in their order: a line each, such as 7421,9133:udp,2904, behind a blank, since the first byte of a line that was used becomes #. A sequence that is given too is used before them, once after each start of the daemon: no file remembers it."},
			func(v value, d *draft) { d.oneTime = v }},
		{Option{"target", "an address", "any of this host", "The one destination whose packets count, be it an address of this host or not."},
			func(v value, d *draft) { d.door.Target, _ = parsed(v, `an address such as "203.0.113.5"`, parseTarget) }},
		{Option{"flags", `TCP flags that must be set, or with ! must not; or "any"`, `"syn,!ack"`, "What a TCP packet must carry to count as a knock of this door."},
			func(v value, d *draft) { d.flags, _ = parsed(v, `flags such as "syn,!ack"`, parseFlags) }},
		{Option{"within", "duration", `"10s"`, "The time for the whole sequence; a knock at exactly its end is too late."},
			func(v value, d *draft) { d.readWithin(v) }},
		{Option{"step_timeout", "duration", "", "The time between two knocks."},
			ofSesame("and limits the whole sequence alone", func(v value, d *draft) { d.door.StepTimeout, _ = v.duration() })},
		{Option{"on_wrong", `"reset" or "ignore"`, `"reset"`, "What a wrong knock does to an attempt: it falls back, or nothing happens."},
			ofSesame("and each wrong knock ends an attempt", func(v value, d *draft) {
				i, _ := v.oneOf("reset", "ignore")
				d.door.OnWrong = engine.OnWrong(i)
			})},
		{Option{"duplicates", `"ignore" or "wrong"`, `"ignore"`, "What a repeat of the latest knock is: forgiven, or a knock like any other."},
			ofSesame("and a repeat is a wrong knock", func(v value, d *draft) {
				i, _ := v.oneOf("ignore", "wrong")
				d.door.Duplicates = engine.Duplicates(i)
			})},
		{Option{"strict", "true or false", "false", "Whether every TCP SYN and UDP packet to this host can be a wrong knock, so that no scan opens the door."},
			ofSesame("and the ports of the file's doors alone can be wrong knocks", func(v value, d *draft) { d.door.Strict, _ = v.boolean() })},
		{Option{"except", "a port or a list of ports", "", "The ports that a strict door does not mind."},
			ofSesame("and no door is strict", func(v value, d *draft) { d.door.Except, _ = v.ports() })},
		functionOption("on_stage", "function(attempt)", "Called at the second knock and each later one; it may return false and a reason to refuse.", engine.CallStage, engine.HookStage),
		functionOption("on_open", "function(attempt)", "Called when the sequence is complete and its conditions hold; without it the door allows its guards. It may return false and a reason to refuse; what it stores, logs or runs is done then too.", engine.CallOpen, engine.HookOpen),
		functionOption("on_miss", "function(attempt)", "Called when an attempt of two knocks or more ends unfinished.", engine.CallMiss, engine.HookMiss),
	}, responseOptions("")...)
}

// ofSesame reads an option that only the policy "sesame" leaves to scripts; why
// says what the other one does.
func ofSesame(why string, read func(value, *draft)) func(value, *draft) {
	return func(v value, d *draft) {
		if d.knockd() {
			v.fail(decidedByKnockd, why)
			return
		}
		read(v, d)
	}
}

// readWithin reads the limit of a sequence. In a knockd.conf it can be zero: no
// second knock is ever in time.
func (d *draft) readWithin(v value) {
	if d.knockd() && v.lua == lua.LString("0s") {
		d.door.Within = 0
		return
	}
	d.door.Within, _ = v.duration()
}
