package scripting

import (
	"sesame/scripting/source"
)

// Options say how a script set is loaded. All may be zero.
type Options struct {
	// Values are those of sesame.option, as people write them.
	Values map[string]string
	// Given says how messages name the places where values were given: "sesame.toml:12". Those not in
	// it come from --set.
	Given map[string]string
	// Print gets what scripts print while they load. What they print later is a [engine.Log].
	Print func(source.Place, string)
}

// given names where the value of an option comes from.
func (o Options) given(name string) string {
	if place, ok := o.Given[name]; ok {
		return place + ": " + name
	}
	return "--set " + name
}
