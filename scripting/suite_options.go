package scripting

import (
	"strconv"
	"strings"
	"time"

	"github.com/yuin/gopher-lua"

	"sesame/scripting/spec"
)

// testOptions are the keys of a test, beside its steps.
func testOptions() []option[testDraft] {
	return []option[testDraft]{
		{Option{"at", "a time", `"2026-01-05 12:00 UTC", a Monday`, "When the test begins, such as `\"2026-11-23 09:00 Europe/Madrid\"`, or as RFC 3339. A time that a clock skips or shows twice is an error."},
			func(v value, d *testDraft) { d.At, _ = d.script.moment(v) }},
		{Option{"from", "an address", `"203.0.113.9"`, "Who knocks in steps that do not say it."},
			func(v value, d *testDraft) { d.From = v.knocker() }},
		{Option{"host", "an address or a list of addresses", "every destination counts", "The addresses of the host. Packets go to the first of the right family."},
			func(v value, d *testDraft) { d.Host, _ = v.addresses() }},
		{Option{"options", "a table of names and values", "those of the machine", "The values of sesame.option, such as `{ ttl = \"1h\", knocks = { \"tcp/7421\" } }`."},
			func(v value, d *testDraft) { d.readValues(v) }},
		{Option{"facts", "a table of addresses, networks, or names of hosts", "nothing is known", "What is known of them, such as `{ [\"203.0.113.9\"] = { country = \"ES\" } }`. No database is asked."},
			func(v value, d *testDraft) { d.Facts = d.script.facts(v) }},
		{Option{"synchronised", "true or false", "true", "Whether the clock of the machine is to be trusted."},
			func(v value, d *testDraft) {
				trusted, ok := v.boolean()
				d.Unsynchronised = ok && !trusted
			}},
		{Option{"exits", "a table of commands and numbers", "0 for each", "The exit statuses of commands, by their names, such as `{ audit = 1 }`. No command runs."},
			func(v value, d *testDraft) { d.readExits(v) }},
	}
}

// moment reads a time. The zone that it names becomes one of those that the tests use.
func (s *script) moment(v value) (time.Time, bool) {
	return parsed(v, `a time such as "2026-11-23 09:00 Europe/Madrid"`, func(text string) (time.Time, error) {
		return spec.ParseTime(text, s.scripts.Zone)
	})
}

// named calls one with each name of a table and its value. The text what is for values of other
// types: expected what.
func (v value) named(what string, one func(name string, v value)) {
	table, ok := as[*lua.LTable](v, what)
	if !ok {
		return
	}
	text := v.layout()
	v.repeated(text)
	for key, element := range entries(table) {
		name, ok := key.(lua.LString)
		if !ok {
			v.fail("expected %s, got a table with the key %s", what, keyText(key))
			return
		}
		one(string(name), v.field(text, string(name), element))
	}
}

// readValues reads the values of options. They become texts, as --set has them.
func (d *testDraft) readValues(v value) {
	d.Options, d.Lists = map[string]string{}, map[string]bool{}
	v.named(`a table such as { ttl = "30s" }`, func(name string, v value) {
		d.script.state.Charge(1, entryBytes)
		if _, ok := v.lua.(*lua.LTable); !ok {
			d.Options[name], _ = v.optionText()
			return
		}
		items, _ := v.items("a list of values")
		texts := make([]string, len(items))
		for i, item := range items {
			text, ok := item.optionText()
			if wrong := unfit(text); ok && wrong != "" {
				item.fail("%s", wrong)
			}
			texts[i] = text
		}
		d.Options[name], d.Lists[name] = strings.Join(texts, ","), true
	})
}

// optionText returns a value as --set has it.
func (v value) optionText() (string, bool) {
	switch is := v.lua.(type) {
	case lua.LString:
		return string(is), true
	case lua.LNumber:
		return strconv.FormatFloat(float64(is), 'f', -1, 64), true
	case lua.LBool:
		return is.String(), true
	}
	v.expected("a string, a number, true or false, or a list of them")
	return "", false
}

// maxStatus is the largest exit status of a program.
const maxStatus = 255

func (d *testDraft) readExits(v value) {
	d.Exits = map[string]int{}
	v.named("a table such as { audit = 1 }", func(name string, v value) {
		d.script.state.Charge(1, entryBytes)
		d.Exits[name], _ = v.integer(0, maxStatus)
	})
}
