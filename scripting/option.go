package scripting

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/packet"
)

func optionMember() Member {
	return Member{Name: "option", Type: `"name" { options }`, Doc: "Declares a setting that is given outside of the script, and returns its value.",
		Example: `local ttl = sesame.option "ttl" { type = "duration", default = "30s" }`,
		Options: documented(optionOptions()), function: named("option", registerOption)}
}

// optionTypes has a function for each type, which reads a value that the user
// gave as text.
var optionTypes = map[string]func(string) (lua.LValue, error){
	"string": func(s string) (lua.LValue, error) { return lua.LString(s), nil },
	"number": func(s string) (lua.LValue, error) {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n-n != 0 { // an infinity or NaN minus itself is NaN
			return lua.LNumber(0), fmt.Errorf("%q is not a number", s)
		}
		return lua.LNumber(n), nil
	},
	"boolean": func(s string) (lua.LValue, error) {
		if s != "true" && s != "false" {
			return lua.LFalse, fmt.Errorf("%q is neither true nor false", s)
		}
		return lua.LBool(s == "true"), nil
	},
	"duration": func(s string) (lua.LValue, error) {
		_, err := ParseDuration(s)
		return lua.LString(s), err
	},
	"port": func(s string) (lua.LValue, error) {
		port, err := packet.ParsePort(s)
		return lua.LString(port.String()), err
	},
}

var optionTypeNames = []string{"string", "number", "boolean", "duration", "port"}

// fallbacks are the values of options that failed, so that the rest of the file
// is still checked.
var fallbacks = map[string]lua.LValue{
	"string": lua.LString(""), "number": lua.LNumber(1), "boolean": lua.LFalse,
	"duration": lua.LString("1s"), "port": lua.LString("tcp/1"),
}

// An optionDraft is an option while its table is read.
type optionDraft struct {
	OptionValue
	standard value // the default; its lua is nil when there is none
}

func registerOption(s *script, v value, name string) lua.LValue {
	d := &optionDraft{OptionValue: OptionValue{Name: name, Place: v.at}}
	if !read(v, optionOptions(), nil, d) || d.Type == "" {
		return lua.LString("")
	}
	for _, earlier := range s.loading.options {
		if earlier.Name == name {
			v.fail("it is declared twice, first at %s", earlier.Place)
		}
	}
	result, ok := d.resolve(s, v)
	if !ok {
		result = fallbacks[d.Type]
	}
	d.Value = toGo(result)
	s.loading.options = append(s.loading.options, d.OptionValue)
	return result
}

// resolve returns the value: that of the user, else the default. The default is
// checked in any case.
func (d *optionDraft) resolve(s *script, v value) (lua.LValue, bool) {
	standard := d.standard.lua
	if standard != nil {
		var ok bool
		if standard, ok = d.readDefault(); !ok {
			return nil, false
		}
	}
	text, set := s.options.Values[d.Name]
	if d.Set = set; set {
		given, err := optionTypes[d.Type](text)
		if err != nil {
			v.fail("%s=%s: %v", s.options.given(d.Name), text, err)
		}
		return given, err == nil
	}
	if standard == nil {
		v.fail("it has no value and no default: give it one with --set %s=VALUE, or below [options] in the configuration file", d.Name)
	}
	return standard, standard != nil
}

// readDefault reads the default. Unlike a text of the user it has the Lua type
// of the option, but a port may be a number.
func (d *optionDraft) readDefault() (lua.LValue, bool) {
	v := d.standard
	switch d.Type {
	case "number":
		_, ok := as[lua.LNumber](v, "a number")
		return v.lua, ok
	case "boolean":
		_, ok := as[lua.LBool](v, "a boolean")
		return v.lua, ok
	case "duration":
		_, ok := v.duration()
		return v.lua, ok
	case "port":
		port, ok := v.port()
		return lua.LString(port.String()), ok
	}
	text, ok := v.text()
	return lua.LString(text), ok
}

func optionOptions() []option[optionDraft] {
	return []option[optionDraft]{
		{Option{"type", "one of " + strings.Join(optionTypeNames, ", "), Required, "What the value is."},
			func(v value, d *optionDraft) {
				if i, ok := v.oneOf(optionTypeNames...); ok {
					d.Type = optionTypeNames[i]
				}
			}},
		{Option{"default", "a value of that type", "", "The value when none is given. Without a default one must be given."},
			func(v value, d *optionDraft) { d.standard = v }},
		{Option{"doc", "a sentence", "", "What the setting is for."},
			func(v value, d *optionDraft) { d.Doc, _ = v.text() }},
	}
}
