package scripting

import (
	"github.com/yuin/gopher-lua"
	"strings"

	"sesame/daemon/engine"
)

// maxPayload bounds what a script sees of a packet.
const maxPayload = 2048

// An object is what a function that reacts is given. It is dead when the
// function has returned.
type object struct {
	kind      string // "attempt", as in the API
	call      *call
	perSource bool // of a store
}

func (o *object) stage() lua.LValue  { return lua.LNumber(o.call.moment.Stage) }
func (o *object) stages() lua.LValue { return lua.LNumber(o.call.moment.Stages) }

func (o *object) reason() lua.LValue { return optional(string(o.call.moment.Reason)) }

func (o *object) port() lua.LValue {
	if p := o.call.moment.Packet; p != nil {
		return lua.LString(p.Port.String())
	}
	return lua.LNil
}

func (o *object) payload() lua.LValue {
	p := o.call.moment.Packet
	if p == nil {
		return lua.LString("")
	}
	return lua.LString(p.Payload[:min(len(p.Payload), maxPayload)])
}

func (o *object) source() lua.LValue {
	m := o.call.moment
	switch {
	case m.Grant != nil && !m.Grant.Source.IsSingleIP():
		return lua.LString(m.Grant.Source.String())
	case m.Source.IsValid():
		return lua.LString(m.Source.String())
	}
	return lua.LNil
}

func (o *object) family() lua.LValue {
	switch source := o.call.moment.Source; {
	case source.Is4():
		return lua.LString("ipv4")
	case source.Is6():
		return lua.LString("ipv6")
	}
	return lua.LNil
}

func (o *object) door() lua.LValue { return optional(doorOf(o.call.moment)) }

func doorOf(m *engine.Call) string {
	switch {
	case m.Door != nil:
		return m.Door.Name
	case m.Grant != nil:
		return m.Grant.Door
	}
	return ""
}

func (o *object) time() lua.LValue {
	return lua.LNumber(float64(o.call.moment.Wall.UnixNano()) / 1e9)
}

func (o *object) grantID() lua.LValue { return lua.LNumber(o.call.moment.Grant.ID) }

func (o *object) grantPort() lua.LValue {
	if g := o.call.moment.Grant; g.Argv == nil {
		return lua.LString(g.Port.String())
	}
	return lua.LNil
}

func (o *object) timerName() lua.LValue  { return lua.LString(o.call.moment.Name) }
func (o *object) timerValue() lua.LValue { return toLua(o.call.moment.Value) }

func optional(s string) lua.LValue {
	if s == "" {
		return lua.LNil
	}
	return lua.LString(s)
}

// toLua and toGo translate what the engine keeps for scripts.
func toLua(v any) lua.LValue {
	switch v := v.(type) {
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	}
	return lua.LNil
}

func toGo(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LString:
		return strings.Clone(string(v)) // a piece of a string would keep the whole
	case lua.LNumber:
		return float64(v)
	case lua.LBool:
		return bool(v)
	}
	return nil
}
