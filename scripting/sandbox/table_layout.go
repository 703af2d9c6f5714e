package sandbox

import (
	"reflect"

	lua "github.com/yuin/gopher-lua"
)

// What an assignment to a table or a step of next costs depends on two numbers that gopher-lua does
// not export: the length of the array part, and the number of keys that the table remembers. They
// are the lengths of private fields of LTable (value.go), so they are read by reflection.
// TestTableLayout proves that the fields mean what is written here.
var (
	tableArray  = tableField("array")   // the values of 1 to n, with gaps
	tableDict   = tableField("dict")    // the other values, by key
	tableString = tableField("strdict") // the other values, by string
	tableKeys   = tableField("keys")    // the keys of both, in the order of insertion; never removed
)

// tableField returns the index of a field of LTable. Another version of gopher-lua may lack it;
// then the program ends at its start, instead of running with wrong costs.
func tableField(name string) int {
	field, ok := reflect.TypeFor[lua.LTable]().FieldByName(name)
	if !ok {
		panic("sandbox: this version of gopher-lua has another table")
	}
	return field.Index[0]
}

// arrayLen returns the length of the array part, holes included. For an unfrozen table it is also
// the length that the script sees: see State.trim.
func arrayLen(t *lua.LTable) int { return reflect.ValueOf(t).Elem().Field(tableArray).Len() }

// keyCounts returns how many keys outside the array a table remembers, and how many of them have no
// value any more. LTable.RawSetH deletes a value and leaves its key in the list, so LTable.Next has
// to step over it each time.
func keyCounts(t *lua.LTable) (all, gone int) {
	v := reflect.ValueOf(t).Elem()
	all = v.Field(tableKeys).Len()
	return all, all - v.Field(tableDict).Len() - v.Field(tableString).Len()
}

// Slots returns how much of a table an iteration goes through: the array with its holes, and the
// keys that the table remembers.
func Slots(t *lua.LTable) int64 {
	all, _ := keyCounts(t)
	return int64(arrayLen(t) + all)
}
