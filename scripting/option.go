package scripting

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/spelling"
)

func optionMember() Member {
	return Member{Name: "option", Type: `"name" { options }`, Doc: "Declares a setting that is given outside of the script, and returns its value.",
		Example: `local ttl = sesame.option "ttl" { type = "duration", default = "30s" }`,
		Options: documented(optionOptions()), Returns: "any", function: named("option", registerOption)}
}

// An optionDraft is an option while its table is read.
type optionDraft struct {
	checkZone func(string) error
	OptionValue
	kind     *optionType
	standard value // the default; its lua is nil when there is none
	choices  value // its lua is nil when every value may be given
}

func registerOption(s *script, v value, name string) lua.LValue {
	d := &optionDraft{OptionValue: OptionValue{Name: name, Place: v.at}, checkZone: func(zone string) error {
		_, err := s.scripts.Zone(zone)
		return err
	}}
	if !read(v, optionOptions(), nil, d) || d.kind == nil {
		return lua.LString("")
	}
	s.state.Charge(d.cost(s))
	if first, there := s.loading.optionsAt[name]; there {
		v.fail("it is declared twice, first at %s", first)
	} else {
		s.loading.optionsAt[name] = v.at
	}
	result, ok := d.resolve(s, v)
	if !ok {
		result = d.kind.fallback()
	}
	d.Value = d.kind.text(result)
	s.loading.options = append(s.loading.options, d.OptionValue)
	return result
}

// cost returns the steps and bytes that an option counts for. A list is a table of the Lua state.
func (d *optionDraft) cost(s *script) (steps, bytes int64) {
	const entryBytes = 64
	n := strings.Count(s.options.Values[d.Name], ",") + 1
	for _, list := range []lua.LValue{d.standard.lua, d.choices.lua} {
		if table, ok := list.(*lua.LTable); ok {
			n += table.Len()
		}
	}
	return int64(n), int64(n) * entryBytes
}

// resolve returns the value: that of the user, else the default. The default is
// checked in any case.
func (d *optionDraft) resolve(s *script, v value) (lua.LValue, bool) {
	choices, ok := d.readChoices()
	if !ok {
		return nil, false
	}
	standard := d.standard.lua
	if standard != nil {
		if standard, ok = d.kind.readDefault(d.standard); !ok {
			return nil, false
		}
		if wrong := d.outside(choices, standard); wrong != "" {
			d.standard.fail("%s", wrong)
			return nil, false
		}
	}
	text, set := s.options.Values[d.Name]
	if d.Set = set; set {
		return d.parse(s, v, text, choices)
	}
	if standard == nil {
		v.fail("it has no value and no default: give it one, such as --set %s=%s, or below [options] in the configuration file", d.Name, d.kind.sample)
	}
	return standard, standard != nil
}

// parse reads the value that the user gave as text.
func (d *optionDraft) parse(s *script, v value, text string, choices []string) (lua.LValue, bool) {
	origin := s.options.given(d.Name)
	if s.options.Lists[d.Name] && !d.kind.list {
		v.fail("%s: it takes one value, not a list: write %s = %q", origin, d.Name, d.kind.sample)
		return nil, false
	}
	given, err := d.kind.parseText(text)
	if err != nil {
		v.fail("%s=%s: %v", origin, shortened(text), err)
		return nil, false
	}
	if wrong := d.outside(choices, given); wrong != "" {
		v.fail("%s=%s: %s", origin, shortened(text), wrong)
		return nil, false
	}
	return given, true
}

// shortened cuts a long text for a message.
func shortened(text string) string { return spelling.Shortened(text, 200) }

// readChoices returns the values that the option can have, as text; nil when it
// can have every value of its type.
func (d *optionDraft) readChoices() ([]string, bool) {
	v := d.choices
	if v.lua == nil {
		return nil, true
	}
	if !d.kind.choices {
		v.fail("an option of the type %s has no choices: they are for the types string, number and strings", d.kind.name)
		return nil, false
	}
	items, ok := v.items("a list of values")
	if ok && (len(items) < 1 || len(items) > maxEntries) {
		v.fail("expected 1 to %d choices, got %d", maxEntries, len(items))
		return nil, false
	}
	var choices []string
	for _, item := range items {
		choice, good := d.kind.read(item)
		ok = ok && good
		choices = append(choices, lua.LVAsString(choice))
	}
	return choices, ok
}

// outside explains which part of a value is none of the choices; "" when none
// is.
func (d *optionDraft) outside(choices []string, v lua.LValue) string {
	if choices == nil {
		return ""
	}
	parts := []lua.LValue{v}
	if table, ok := v.(*lua.LTable); ok {
		parts = parts[:0]
		for _, part := range entries(table) {
			parts = append(parts, part)
		}
	}
	for _, part := range parts {
		if text := lua.LVAsString(part); !slices.Contains(choices, text) {
			return "it cannot be " + describe(part) + spelling.DidYouMean(text, choices)
		}
	}
	return ""
}

func optionOptions() []option[optionDraft] {
	names := optionTypeNames()
	return []option[optionDraft]{
		{Option{"type", "one of " + strings.Join(names, ", "), Required, "What the value is."},
			func(v value, d *optionDraft) {
				if i, ok := v.oneOf(names...); ok {
					d.kind, d.Type = &optionTypes(d.checkZone)[i], names[i]
				}
			}},
		{Option{"default", "a value of that type", "", "The value when none is given. Without a default one must be given."},
			func(v value, d *optionDraft) { d.standard = v }},
		{Option{"choices", "a list of values", "", "The only values that can be given, for the types string, number and strings."},
			func(v value, d *optionDraft) { d.choices = v }},
		{Option{"doc", "a sentence", "", "What the setting is for."},
			func(v value, d *optionDraft) { d.Doc, _ = v.text() }},
	}
}
