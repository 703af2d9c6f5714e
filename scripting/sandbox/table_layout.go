package sandbox

import (
	"reflect"

	lua "github.com/yuin/gopher-lua"
)

// gopher-lua does not tell how long the array of a table is, nor how many keys it remembers; both
// decide what an assignment or a step of next costs. The lengths of its private fields do; a test
// holds their meaning.
var (
	tableArray  = tableField("array")   // the values of 1 to n, with gaps
	tableDict   = tableField("dict")    // the other values, by key
	tableString = tableField("strdict") // the other values, by string
	tableKeys   = tableField("keys")    // the keys of both, in the order of insertion; never removed
)

func tableField(name string) int {
	field, ok := reflect.TypeFor[lua.LTable]().FieldByName(name)
	if !ok {
		panic("sandbox: this version of gopher-lua has another table")
	}
	return field.Index[0]
}

func arrayLen(t *lua.LTable) int { return reflect.ValueOf(t).Elem().Field(tableArray).Len() }

// keyCounts returns how many keys outside the array a table remembers, and how many of them are gone.
func keyCounts(t *lua.LTable) (all, gone int) {
	v := reflect.ValueOf(t).Elem()
	all = v.Field(tableKeys).Len()
	return all, all - v.Field(tableDict).Len() - v.Field(tableString).Len()
}
