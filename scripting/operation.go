package scripting

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting/sandbox"
	"sesame/scripting/source"
)

// maxText bounds a reason, a line of a log and a stored string, in bytes.
const maxText = 1024

// Looking for the name that was meant costs instructions: a script may be wrong
// again and again, and catch its errors.
const (
	suggestionCost = 2000
	maxSuggested   = 1000 // doors; among more none is looked for
)

// argument makes a value of a method's argument; what is wrong with it is raised.
func (o *object) argument(L *lua.LState, i int, what string) value {
	return value{lua: L.Get(i), what: what, report: func(_ source.Place, message string) {
		o.call.script.state.Charge(suggestionCost, 0)
		L.RaiseError("%s", message)
	}}
}

func allowOptions() []option[engine.Allow] {
	return []option[engine.Allow]{
		{Option{"port", "a port or a list of ports", "the door's guards", "What the source may reach."},
			func(v value, a *engine.Allow) {
				if a.Ports, _ = v.ports(); len(a.Ports) == 0 {
					v.fail("expected at least one port")
				}
			}},
		{Option{"ttl", "duration", "the door's", "For how long; a connection that stands goes on."},
			func(v value, a *engine.Allow) { a.TTL, _ = v.duration() }},
		{Option{"prefix4", "a whole number from 1 to 32", "32", "Widens the grant to the IPv4 network of that length around the source."},
			func(v value, a *engine.Allow) { a.Bits4, _ = v.integer(1, 32) }},
		{Option{"prefix6", "a whole number from 1 to 128", "128", "Widens the grant to the IPv6 network of that length around the source."},
			func(v value, a *engine.Allow) { a.Bits6, _ = v.integer(1, 128) }},
	}
}

func (o *object) allow(L *lua.LState) int {
	c := o.call
	c.acting(L)
	if c.kind != engine.CallOpen && c.kind != engine.CallKnock {
		L.RaiseError("allow is for on_open and on_knock: access follows a completed sequence, and this is %s", hookNames[c.kind])
	}
	allow := engine.Allow{}
	if L.GetTop() > 1 {
		read(o.argument(L, 2, "allow"), allowOptions(), nil, &allow)
	}
	door := c.moment.Door
	if len(allow.Ports) == 0 && len(door.Guards) == 0 {
		L.RaiseError(`allow names no port, and the door guards none: write allow { port = "tcp/22" }`)
	}
	c.mayAllow(L, allow)
	c.add(L, allow)
	return 0
}

// An execDraft is what exec is given besides its command.
type execDraft struct {
	ttl  time.Duration
	port packet.Port
}

func execOptions() []option[execDraft] {
	return []option[execDraft]{
		{Option{"port", "a port", "the first guard", "What {port} stands for: its number."},
			func(v value, d *execDraft) { d.port, _ = v.port() }},
		{Option{"ttl", "duration", "the command's, else the door's", "The time until undo runs."},
			func(v value, d *execDraft) { d.ttl, _ = v.duration() }},
	}
}

func (o *object) exec(L *lua.LState) int {
	given, _ := L.Get(2).(*lua.LUserData)
	if given == nil {
		L.RaiseError("exec: expected a command that sesame.command declared while the file loaded, got %s", describe(L.Get(2)))
	}
	command, ok := given.Value.(*Command)
	if !ok {
		L.RaiseError("exec: expected a command that sesame.command declared, got %s", describe(given))
	}
	values, draft := o.placeholders(), execDraft{}
	if L.GetTop() > 2 {
		read(o.argument(L, 3, "exec"), command.execSchema(values), nil, &draft)
	}
	if draft.port != (packet.Port{}) {
		values["port"] = strconv.Itoa(int(draft.port.Number))
	}
	exec := engine.Exec{Timeout: command.Timeout, TTL: draft.ttl, AnyStatus: command.AnyStatus}
	if exec.TTL == 0 {
		exec.TTL = command.TTL
	}
	var err error
	if exec.Argv, err = fill(command.argv, values); err == nil && command.undo != nil {
		exec.Undo, err = fill(command.undo, values)
	}
	switch {
	case err != nil:
		L.RaiseError("exec: %v", err)
	case exec.Undo != nil && o.call.moment.Kind == engine.CallClose:
		L.RaiseError("exec: a grant that ends cannot begin another, and this command has an undo")
	case exec.Undo != nil && exec.TTL == 0 && o.call.moment.Door == nil:
		L.RaiseError(`exec: the door is gone, so say when to undo: ttl = "10m"`)
	}
	o.call.add(L, exec)
	return 0
}

// execSchema is what exec may be given for a command: its choices too.
func (c *Command) execSchema(values map[string]string) []option[execDraft] {
	schema := execOptions()
	for _, name := range slices.Sorted(maps.Keys(c.Choices)) {
		schema = append(schema, option[execDraft]{Option{Name: name}, func(v value, _ *execDraft) {
			if i, ok := v.oneOf(c.Choices[name]...); ok {
				values[name] = c.Choices[name][i]
			}
		}})
	}
	return schema
}

