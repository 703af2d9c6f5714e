package scripting

import (
	"fmt"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

const (
	defaultWithin = 10 * time.Second
	defaultTTL    = 30 * time.Second
	maxSequence   = 32
)

// A draft is a door while its options are read.
type draft struct {
	door     *engine.Door
	script   *script
	handler  *handler
	flags    engine.FlagTest // of the knocks without flags of their own
	sequence value
	oneTime  value // the path of a file of more sequences
}

func (s *script) newDraft(name string, listen bool) *draft {
	h := &handler{script: s}
	return &draft{
		script:  s,
		handler: h,
		flags:   engine.SYN,
		door: &engine.Door{
			Name: name, Script: s.source.Path, Listen: listen,
			Within: defaultWithin, TTL: defaultTTL,
		},
	}
}

func registerDoor(s *script, L *lua.LState, name string) lua.LValue {
	v, _ := s.argument(L, "door", name)
	d := s.newDraft(name, false)
	if s.loading.knockd {
		d.door.Policy, d.door.Group = engine.PolicyKnockd, s.source.Path
	}
	if read(v, doorOptions(), nil, d) {
		d.readSequence(v)
		if d.door.Except != nil && !d.door.Strict {
			v.fail("except is for a strict door: add strict = true, or leave it out")
		}
		d.finish(v)
	}
	return lua.LNil
}

// finish hands a door that was read to the registration.
func (d *draft) finish(v value) {
	d.door.File, d.door.Line = v.at.File, v.at.Line
	if d.door.Hooks != 0 {
		d.door.Handler = d.handler
	}
	d.script.loading.doors = append(d.script.loading.doors, d.door)
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

// responseOptions are those that doors and listeners share.
func responseOptions(limit string) []option[draft] {
	return []option[draft]{
		{Option{"guards", "a port or a list of ports", "", "The ports that are shut to everyone without a grant."},
			func(v value, d *draft) { d.door.Guards, _ = v.ports() }},
		{Option{"ports", "a port or a list of ports", "", "What else an allow of this door may name; without it an allow may name any port."},
			func(v value, d *draft) { d.door.Ports, _ = v.ports() }},
		{Option{"ttl", "duration", `"30s"`, "How long a grant lasts; a connection that stands goes on."},
			func(v value, d *draft) { d.door.TTL, _ = v.duration() }},
		{Option{"limit", `a count and a time, such as "3/h" or "20/s per source"`, limit, "How often the door can be completed; what is more is refused."},
			func(v value, d *draft) { d.door.Limit, _ = parsed(v, `a limit such as "20/s"`, parseLimit) }},
		{Option{"when", "a condition, a function(attempt), or a list of both", "", "What must hold for the door to open: all of it. A function returns true, or false and a reason."},
			func(v value, d *draft) { d.door.When = d.script.conditions(v) }},
		{Option{"mode", `"enforce" or "observe"`, `"enforce"`, "With observe everything is decided and nothing done: its guards count what they would drop, its grants open nothing, and its commands do not run."},
			func(v value, d *draft) {
				i, _ := v.oneOf("enforce", "observe")
				d.door.Observe = i == 1
			}},
		functionOption("on_close", "function(grant)", "Called when a grant of this door ended.", engine.CallClose, engine.HookClose),
	}
}

func functionOption(name, kind, doc string, moment engine.CallKind, hook engine.Hooks) option[draft] {
	return option[draft]{Option{name, kind, "", doc}, func(v value, d *draft) {
		if fn, ok := v.function(); ok {
			d.handler.functions[moment] = d.script.keep(fn)
			d.door.Hooks |= hook
		}
	}}
}

// readSequence reads the knocks after all other options: their flags are those
// of the door unless they have their own.
func (d *draft) readSequence(v value) {
	if d.knockd() {
		d.door.Flags = d.flags
	}
	if d.oneTime.lua != nil {
		defer d.readOneTime()
	}
	if d.sequence.lua == nil {
		if !v.has("sequence") && !v.has("one_time_sequences") {
			v.fail(`sequence is missing: expected 1 to %d ports, such as sequence = { "tcp/7421", "udp/9133" }, or the path of a file of them in one_time_sequences`, maxSequence)
		}
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

func (d *draft) withFlags(port packet.Port, flags engine.FlagTest) engine.Knock {
	if port.Proto != packet.TCP {
		flags = engine.FlagTest{}
	}
	return engine.Knock{Port: port, Flags: flags}
}

func registerListen(s *script, L *lua.LState, name string) lua.LValue {
	v, _ := s.argument(L, "listen", name)
	d := s.newDraft(name, true)
	d.door.Limit, _ = parseLimit(defaultListenLimit)
	if read(v, listenOptions(), nil, d) {
		d.finish(v)
	}
	return lua.LNil
}

// defaultListenLimit bounds the Lua that strangers can have run.
const defaultListenLimit = "20/s"

func listenOptions() []option[draft] {
	return append([]option[draft]{
		{Option{"on", "a port or a list of up to 32 ports", Required, "The ports whose every packet is handed to on_knock."},
			func(v value, d *draft) {
				ports, ok := v.ports()
				if ok && (len(ports) < 1 || len(ports) > maxSequence) {
					v.fail("expected 1 to %d ports, got %d", maxSequence, len(ports))
				}
				for _, port := range ports {
					d.door.Sequence = append(d.door.Sequence, d.withFlags(port, d.flags))
				}
			}},
		{Option{"on_knock", "function(knock)", Required, "Called for each packet; it may allow, or return false and a reason to refuse."},
			functionOption("on_knock", "", "", engine.CallKnock, engine.HookKnock).read},
	}, responseOptions(fmt.Sprintf("%q", defaultListenLimit))...)
}
