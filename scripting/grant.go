package scripting

import (
	"github.com/yuin/gopher-lua"
)

func grantObject() Object {
	return Object{"grant", "Access that has ended. The function on_close gets it.", append([]Member{
		{Name: "id", Type: "number", Doc: "The number of the grant in the transcript.", field: (*object).grantID},
		{Name: "port", Type: "string or nil", Doc: `The port that was open, such as "tcp/22". It is nil for a command.`, field: (*object).grantPort},
		{Name: "reason", Type: "string", Doc: "Why it ended: expired, revoked, closed_by_door, replaced, shutdown, failed.", field: (*object).reason},
	}, givenMembers("grant")...)}
}

func (o *object) grantID() lua.LValue { return lua.LNumber(o.run.call.Grant.ID) }

func (o *object) grantPort() lua.LValue {
	if g := o.run.call.Grant; g.Argv == nil {
		return lua.LString(g.Port.String())
	}
	return lua.LNil
}
