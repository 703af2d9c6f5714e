package scripting

import (
	"time"

	"sesame/daemon/engine"
)

const (
	defaultWithin = 10 * time.Second
	defaultTTL    = 30 * time.Second
	maxSequence   = 32 // knocks of a door, and ports of a listener
)

// A draft is a door or listener while its options are read.
type draft struct {
	door     *engine.Door
	script   *script
	handler  *handler
	flags    engine.FlagTest // of knocks without flags of their own
	sequence value
	oneTime  value // the path of a file of one-time sequences
	payload  payloadDraft
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

// knockd reports whether the door has the policy "knockd".
func (d *draft) knockd() bool { return d.door.Policy == engine.PolicyKnockd }

// finish adds the door to the registration. The place is that of the call,
// which may be in a module.
func (d *draft) finish(v value) {
	d.readPayload()
	d.door.File, d.door.Line = v.at.File, v.at.Line
	if d.door.Hooks != 0 {
		d.door.Handler = d.handler
	}
	d.script.loading.doors = append(d.script.loading.doors, d.door)
}

// responseOptions are the options that doors and listeners share. limit is the
// default of limit, for the documentation.
func responseOptions(limit string) []option[draft] {
	return []option[draft]{
		{Option{"guards", "a port or a list of ports", "", "The ports that are closed to everyone without a grant."},
			func(v value, d *draft) { d.door.Guards, _ = v.ports() }},
		{Option{"ports", "a port or a list of ports", "", "Other ports that an allow of this door may name. Without it an allow may name any port."},
			func(v value, d *draft) { d.door.Ports, _ = v.ports() }},
		{Option{"ttl", "duration", `"30s"`, "How long a grant lasts. An open connection stays open after that, unless cut is true."},
			func(v value, d *draft) { d.door.TTL, _ = v.duration() }},
		{Option{"cut", "true or false", "false", "Whether sessions and flows end with the grant, however it ends. While another grant gives the source the same port, they go on."},
			func(v value, d *draft) { d.door.Cut, _ = v.boolean() }},
		{Option{"ends_with", "a window, or sesame.any of windows alone", "", "Ends each grant that the door gives when it opens, and no later than this window ends. Outside of the window nothing opens. A command with an undo ends too."},
			func(v value, d *draft) { d.door.EndsWith = v.endsWith() }},
		{Option{"limit", `a count and a time, such as "3/h" or "20/s per source"`, limit, "How often the sequence can be completed. What goes beyond is refused."},
			func(v value, d *draft) { d.door.Limit, _ = parsed(v, `a limit such as "20/s"`, parseLimit) }},
		{Option{"when", "a condition, a function(attempt), or a list of both", "", "What must hold for the door to open: all of the list. A function returns true, or false and a reason."},
			func(v value, d *draft) { d.door.When = d.script.conditions(v) }},
		{Option{"mode", `"enforce" or "observe"`, `"enforce"`, "With observe the door decides everything and changes nothing: its guards count what they would drop, its grants open nothing, and its commands do not run."},
			func(v value, d *draft) {
				i, _ := v.oneOf("enforce", "observe")
				d.door.Observe = i == 1
			}},
		functionOption("on_close", "function(grant)", "Called when a grant of this door has ended.", engine.CallClose, engine.HookClose),
	}
}

// functionOption is an option that takes the function for one kind of call.
func functionOption(name, kind, doc string, call engine.CallKind, hook engine.Hooks) option[draft] {
	return option[draft]{Option{name, kind, "", doc}, func(v value, d *draft) {
		if fn, ok := v.function(); ok {
			d.handler.functions[call] = d.script.addFunction(fn)
			d.door.Hooks |= hook
		}
	}}
}
