package scripting

import (
	"github.com/yuin/gopher-lua"
)

// givenMembers are those of all that functions are given.
func givenMembers(of string) []Member {
	return []Member{
		{Name: "source", Type: "string or nil", Doc: "The address that knocked. For a grant it is the address or network that had access. It is nil for delayed work without a source.", field: (*object).source},
		{Name: "family", Type: `"ipv4", "ipv6" or nil`, Doc: "The IP version of source.", field: (*object).family},
		{Name: "door", Type: "string or nil", Doc: "The name of the door. It is nil when the door does not exist any more.", field: (*object).door},
		{Name: "time", Type: "number", Doc: "The time of day, in seconds since 1970 in UTC.", field: (*object).time},
		sourceStoreMember(),
		execMember(of),
		closeMember(of),
		logMember(of),
		afterMember(of),
	}
}

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

func (o *object) time() lua.LValue {
	return lua.LNumber(float64(o.call.moment.Wall.UnixNano()) / 1e9)
}
