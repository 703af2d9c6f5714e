package scripting

func knockObject() Object {
	return Object{"knock", "One packet to a listener. The function on_knock gets it.", append([]Member{
		{Name: "port", Type: "string", Doc: `The port that the packet was sent to, such as "udp/62201".`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "The payload of the packet, up to 2,048 bytes.", field: (*object).payload},
		allowMember("knock"),
	}, givenMembers("knock")...)}
}