// placeholders returns what every command may be filled with.
func (o *object) placeholders() map[string]string {
	m := o.call.moment
	values := map[string]string{}
	if m.Source.IsValid() {
		values["source"] = m.Source.String()
	}
	if door := doorOf(m); door != "" {
		values["door"] = door
	}
	switch {
	case m.Grant != nil && m.Grant.Argv == nil:
		values["port"] = strconv.Itoa(int(m.Grant.Port.Number))
	case m.Door != nil && len(m.Door.Guards) > 0:
		values["port"] = strconv.Itoa(int(m.Door.Guards[0].Number))
	}
	return values
}

func (o *object) close(L *lua.LState) int {
	name, _ := o.argument(L, 2, "close").text()
	if _, ok := o.call.script.doors[name]; !ok {
		o.noDoor(L, name)
	}
	o.call.mayClose(L, name)
	o.call.add(L, engine.Close{Door: name})
	return 0
}

func (o *object) noDoor(L *lua.LState, name string) {
	suggestion := ""
	if doors := o.call.script.doors; len(doors) <= maxSuggested {
		o.call.script.state.Charge(suggestionCost+50*int64(len(doors)), 0)
		suggestion = spelling.DidYouMean(name, slices.Sorted(maps.Keys(doors)))
	}
	L.RaiseError("close: there is no door %q%s", name, suggestion)
}

func (o *object) log(L *lua.LState) int {
	var b strings.Builder
	for i := 2; i <= L.GetTop() && b.Len() <= maxText; i++ {
		switch v := L.Get(i).(type) {
		case lua.LString, lua.LNumber, lua.LBool, *lua.LNilType:
			if i > 2 {
				b.WriteByte(' ')
			}
			b.WriteString(sandbox.Text(v))
		default:
			L.RaiseError("log: expected strings, numbers and booleans, got %s", describe(v))
		}
	}
	o.call.line(L, b.String())
	return 0
}

// line adds a line for people.
func (c *call) line(L *lua.LState, text string) {
	c.script.state.Charge(int64(len(text))/16, int64(len(text)))
	if len(text) > maxText {
		text = text[:maxText-3] + "..."
	}
	c.add(L, engine.Log{Text: text})
}

func (o *object) after(L *lua.LState) int {
	delay, _ := o.argument(L, 2, "after").duration()
	if delay < time.Second {
		L.RaiseError("after: the delay is %v: expected a second or more", delay)
	}
	name, _ := o.argument(L, 3, "after").text()
	if timers := o.call.script.timers; !slices.Contains(timers, name) {
		o.call.script.state.Charge(suggestionCost+50*int64(len(timers)), 0)
		L.RaiseError("after: no handler %q is registered in this file%s", name, spelling.DidYouMean(name, timers))
	}
	o.call.add(L, engine.After{Delay: delay, Name: name, Value: toGo(storable(L, L.Get(4), "after"))})
	return 0
}

// mayAllow refuses access that no site of the door says, or that the door's
// ports exclude.
func (c *call) mayAllow(L *lua.LState, allow engine.Allow) {
	door := c.moment.Door
	ports := allow.Ports
	if len(ports) == 0 {
		ports = door.Guards
	}
	for _, port := range ports {
		if door.Ports != nil && !slices.Contains(door.Guards, port) && !slices.Contains(door.Ports, port) {
			L.RaiseError("allow of %s: it is neither among the guards of the door nor among its ports", port)
		}
		named := false
		spanned := slices.ContainsFunc(c.script.allows, func(site source.AllowSite) bool {
			names := site.Names(door, port)
			named = named || names
			return names && site.Spans(allow.Bits4, allow.Bits6)
		})
		switch {
		case !named:
			L.RaiseError(`allow of %s: no allow %s names it: write allow { port = %q } there`, port, whence(door.Name), port)
		case !spanned:
			L.RaiseError(`allow of %s: no allow %s names so wide a network: write prefix4 or prefix6 there`, port, whence(door.Name))
		}
	}
}

// mayClose refuses to close a door that no site of the door at hand names.
func (c *call) mayClose(L *lua.LState, target string) {
	door := doorOf(c.moment)
	named := slices.ContainsFunc(c.script.closes, func(site source.CloseSite) bool { return site.Names(door, target) })
	if !named {
		L.RaiseError("close %q: no close %s names it: write close %[1]q there", target, whence(door))
	}
}

// whence says where the sites of a door are looked for.
func whence(door string) string {
	if door == "" {
		return "outside of doors"
	}
	return fmt.Sprintf("in door %q or outside of doors", door)
}
