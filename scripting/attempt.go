package scripting

import (
	"github.com/yuin/gopher-lua"
)

func attemptObject() Object {
	return Object{"attempt", "The progress of one source at one door. The functions when, on_stage, on_open and on_miss get it.", append([]Member{
		{Name: "stage", Type: "number", Doc: "How many knocks are done.", field: (*object).stage},
		{Name: "stages", Type: "number", Doc: "How many knocks the sequence has.", field: (*object).stages},
		{Name: "reason", Type: "string or nil", Doc: "Why the attempt ended, in on_miss: wrong_port, out_of_order, step_timeout, total_timeout, reload, used, end_of_capture.", field: (*object).reason},
		{Name: "port", Type: "string or nil", Doc: `The port of the latest packet, such as "tcp/7000". It is nil when no packet led to the call.`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "The payload of the latest packet, up to 2,048 bytes.", field: (*object).payload},
		allowMember("attempt"),
	}, givenMembers("attempt")...)}
}

func (o *object) stage() lua.LValue { return lua.LNumber(o.run.call.Stage) }

func (o *object) stages() lua.LValue { return lua.LNumber(o.run.call.Stages) }
