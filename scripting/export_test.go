package scripting

// For tests that add something to the API.
var (
	LoadWith        = load
	ConditionMember = conditionMember
	Reference       = reference
)
