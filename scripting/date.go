package scripting

import (
	"github.com/yuin/gopher-lua"
)

func dateMember(of string) Member {
	return Member{Name: "date", Type: `"zone"`,
		Doc: "Returns the date and the time of day in a time zone: a table with year, month, day, hour, min, sec, " +
			"wday (1 is Sunday), yday (1 to 366) and isdst (true in summer time). The name of the zone must stand in the text, in a call or as the tz of a window.",
		Example: "local hour = " + of + `:date("Europe/Madrid").hour`, method: (*object).date,
		arguments: []argument{{"date", zoneName, 0}}, Returns: "sesame.date"}
}

func (v value) zoneName() (lua.LString, bool) {
	return as[lua.LString](v, `a time zone such as "Europe/Madrid"`)
}

// The price of the table.
const dateSteps, dateBytes = 20, 512

// date returns what a clock on the wall in a zone shows, with the fields of Lua's
// os.date "*t".
func (o *object) date(L *lua.LState) int {
	name, _ := o.argument(L, 2, "date").zoneName()
	state := o.run.script.state
	state.Charge(dateSteps, dateBytes)
	zone, err := o.run.script.scripts.Zone(string(name))
	if err != nil {
		state.Charge(suggestionCost, 0)
		L.RaiseError("date: %v", err)
	}
	t := o.run.call.Wall.In(zone)
	table := L.NewTable()
	for _, field := range []struct { // in this order, since a script may iterate over it
		name  string
		value int
	}{
		{"year", t.Year()}, {"month", int(t.Month())}, {"day", t.Day()}, {"hour", t.Hour()}, {"min", t.Minute()}, {"sec", t.Second()},
		{"wday", int(t.Weekday()) + 1}, {"yday", t.YearDay()},
	} {
		table.RawSetString(field.name, lua.LNumber(field.value))
	}
	table.RawSetString("isdst", lua.LBool(t.IsDST()))
	L.Push(table)
	return 1
}
