package scripting

import (
	"slices"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/spec"
)

// An eventKind is how tests write the events of one kind.
type eventKind struct {
	key     string
	what    string // stands first in its table, or alone
	doc     string
	reasons []engine.Reason // that it can have; nil: it has none
}

// eventKinds has the events that a test must name whenever they happen.
var eventKinds = [...]eventKind{
	spec.Opens:   {"opens", "the name of a door", "The doors that open.", nil},
	spec.Refuses: {"refuses", "the name of a door", "The doors that refuse.", []engine.Reason{engine.When, engine.NoData, engine.ClockDoubt, engine.Limited, engine.ScriptError}},
	spec.Misses:  {"misses", "the name of a door", "The doors at which an attempt of two knocks or more ends unfinished.", []engine.Reason{engine.WrongPort, engine.Tripwire, engine.OutOfOrder, engine.StepTimeout, engine.TotalTimeout, engine.Used, engine.EndOfCapture}},
	spec.Fails:   {"fails", "the name of a command", "The commands that fail, and the errors of functions.", nil},
	spec.Closes:  {"closes", "the name of a door", "The doors whose grants end.", []engine.Reason{engine.Expired, engine.WindowEnded, engine.ClosedByDoor, engine.Replaced, engine.NotDone}},
}

// An expectationDraft is one expectation while its table is read.
type expectationDraft struct {
	spec.Expectation
	first int // entries without a key
}

// expectationOptions are the keys that an event can have. They are those of the transcript.
func expectationOptions(event spec.Event) []option[expectationDraft] {
	all := []option[expectationDraft]{
		{Option{"door", "the name of a door", "any", "The door, where it does not stand first."},
			func(v value, d *expectationDraft) { d.Door, _ = readName(v) }},
		{Option{"source", "an address or a network", "any", "Who it happens to: the address, or one of the network."},
			func(v value, d *expectationDraft) { d.Source, _ = v.network() }},
		{Option{"times", "a whole number from 1", "1", "How often it happens."},
			func(v value, d *expectationDraft) { d.Times, _ = v.integer(1, 1_000_000) }},
		{Option{"reason", quotedReasons(event), "any", "Why, as in the transcript."},
			func(v value, d *expectationDraft) {
				names := reasonNames(event)
				if i, ok := v.oneOf(names...); ok {
					d.Reason = names[i]
				}
			}},
		{Option{"condition", "the name of a condition", "any", "The condition that decided: its variable, or its `name`."},
			func(v value, d *expectationDraft) { d.Condition, _ = readName(v) }},
		{Option{"detail", "a string", "any", "The detail, or a part of it."},
			func(v value, d *expectationDraft) { d.Detail, _ = v.plainText() }},
	}
	return slices.DeleteFunc(all, func(o option[expectationDraft]) bool {
		switch o.Name {
		case "reason":
			return eventKinds[event].reasons == nil
		case "condition":
			return event != spec.Refuses
		case "detail":
			return event != spec.Refuses && event != spec.Fails
		}
		return false
	})
}

func reasonNames(event spec.Event) []string {
	names := make([]string, len(eventKinds[event].reasons))
	for i, reason := range eventKinds[event].reasons {
		names[i] = string(reason)
	}
	return names
}

func quotedReasons(event spec.Event) string { return "one of " + quotedList(reasonNames(event)) }

// plainText reads a text to compare with what came.
func (v value) plainText() (string, bool) {
	text, ok := v.text()
	switch {
	case ok && text == "":
		v.fail("expected a text, got an empty one: leave it out, and anything will do")
	case ok && len(text) > maxText:
		v.fail("expected at most %d bytes, got %d", maxText, len(text))
	}
	return text, ok
}

// each calls one for what stands for a key that is compared: one entry, a list of entries, or false
// for none. A table with a name in it is one entry. The text what is for values of other types.
func (d *stepDraft) each(v value, what string, one func(value)) {
	table, isTable := v.lua.(*lua.LTable)
	switch {
	case v.lua == lua.LFalse:
		return
	case !isTable || hasNames(table):
		d.script.state.Charge(1, entryBytes)
		one(v)
		return
	}
	items, ok := v.items(what)
	if ok && len(items) == 0 {
		v.fail("the list is empty: write %s = false when there must be none, or leave it out", v.what)
	}
	for _, item := range items {
		d.script.state.Charge(1, entryBytes)
		one(item)
	}
}

