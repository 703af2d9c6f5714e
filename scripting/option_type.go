package scripting

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/packet"
	"sesame/scripting/condition"
)

// maxEntries bounds a list that is given for an option, and its choices.
const maxEntries = 1024

// An optionType is what the value of an option can be: one value, or a list of
// such entries. A list is given as one text with commas between the entries, by
// --set, in recordings and in saved sets. So no entry holds a comma. In Lua it is
// a table, a new one for each script.
type optionType struct {
	name    string
	list    bool
	choices bool   // whether the script may name the only values
	sample  string // a value as text, for messages
	// parse reads a value, or an entry, that the user gave as text.
	parse func(string) (lua.LValue, error)
	// read reads one that the script gave. Unlike a text of the user it has the
	// Lua type of the option, but a port may be a number.
	read func(value) (lua.LValue, bool)
}

// optionTypes returns all types, in the order of the documentation. checkZone
// checks the name of a zone, and makes the zone belong to the set.
func optionTypes(checkZone func(string) error) []optionType {
	text := optionType{name: "string", choices: true, sample: "TEXT", read: readText, parse: func(s string) (lua.LValue, error) { return lua.LString(s), nil }}
	port := optionType{name: "port", sample: "tcp/22", parse: parsePort, read: func(v value) (lua.LValue, bool) {
		port, ok := v.port()
		return lua.LString(port.String()), ok
	}}
	country := checked("country", "ES", `a code of a country such as "ES"`, checkCountry)
	return []optionType{
		text,
		{name: "number", choices: true, sample: "1", parse: parseNumber, read: func(v value) (lua.LValue, bool) {
			_, ok := as[lua.LNumber](v, "a number")
			return v.lua, ok
		}},
		{name: "boolean", sample: "true", parse: parseBoolean, read: func(v value) (lua.LValue, bool) {
			_, ok := as[lua.LBool](v, "a boolean")
			return v.lua, ok
		}},
		{name: "duration", sample: "1s", parse: parseDurationText, read: func(v value) (lua.LValue, bool) {
			_, ok := v.duration()
			return v.lua, ok
		}},
		port,
		checked("zone", "UTC", `a time zone such as "Europe/Madrid"`, checkZone),
		listOf("strings", "TEXT,TEXT", text),
		listOf("ports", "tcp/7421,udp/9133", port),
		listOf("countries", "ES,PT", country),
	}
}

func optionTypeNames() (names []string) {
	for _, t := range optionTypes(nil) {
		names = append(names, t.name)
	}
	return names
}

func listOf(name, sample string, entry optionType) optionType {
	entry.name, entry.list, entry.sample = name, true, sample
	return entry
}

// checked is a type of texts that a function checks.
func checked(name, sample, what string, check func(string) error) optionType {
	parse := func(s string) (lua.LValue, error) { return lua.LString(s), check(s) }
	return optionType{name: name, sample: sample, parse: parse,
		read: func(v value) (lua.LValue, bool) { return parsed(v, what, parse) }}
}

func readText(v value) (lua.LValue, bool) {
	text, ok := v.text()
	return lua.LString(text), ok
}

func parseNumber(s string) (lua.LValue, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n-n != 0 { // an infinity or NaN minus itself is NaN
		return nil, fmt.Errorf("%q is not a number", s)
	}
	return lua.LNumber(n), nil
}

func parseBoolean(s string) (lua.LValue, error) {
	if s != "true" && s != "false" {
		return nil, fmt.Errorf("%q is neither true nor false", s)
	}
	return lua.LBool(s == "true"), nil
}

func parseDurationText(s string) (lua.LValue, error) {
	_, err := ParseDuration(s)
	return lua.LString(s), err
}

func parsePort(s string) (lua.LValue, error) {
	port, err := packet.ParsePort(s)
	return lua.LString(port.String()), err
}

// checkCountry checks a country as sesame.country does.
func checkCountry(s string) error {
	_, err := condition.Country().Item.Parse(s)
	return err
}

// parseText reads the value that the user gave. A list may be empty.
func (t *optionType) parseText(s string) (lua.LValue, error) {
	if !t.list {
		return t.parse(s)
	}
	table := &lua.LTable{}
	if strings.TrimSpace(s) == "" {
		return table, nil
	}
	if n := strings.Count(s, ",") + 1; n > maxEntries {
		return nil, fmt.Errorf("expected at most %d entries, got %d", maxEntries, n)
	}
	for entry := range strings.SplitSeq(s, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			return nil, errors.New("an entry is empty: expected a value before and after each comma")
		}
		parsed, err := t.parse(entry)
		if err != nil {
			return nil, err
		}
		table.Append(parsed)
	}
	return table, nil
}

// readDefault reads the value that a script gives. The result is a new table for
// a list.
func (t *optionType) readDefault(v value) (lua.LValue, bool) {
	if !t.list {
		return t.read(v)
	}
	items, ok := v.items("a list such as { " + quotedList(strings.Split(t.sample, ",")) + " }")
	if len(items) > maxEntries {
		v.fail("expected at most %d entries, got %d", maxEntries, len(items))
		return nil, false
	}
	table := &lua.LTable{}
	for _, item := range items {
		entry, good := t.read(item)
		if wrong := unfit(lua.LVAsString(entry)); good && wrong != "" {
			item.fail("%s", wrong)
			good = false
		}
		table.Append(entry)
		ok = ok && good
	}
	return table, ok
}

// unfit explains why a text cannot be an entry of a list; "" when it can. The
// value of an option must be one that could be given as text as well.
func unfit(entry string) string {
	switch {
	case entry == "":
		return "an entry is empty"
	case strings.Contains(entry, ","):
		return fmt.Sprintf("%q has a comma, which separates the entries of a list", entry)
	case strings.TrimSpace(entry) != entry:
		return fmt.Sprintf("%q begins or ends with a blank, which is lost when the value is given as text", entry)
	}
	return ""
}

// fallback returns a value for an option that failed, so that the rest of the
// file is still checked.
func (t *optionType) fallback() lua.LValue {
	v, _ := t.parseText(t.sample)
	return v
}

// text returns the value for reports: a string, a float64 or a bool. A list is a
// string with commas.
func (t *optionType) text(v lua.LValue) any {
	table, ok := v.(*lua.LTable)
	if !ok {
		return toGo(v)
	}
	var entry []string
	for _, v := range entries(table) {
		entry = append(entry, lua.LVAsString(v))
	}
	return strings.Join(entry, ",")
}
