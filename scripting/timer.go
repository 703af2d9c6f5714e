package scripting

import (
	"github.com/yuin/gopher-lua"
)

func timerObject() Object {
	return Object{"timer", "Delayed work that is due. The function of a sesame.handler gets it.", append([]Member{
		{Name: "name", Type: "string", Doc: "The name of the handler.", field: (*object).timerName},
		{Name: "value", Type: "string, number, boolean or nil", Doc: "The value that after was given.", field: (*object).timerValue},
	}, givenMembers("timer")...)}
}

func (o *object) timerName() lua.LValue { return lua.LString(o.run.call.Name) }

func (o *object) timerValue() lua.LValue { return toLua(o.run.call.Value) }
