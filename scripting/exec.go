package scripting

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

func execMember(of string) Member {
	return Member{Name: "exec", Type: "(command, { options })", Doc: "Runs a declared command. Choices and a port are given by name.",
		Example: of + `:exec(audit, { level = "high" })`, Options: documented(execOptions()), method: (*object).exec, acts: true,
		arguments: []argument{{"exec", nil, command}, {"exec", nil, maybe | options}}}
}

// An execDraft holds the options of exec.
type execDraft struct {
	ttl  time.Duration
	port packet.Port
}

func execOptions() []option[execDraft] {
	return []option[execDraft]{
		{Option{"port", "a port", "the first guard", "The port whose number fills `{port}`."},
			func(v value, d *execDraft) { d.port, _ = v.port() }},
		{Option{"ttl", "duration", "the command's, else the door's", "The time until undo runs."},
			func(v value, d *execDraft) { d.ttl, _ = v.duration() }},
	}
}

// exec requests a run of a declared command. Its arguments are filled here, so
// the decision has them as they will run.
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
	exec := engine.Exec{Timeout: command.Timeout, TTL: draft.ttl, AnyStatus: command.AnyStatus, Required: command.Required, Shared: command.Shared,
		Invocation: &engine.Invocation{Argv: command.Argv, Undo: command.Undo, Values: values}}
	if exec.TTL == 0 {
		exec.TTL = command.TTL
	}
	if o.run.call.Priced() {
		o.run.script.state.Surcharge(int64(len(command.Choices)), 0)
		arguments, bytes := sizeOf(values, command.argv, command.undo)
		o.run.script.state.Charge(grantSteps+argumentSteps*arguments, argumentCopies*bytes)
	}
	var err error
	if exec.Argv, err = fill(command.argv, values); err == nil && command.undo != nil {
		exec.Undo, err = fill(command.undo, values)
	}
	switch {
	case err != nil:
		L.RaiseError("exec: %v", err)
	case exec.Undo != nil && o.run.call.Kind == engine.CallClose:
		L.RaiseError("exec: a grant that ends cannot begin another, and this command has an undo")
	case exec.Undo != nil && exec.TTL == 0 && o.run.call.Door == nil:
		L.RaiseError(`exec: the door is gone, so say when to undo: ttl = "10m"`)
	}
	o.run.add(L, exec)
	return 0
}

// What the arguments of a command cost, of its undo too. Their bytes are copied into the decision,
// its events, the transcript and the journal. The function pays before any of them is filled.
const (
	argumentSteps  = 4
	argumentCopies = 8
)

// execSchema returns the options of exec for a command, with its choices, which
// are read into values.
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

// placeholders returns the values of the placeholders that every command has.
// One that has no value here, such as the source of a timer without one, is
// missing.
func (o *object) placeholders() map[string]string {
	call := o.run.call
	values := map[string]string{}
	if call.Source.IsValid() {
		values["source"] = call.Source.String()
	}
	if door := doorOf(call); door != "" {
		values["door"] = door
	}
	switch {
	case call.Grant != nil && call.Grant.Argv == nil:
		values["port"] = strconv.Itoa(int(call.Grant.Port.Number))
	case call.Door != nil && len(call.Door.Guards) > 0:
		values["port"] = strconv.Itoa(int(call.Door.Guards[0].Number))
	}
	return values
}
