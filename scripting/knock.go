package scripting

func knockObject() Object {
	return Object{"knock", "What on_knock is given: one packet that a listener heard.", append([]Member{
		{Name: "port", Type: "string", Doc: `The port that the packet was sent to, such as "udp/62201".`, field: (*object).port},
		{Name: "payload", Type: "string", Doc: "What the packet carries, up to 2,048 bytes.", field: (*object).payload},
		allowMember("knock"),
	}, givenMembers("knock")...)}
}
