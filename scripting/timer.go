package scripting

import (
	"github.com/yuin/gopher-lua"
)

func timerObject() Object {
	return Object{"timer", "What a sesame.handler function is given: delayed work that is due.", append([]Member{
		{Name: "name", Type: "string", Doc: "The name that its handler is registered under.", field: (*object).timerName},
		{Name: "value", Type: "string, number, boolean or nil", Doc: "What after was given.", field: (*object).timerValue},
	}, givenMembers("timer")...)}
}

func (o *object) timerName() lua.LValue { return lua.LString(o.call.moment.Name) }

func (o *object) timerValue() lua.LValue { return toLua(o.call.moment.Value) }
