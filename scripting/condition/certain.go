package condition

import (
	"slices"

	"sesame/daemon/engine"
)

// Certain reports whether a condition is never [engine.Unknown]: it asks the engine alone, and
// neither a database, nor a name server, nor the time of day. A function may ask for anything.
func Certain(c engine.Condition) bool {
	switch c := c.(type) {
	case *networks, *granted, *completed:
		return true
	case interface{ Members() []engine.Condition }:
		return !slices.ContainsFunc(c.Members(), func(member engine.Condition) bool { return !Certain(member) })
	}
	return false
}
