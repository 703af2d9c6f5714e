package scripting

// For tests that add something to the API.
var (
	LoadWith        = load
	ConditionMember = conditionMember
	Reference       = reference
)

// Callable reports whether the member is a function.
func (m Member) Callable() bool { return m.field == nil }