// readExpectations reads the events of one kind.
func (d *stepDraft) readExpectations(v value, event spec.Event) {
	what := eventKinds[event].what + ", a table such as { \"ssh\", times = 2 }, or a list of these"
	d.each(v, what, func(v value) { d.Strict = append(d.Strict, expectation(v, event, what)) })
}

// expectation reads "ssh" or { "ssh", source = "203.0.113.9", times = 2 }.
func expectation(v value, event spec.Event, what string) spec.Expectation {
	e := &expectationDraft{Expectation: spec.Expectation{Place: v.at, Event: event, Times: 1}}
	if _, ok := v.lua.(*lua.LTable); !ok {
		if _, ok := as[lua.LString](v, what); ok {
			e.setFirst(v)
		}
		return e.Expectation
	}
	read(v, expectationOptions(event), func(v value, e *expectationDraft) { e.setFirst(v); e.first++ }, e)
	switch {
	case e.first > 1:
		v.fail("%s stands once in a table with other keys, got %d: write a table for each", eventKinds[event].what, e.first)
	case e.first == 1 && event != spec.Fails && v.has("door"):
		v.fail("the door stands in it twice, once as door")
	}
	return e.Expectation
}

// setFirst reads what stands first: a door, or of a failure the command.
func (e *expectationDraft) setFirst(v value) {
	if name, _ := readName(v); e.Event == spec.Fails {
		e.Command = name
	} else {
		e.Door = name
	}
}

func allowedOptions() []option[spec.Allow] {
	return []option[spec.Allow]{
		{Option{"port", "a port", "any", "What may be reached."},
			func(v value, a *spec.Allow) { a.Port, _ = v.port() }},
		{Option{"source", "an address or a network", "any", "Who may reach it."},
			func(v value, a *spec.Allow) { a.Source, _ = v.network() }},
		{Option{"ttl", "duration", "any", "How long."},
			func(v value, a *spec.Allow) { a.TTL, _ = v.duration() }},
	}
}

func (d *stepDraft) readAllows(v value) {
	d.Allows = []spec.Allow{}
	d.each(v, "a port such as \"tcp/22\", or a list of ports", func(v value) {
		a := spec.Allow{Place: v.at}
		if _, ok := v.lua.(*lua.LTable); ok {
			read(v, allowedOptions(), nil, &a)
		} else {
			a.Port, _ = v.port()
		}
		d.Allows = append(d.Allows, a)
	})
}

// A runDraft is a command that a step runs while its table is read.
type runDraft struct {
	spec.Run
	names int // entries without a key
}

func runOptions() []option[runDraft] {
	return []option[runDraft]{
		{Option{"undo", "true or false", "false", "Whether it is the undo of the command that runs."},
			func(v value, r *runDraft) { r.Undo, _ = v.boolean() }},
		{Option{"argv", "a list of strings", "any", "The program and all its arguments."},
			func(v value, r *runDraft) {
				items, _ := v.items("a list of strings")
				r.Argv = make([]string, len(items))
				for i, item := range items {
					r.Argv[i], _ = item.text()
				}
			}},
	}
}

func (d *stepDraft) readRuns(v value) {
	d.Runs = []spec.Run{}
	const what = `the name of a command, or a table such as { "audit", undo = true }`
	d.each(v, what, func(v value) {
		r := &runDraft{Run: spec.Run{Place: v.at}}
		if _, ok := v.lua.(*lua.LTable); ok {
			read(v, runOptions(), func(v value, r *runDraft) { r.Command, _ = readName(v); r.names++ }, r)
		} else if _, ok := as[lua.LString](v, what); ok {
			r.Command, _ = readName(v)
		}
		if r.names > 1 {
			v.fail("a table with other keys has one command, got %d: write a table for each", r.names)
		}
		d.Runs = append(d.Runs, r.Run)
	})
}

func (d *stepDraft) readLogs(v value) {
	d.Logs = []spec.Log{}
	d.each(v, "a string, or a list of strings", func(v value) {
		text, _ := v.plainText()
		d.Logs = append(d.Logs, spec.Log{Place: v.at, Text: text})
	})
}
