package scripting

import (
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/yuin/gopher-lua"
)

func commandMember() Member {
	return Member{Name: "command", Type: "{ program, argument, ..., options }", Doc: "Declares a program with its arguments, which functions may run. `{source}`, `{port}`, `{door}` and choices are filled in.",
		Example: `local audit = sesame.command { "/usr/local/bin/audit", "{source}", timeout = "5s" }`,
		Options: documented(commandOptions()), Returns: "sesame.command", function: registerCommand}
}

const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 10 * time.Minute
	maxArguments   = 64
	maxArgument    = 4096 // bytes
)

// reserved are the names that choices cannot have: the placeholders of every
// command, and the options of exec.
var reserved = []string{"source", "port", "door", "ttl"}

// registerCommand returns the command to the script, also when it has problems:
// then the rest of the file is still checked, and the set does not load.
func registerCommand(s *script, L *lua.LState) int {
	v, bound := s.argument(L, "command", "")
	d := &commandDraft{Command: Command{Name: bound, Place: v.at, Timeout: defaultTimeout}}
	if read(v, commandOptions(), func(v value, d *commandDraft) { d.given = append(d.given, v) }, d) {
		d.Argv, d.argv = d.arguments(v, d.given)
		if d.undone.lua != nil {
			if items, ok := d.undone.items("a list of arguments"); ok {
				d.Undo, d.undo = d.arguments(d.undone, items)
			}
		}
		d.checkShared()
	}
	if d.Name == "" && len(d.Argv) > 0 {
		d.Name = path.Base(d.Argv[0])
	}
	s.loading.commands = append(s.loading.commands, &d.Command)
	L.Push(s.userdata(L, &d.Command))
	return 1
}

// A commandDraft is a command while its options are read. Its arguments are
// read last, since choices are placeholders too.
type commandDraft struct {
	Command
	given  []value
	undone value
	shared value // the option, when it is true
}

// checkShared finds a command that has nothing to share.
func (d *commandDraft) checkShared() {
	switch {
	case !d.Shared:
	case d.Undo == nil:
		d.shared.fail("the command has no undo, so nothing is shared: name one, or leave it out")
	case d.UsesSource():
		d.shared.fail("an argument has {source}, so each source has a run of its own: leave one of the two out")
	}
}

// Lua reports whether a script declared the command, and not a knockd.conf.
func (c *Command) Lua() bool { return c.argv != nil }

// UsesSource reports whether an argument of the command or of its undo has {source}.
func (c *Command) UsesSource() bool {
	for _, t := range slices.Concat(c.argv, c.undo) {
		for i := 1; i < len(t); i += 2 {
			if t[i] == "source" {
				return true
			}
		}
	}
	return false
}

func commandOptions() []option[commandDraft] {
	return []option[commandDraft]{
		{Option{"undo", "a list of arguments", "", "The program and arguments that take the effect back. With it the command is a grant, and undo runs when the grant ends. It may run twice."},
			func(v value, d *commandDraft) { d.undone = v }},
		{Option{"timeout", "duration up to 10m", `"10s"`, "The time after which a run is killed."},
			func(v value, d *commandDraft) {
				if d.Timeout, _ = v.duration(); d.Timeout > maxTimeout {
					v.fail("expected at most 10m, got %s", d.Timeout)
				}
			}},
		{Option{"ttl", "duration", "the door's", "The time until undo runs."},
			func(v value, d *commandDraft) { d.TTL, _ = v.duration() }},
		{Option{"status", `"zero" or "any"`, `"zero"`, "The exit statuses with which a run counts as done. With any, one that exits with a failure counts too, and its undo stays; it is reported all the same, in a note of sesame status and in sesame grants."},
			func(v value, d *commandDraft) {
				i, _ := v.oneOf("zero", "any")
				d.AnyStatus = i == 1
			}},
		{Option{"required", "true or false", "false", "Whether the function needs this command. Then what it does next waits for the command, and a failure takes back everything that it did, access too. Otherwise a failure is only reported."},
			func(v value, d *commandDraft) { d.Required, _ = v.boolean() }},
		{Option{"shared", "true or false", "false", "Whether all sources share one run: the command runs for the first grant, and its undo when the last grant that ran it ends. Without it each source has a run of its own."},
			func(v value, d *commandDraft) {
				d.Shared, _ = v.boolean()
				d.shared = v
			}},
		{Option{"choices", `a table such as { level = { "low", "high" } }`, "", "Placeholders of this command, each with the texts that may fill it."},
			func(v value, d *commandDraft) { d.Choices = readChoices(v) }},
		{Option{"name", "a name", "the variable's", "Its name in reports."},
			func(v value, d *commandDraft) { d.Name, _ = readName(v) }},
	}
}

// readChoices reads the placeholders that a command declares, each with the
// texts that may fill it. So a function can choose among texts, but not make
// one of a packet.
func readChoices(v value) map[string][]string {
	table, ok := as[*lua.LTable](v, `a table such as { level = { "low", "high" } }`)
	if !ok {
		return nil
	}
	choices, text := map[string][]string{}, v.layout()
	for key, element := range v.entries(table) {
		name, ok := key.(lua.LString)
		if !ok || !placeholderName(string(name)) || slices.Contains(reserved, string(name)) {
			v.fail("%s cannot name a choice: expected lower-case letters and _, and not %s", keyText(key), strings.Join(reserved, ", "))
			continue
		}
		items, _ := v.field(text, string(name), element).items(`a list of strings such as { "low", "high" }`)
		choices[string(name)] = nil
		for _, item := range items {
			switch text, ok := item.text(); {
			case ok && len(text) > maxChoice:
				item.fail("a choice has %d bytes: expected at most %d", len(text), maxChoice)
			case ok:
				choices[string(name)] = append(choices[string(name)], text)
			}
		}
	}
	return choices
}

// maxChoice bounds a choice, in bytes.
const maxChoice = 256

func placeholderName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// What a byte of an argument costs: it may be cut at each third byte, into two texts.
const (
	charactersOfAStep = 4
	templateBytes     = 12
)

// arguments reads a program and its arguments. The program is an absolute path
// without placeholders, so which program runs never depends on a packet.
func (d *commandDraft) arguments(v value, items []value) (argv []string, templates []template) {
	if len(items) == 0 || len(items) > maxArguments {
		v.fail(`expected a program and its arguments, such as "/usr/bin/logger", "{source}", got %d of at most %d entries`, len(items), maxArguments)
	}
	known := append(slices.Sorted(maps.Keys(d.Choices)), "source", "port", "door")
	v.pay(int64(len(known))*entrySteps, 0)
	for i, item := range items[:min(len(items), maxArguments)] {
		text, ok := item.text()
		if !ok {
			continue
		}
		v.pay(int64(len(text))/charactersOfAStep, templateBytes*int64(len(text)))
		cut, err := parseTemplate(text, known)
		switch {
		case err != nil:
			item.fail("%v", err)
		case len(text) > maxArgument || strings.Contains(text, "\x00"):
			item.fail("an argument has at most %d bytes and no zero byte", maxArgument)
		case i == 0 && len(cut) > 1:
			item.fail("%q has a placeholder: the program is one and the same each time", text)
		case i == 0 && !path.IsAbs(text):
			item.fail("%q is not an absolute path: write it in full, such as %q", text, path.Join("/usr/bin", text))
		}
		argv, templates = append(argv, text), append(templates, cut)
	}
	return argv, templates
}
