package scripting

// For tests that add something to the API.
var (
	LoadWith        = load
	ConditionMember = conditionMember
	Reference       = reference
)

// Callable reports whether the member is a function.
func (m Member) Callable() bool { return m.field == nil }

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
