package scripting

import (
	"sesame/scripting/condition"
)

// API returns all that scripts can name beside the libraries of Lua. Scripts
// get what it lists and nothing else: registration, checks, messages and
// documentation read it.
func API() []Object {
	return []Object{
		{"sesame", "The table with which the top level registers.", []Member{
			doorMember(),
			listenMember(),
			conditionMember(condition.Window()),
			conditionMember(condition.Networks()),
			conditionMember(condition.Hosts()),
			conditionMember(condition.Country()),
			conditionMember(condition.Continent()),
			conditionMember(condition.ASN()),
			conditionMember(condition.Any()),
			conditionMember(condition.All()),
			conditionMember(condition.None()),
			conditionMember(condition.Granted()),
			conditionMember(condition.Completed()),
			commandMember(),
			optionMember(),
			handlerMember(),
			nameMember(),
			policyMember(),
			knockdMember(),
			sharedStoreMember(),
		}},
		attemptObject(),
		knockObject(),
		grantObject(),
		timerObject(),
		storeObject(),
	}
}
