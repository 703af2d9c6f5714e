package scripting

import (
	"strconv"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// conditionMember makes the member of the API that registers a kind of
// condition.
func conditionMember(k condition.Kind) Member {
	schema := conditionSchema(k)
	return Member{Name: k.Name, Type: k.Type, Doc: k.Doc, Example: k.Example, Options: documented(schema),
		Returns: "sesame.condition", condition: true, functions: functionsOf(k),
		function: func(s *script, L *lua.LState) int {
			text := ""
			if given, ok := L.Get(1).(lua.LString); ok && k.Text {
				text = string(given)
			}
			v, bound := s.argument(L, k.Name, text)
			L.Push(s.userdata(L, s.build(k, schema, v, bound)))
			return 1
		}}
}

// functionsOf returns what in the table of a condition may be a function, since
// a condition may: "" for an entry of the list.
func functionsOf(k condition.Kind) map[string]engine.CallKind {
	takes := map[string]engine.CallKind{}
	for _, o := range k.Options {
		if o.Parse == nil && o.ReadFile == nil {
			takes[o.Name] = engine.CallWhen
		}
	}
	if k.Item != nil && k.Item.Parse == nil && k.Item.ReadFile == nil {
		takes[""] = engine.CallWhen
	}
	return takes
}

// A conditionDraft is what a script gives for a condition, while its table is
// read.
type conditionDraft struct {
	script *script
	name   string // of a variable, or given; "" for none
	given  bool   // the table has a name
	values condition.Values
}

// conditionSchema reads the options of a kind, and the name that all conditions
// can have.
func conditionSchema(k condition.Kind) []option[conditionDraft] {
	var schema []option[conditionDraft]
	for _, o := range k.Options {
		documentation := Option{o.Name, o.Type, o.Default, o.Doc}
		key := k.Name + "." + o.Name
		if o.Required {
			documentation.Default = Required
		}
		schema = append(schema, option[conditionDraft]{documentation, func(v value, d *conditionDraft) {
			if given, ok := d.script.plain(v, o, key); ok {
				d.values.Named[o.Name] = given
			}
		}})
	}
	return append(schema, option[conditionDraft]{Option{"name", "a name", "the variable's", "Its name in reasons."},
		func(v value, d *conditionDraft) {
			d.name, _ = readName(v)
			d.given = true
		}})
}

// build reads a table and makes the condition. The name is that of the variable,
// "" for none. When something is wrong with the table, that is reported and a
// stand-in is returned, so that the rest of the file is checked.
func (s *script) build(k condition.Kind, schema []option[conditionDraft], v value, name string) engine.Condition {
	wrong, report := false, v.report
	v.report = func(at source.Place, message string) {
		wrong = true
		report(at, message)
	}
	d := &conditionDraft{script: s, name: name, values: condition.Values{Named: map[string]any{}}}
	var item func(v value, d *conditionDraft)
	if k.Item != nil {
		item = func(v value, d *conditionDraft) {
			if given, ok := s.plain(v, *k.Item, k.Name); ok {
				d.values.List = append(d.values.List, given)
			}
		}
	}
	if _, text := v.lua.(lua.LString); text && k.Text {
		item(v, d)
	} else {
		read(v, schema, item, d)
	}
	if wrong {
		return standIn{}
	}
	if d.name == "" {
		d.name, d.values.Nameless = k.Name, true
	}
	built, err := k.Build(d.name, d.values)
	switch {
	case err != nil:
		v.fail("%v", err)
		return standIn{}
	case condition.Count([]engine.Condition{built}) > maxConditions+1: // the built one counts too
		v.fail("expected at most %d conditions, with those within others", maxConditions)
		return standIn{}
	}
	if !d.given && !(d.values.Nameless && k.NamesPart) {
		s.distinct(v, site{v.at.File, v.at.Line, k.Name}, d.name)
	}
	if condition.DoorOf(built) != "" {
		s.loading.mentions = append(s.loading.mentions, mention{built, v.what, v.at})
	}
	s.loading.hosts = append(s.loading.hosts, condition.HostsOf(built)...)
	if _, ok := condition.AsPeriod(built); ok {
		s.loading.windows = true
	}
	return built
}

// A site is a line of the text with calls of one kind.
type site struct {
	file string
	line int
	kind string
}

// distinct refuses a second condition of one call in the text, as in a loop:
// both would have one name, and a refusal would not tell which of them refused.
// A line without such a call is one at which a variable holds the function.
func (s *script) distinct(v value, at site, name string) {
	s.loading.made[at]++
	if calls := v.source.Unnamed(at.line, at.kind); calls > 0 && s.loading.made[at] == calls+1 {
		v.fail("the call makes several conditions with the name %q: give each a name of its own, such as name = \"%s of \" .. user", name, name)
	}
}

// plain reads the value of an option as the condition declares it. The key is
// the option's own, among those of all kinds.
func (s *script) plain(v value, o condition.Option, key string) (any, bool) {
	switch {
	case o.Zone:
		return parsed(v, o.Expected, func(name string) (any, error) { return s.scripts.Zone(name) })
	case o.ReadFile != nil && o.Parse != nil:
		return s.textsAndFiles(v, o, key)
	case o.ReadFile != nil:
		return s.readFiles(v, o, key)
	case o.Parse != nil:
		if n, ok := v.lua.(lua.LNumber); ok && o.Numbers {
			v.lua = lua.LString(strconv.FormatFloat(float64(n), 'f', -1, 64))
		}
		return parsed(v, o.Expected, o.Parse)
	}
	given := s.condition(v)
	return given, given != nil
}

// incomplete reports whether a condition, or one that it is made of, is a stand-in.
func incomplete(one engine.Condition) (found bool) {
	condition.Walk([]engine.Condition{one}, func(c engine.Condition) {
		_, is := c.(standIn)
		found = found || is
	})
	return found
}

// A standIn takes the place of a condition in a file that does not load.
type standIn struct{}

// Check implements [engine.Condition]. It is never called.
func (standIn) Check(*engine.Call) (engine.Verdict, error) { return engine.Verdict{}, nil }

// Name implements [engine.Condition].
func (standIn) Name() string { return "" }

// String implements [engine.Condition].
func (standIn) String() string { return "a condition that is wrong" }
