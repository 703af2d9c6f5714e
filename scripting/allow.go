package scripting

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

func allowMember(of string) Member {
	return Member{Name: "allow", Type: "() or { options }", Doc: "Gives the source access to the door's guards, or to the ports named. Only on_open and on_knock may call it.",
		Example: of + `:allow { port = "tcp/443", ttl = "2h" }`, Options: documented(allowOptions()), method: (*object).allow,
		arguments: []argument{{"allow", tableOf(allowOptions()), maybe | access}}, acts: true, only: completed}
}

// completed are the calls that follow a completed sequence.
var completed = []engine.CallKind{engine.CallOpen, engine.CallKnock}

func allowOptions() []option[engine.Allow] {
	return []option[engine.Allow]{
		{Option{"port", "a port or a list of ports", "the door's guards", "The ports that the source may reach."},
			func(v value, a *engine.Allow) {
				if a.Ports, _ = v.ports(); len(a.Ports) == 0 {
					v.fail("expected at least one port")
				}
			}},
		{Option{"ttl", "duration", "the door's", "How long the access lasts. An open connection stays open after that, unless the door has cut."},
			func(v value, a *engine.Allow) { a.TTL, _ = v.duration() }},
		{Option{"ends_with", "a window, or sesame.any of windows alone", "the door's", "Ends the access no later than this window ends. Outside of the window the call is an error."},
			func(v value, a *engine.Allow) { a.EndsWith = v.endsWith() }},
		{Option{"prefix4", "a whole number from 1 to 32", "32", "Widens the access to the IPv4 network of that length around the source."},
			func(v value, a *engine.Allow) { a.Bits4, _ = v.integer(1, 32) }},
		{Option{"prefix6", "a whole number from 1 to 128", "128", "Widens the access to the IPv6 network of that length around the source."},
			func(v value, a *engine.Allow) { a.Bits6, _ = v.integer(1, 128) }},
		{Option{"source", madeByCompleted, "the source at hand", "Gives the access to whoever completed that door, instead."},
			func(v value, a *engine.Allow) { a.For, _ = v.completion() }},
	}
}

// allow requests access. Access follows a completed sequence, so only the
// functions for that may call it.
func (o *object) allow(L *lua.LState) int {
	r := o.run
	r.acting(L)
	if !slices.Contains(completed, r.kind) {
		L.RaiseError("%s", onlyFor("allow", completed, r.kind))
	}
	allow := engine.Allow{}
	if L.GetTop() > 1 {
		read(o.argument(L, 2, "allow"), allowOptions(), nil, &allow)
	}
	door := r.call.Door
	if len(allow.Ports) == 0 && len(door.Guards) == 0 {
		L.RaiseError(`allow names no port, and the door guards none: write allow { port = "tcp/22" }`)
	}
	if other := allow.For; other != (engine.Completion{}) && !r.call.Completed(other) {
		L.RaiseError("allow: source: nobody completed door %q within %s: ask with holds first", other.Door, transcript.Duration(other.Within))
	}
	r.payForPorts(allow)
	r.mayAllow(L, allow)
	r.add(L, allow)
	return 0
}

// What each port of an allow costs: a grant with its events and its line in the transcript, some
// 10 µs and 1 KiB. Each place in the text that may name the port costs a part of a step, too.
const (
	grantSteps   = 64
	grantBytes   = 1 << 10
	sitesOfAStep = 8
)

// payForPorts charges the function for the grants that it asks for.
func (r *run) payForPorts(allow engine.Allow) {
	if n := int64(cmp.Or(len(allow.Ports), len(r.call.Door.Guards))); r.call.Priced() {
		r.script.state.Charge(n*(grantSteps+int64(len(r.script.allows)/sitesOfAStep)), n*grantBytes)
	}
}

// mayAllow refuses ports that the option ports of the door excludes, and access
// that no call of allow in the text covers: see [Set.Sites].
func (r *run) mayAllow(L *lua.LState, allow engine.Allow) {
	door := r.call.Door
	ports := allow.Ports
	if len(ports) == 0 {
		ports = door.Guards
	}
	for _, port := range ports {
		guarded := slices.Contains(door.Guards, port)
		if door.Ports != nil && !guarded && !slices.Contains(door.Ports, port) {
			L.RaiseError("allow of %s: it is neither among the guards of the door nor among its ports", port)
		}
		named, given := false, false
		spanned := slices.ContainsFunc(r.script.allows, func(site source.AllowSite) bool {
			names := site.Names(door.Name, port, guarded)
			named = named || names
			reaches := allow.For == (engine.Completion{}) || site.Other
			given = given || names && reaches
			return names && reaches && site.Spans(allow.Bits4, allow.Bits6)
		})
		switch {
		case !named:
			L.RaiseError(`allow of %s: no allow %s names it: write allow { port = %q } there`, port, scopeOf(door.Name), port)
		case !given:
			L.RaiseError(`allow of %s: no allow %s names another source: write source = ... there`, port, scopeOf(door.Name))
		case !spanned:
			L.RaiseError(`allow of %s: no allow %s names so wide a network: write prefix4 or prefix6 there`, port, scopeOf(door.Name))
		}
	}
}

// madeByCompleted is what the option source takes, for messages.
const madeByCompleted = "a condition made by sesame.completed"

// completion reads a condition of the kind completed. An address is refused: it
// would be access for which nobody knocked.
func (v value) completion() (engine.Completion, bool) {
	if ud, ok := v.lua.(*lua.LUserData); ok {
		if made, ok := ud.Value.(engine.Condition); ok {
			if wanted, ok := condition.Completion(made); ok {
				return wanted, true
			}
		}
	}
	v.expected(madeByCompleted)
	return engine.Completion{}, false
}

// scopeOf names the part of the text in which the calls of a door may be, for
// messages.
func scopeOf(door string) string {
	if door == "" {
		return "outside of doors"
	}
	return fmt.Sprintf("in door %q or outside of doors", door)
}
