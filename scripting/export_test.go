package scripting

import (
	"slices"
	"strings"
)

// For tests that add something to the API.
var (
	LoadWith        = load
	ConditionMember = conditionMember
	Reference       = reference
)

// Undeclared returns what the member leaves out that finding mistakes needs.
func (m Member) Undeclared() string {
	switch {
	case m.method != nil && m.arguments == nil:
		return "it has no arguments: list them, or none"
	case m.field != nil && m.Type == "store" && m.holds == "":
		return "it does not say which object it holds"
	case m.method == nil && (m.arguments != nil || m.only != nil || m.acts):
		return "it is no method, and has arguments or says who may call it"
	}
	for _, o := range m.Options {
		if strings.HasPrefix(o.Type, "function(") && !slices.Contains(hookNames[:], o.Name) {
			return "the function " + o.Name + " has no name in hookNames"
		}
	}
	return ""
}

// Implementations counts the functions behind a member.
func (m Member) Implementations() int {
	n := 0
	for _, there := range []bool{m.function != nil, m.method != nil, m.field != nil} {
		if there {
			n++
		}
	}
	return n
}
