package scripting

import (
	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func attemptObject() Object {
	return Object{"attempt", "The progress of one source at one door. The functions when, on_stage, on_open and on_miss get it.", append([]Member{
		{Name: "stage", Type: "number", Doc: "How many knocks are done.", field: (*object).stage},
		{Name: "stages", Type: "number", Doc: "How many knocks the sequence has.", field: (*object).stages},
		{Name: "reason", Type: "string or nil", Doc: "Why the attempt ended, in on_miss: wrong_port, tripwire, out_of_order, step_timeout, total_timeout, reload, used, end_of_capture.", field: (*object).reason},
		{Name: "port", Type: "string or nil", Doc: `The port of the latest packet, such as "tcp/7000". It is nil when no packet led to the call.`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "The payload of the latest packet, up to 2,048 bytes.", field: (*object).payload},
		allowMember("attempt"),
	}, givenMembers("attempt")...)}
}

func (o *object) stage() lua.LValue { return lua.LNumber(o.run.call.Stage) }

func (o *object) stages() lua.LValue { return lua.LNumber(o.run.call.Stages) }

func knockObject() Object {
	return Object{"knock", "One packet to a listener. The function on_knock gets it.", append([]Member{
		{Name: "port", Type: "string", Doc: `The port that the packet was sent to, such as "udp/62201".`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "The payload of the packet, up to 2,048 bytes.", field: (*object).payload},
		allowMember("knock"),
	}, givenMembers("knock")...)}
}

func grantObject() Object {
	return Object{"grant", "Access that has ended. The function on_close gets it.", append([]Member{
		{Name: "id", Type: "number", Doc: "The number of the grant in the transcript.", field: (*object).grantID},
		{Name: "port", Type: "string or nil", Doc: `The port that was open, such as "tcp/22". It is nil for a command.`, field: (*object).grantPort},
		{Name: "reason", Type: "string", Doc: "Why it ended: expired, window_ended, revoked, closed_by_door, replaced, shutdown, failed.", field: (*object).reason},
	}, givenMembers("grant")...)}
}

func (o *object) grantID() lua.LValue { return lua.LNumber(o.run.call.Grant.ID) }

func (o *object) grantPort() lua.LValue {
	if g := o.run.call.Grant; g.Argv == nil {
		return lua.LString(g.Port.String())
	}
	return lua.LNil
}

// givenMembers are the members that attempt, knock, grant and timer share. of
// names the object in examples.
func givenMembers(of string) []Member {
	return []Member{
		{Name: "source", Type: "string or nil", Doc: "The address that knocked. For a grant it is the address or network that had access. It is nil for delayed work without a source.", field: (*object).source},
		{Name: "family", Type: `"ipv4", "ipv6" or nil`, Doc: "The IP version of source.", field: (*object).family},
		{Name: "country", Type: "string or nil", Doc: "The country of source, two letters. It is nil when no database knows it: do not refuse by it, but with sesame.country in when.", field: (*object).country},
		{Name: "asn", Type: "number or nil", Doc: "The number of the autonomous system that announces the network of source, or nil as for country.", field: (*object).asn},
		{Name: "asn_name", Type: "string or nil", Doc: "The name of that autonomous system.", field: (*object).asnName},
		{Name: "door", Type: "string or nil", Doc: "The name of the door. It is nil when the door does not exist any more.", field: (*object).door},
		{Name: "time", Type: "number", Doc: "The time of day, in seconds since 1970 in UTC.", field: (*object).time},
		dateMember(of),
		sourceStoreMember(),
		holdsMember(of),
		grantedMember(of),
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
	call := o.run.call
	switch {
	case call.Grant != nil && !call.Grant.Source.IsSingleIP():
		return lua.LString(call.Grant.Source.String())
	case call.Source.IsValid():
		return lua.LString(call.Source.String())
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

func (o *object) country() lua.LValue { return optional(o.fact(engine.FactCountry).Country) }

func (o *object) asn() lua.LValue {
	if a := o.fact(engine.FactASN); a.Known {
		return lua.LNumber(a.ASN)
	}
	return lua.LNil
}

func (o *object) asnName() lua.LValue { return optional(o.fact(engine.FactASN).ASName) }

// fact asks for what databases know of the source. A network has no country: its addresses may
// have several.
func (o *object) fact(kind engine.FactKind) engine.Answer {
	call := o.run.call
	if !call.Source.IsValid() || call.Grant != nil && !call.Grant.Source.IsSingleIP() {
		return engine.Answer{}
	}
	return call.Ask(engine.Question{Kind: kind, Address: call.Source})
}
