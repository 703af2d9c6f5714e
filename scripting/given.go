package scripting

import (
	"github.com/yuin/gopher-lua"
)

// givenMembers are the members that attempt, knock, grant and timer share. of
// names the object in examples.
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

func (o *object) reason() lua.LValue { return optional(string(o.run.call.Reason)) }

func (o *object) port() lua.LValue {
	if p := o.run.call.Packet; p != nil {
		return lua.LString(p.Port.String())
	}
	return lua.LNil
}

func (o *object) payload() lua.LValue {
	p := o.run.call.Packet
	if p == nil {
		return lua.LString("")
	}
	return lua.LString(p.Payload[:min(len(p.Payload), maxPayload)])
}

// source returns the network of a grant that is wider than one address, else
// the address.
func (o *object) source() lua.LValue {
	m := o.run.call
	switch {
	case m.Grant != nil && !m.Grant.Source.IsSingleIP():
		return lua.LString(m.Grant.Source.String())
	case m.Source.IsValid():
		return lua.LString(m.Source.String())
	}
	return lua.LNil
}

func (o *object) family() lua.LValue {
	switch source := o.run.call.Source; {
	case source.Is4():
		return lua.LString("ipv4")
	case source.Is6():
		return lua.LString("ipv6")
	}
	return lua.LNil
}

func (o *object) door() lua.LValue { return optional(doorOf(o.run.call)) }

func (o *object) time() lua.LValue {
	return lua.LNumber(float64(o.run.call.Wall.UnixNano()) / 1e9)
}
