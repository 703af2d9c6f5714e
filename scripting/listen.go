package scripting

import (
	"fmt"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

func listenMember() Member {
	return Member{Name: "listen", Type: `"name" { options }`, Doc: "Registers a function that is called with each packet to a port.",
		Example: `sesame.listen "beacon" { on = "udp/62201", on_knock = function(k) k:log(k.payload) end }`,
		Options: documented(listenOptions()), function: named("listen", registerListen)}
}

func registerListen(s *script, v value, name string) lua.LValue {
	d := s.newDraft(name, true)
	d.door.Limit, _ = parseLimit(defaultListenLimit)
	if s.options.SharedListenLimit {
		d.door.Limit, _ = parseLimit(sharedListenLimit)
	}
	if read(v, listenOptions(), nil, d) {
		d.finish(v)
	}
	return lua.LNil
}

// defaultListenLimit bounds how much Lua strangers can run by sending packets.
const defaultListenLimit = "20/s per source"

// sharedListenLimit is for [Options.SharedListenLimit].
const sharedListenLimit = "20/s"

func listenOptions() []option[draft] {
	return append([]option[draft]{
		{Option{"on", "a port or a list of up to 32 ports", Required, "The ports whose packets on_knock gets."},
			func(v value, d *draft) {
				ports, ok := v.ports()
				if ok && (len(ports) < 1 || len(ports) > maxSequence) {
					v.fail("expected 1 to %d ports, got %d", maxSequence, len(ports))
				}
				for _, port := range ports {
					d.door.Sequence = append(d.door.Sequence, d.withFlags(port, d.flags))
				}
			}},
		{Option{"on_knock", "function(knock)", Required, "Called for each packet. It may allow, or return false and a reason to refuse."},
			functionOption("on_knock", "", "", engine.CallKnock, engine.HookKnock).read},
	}, append(payloadOptions(), responseOptions(fmt.Sprintf("%q", defaultListenLimit))...)...)
}
