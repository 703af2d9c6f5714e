package lint

import (
	"fmt"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Translation sends packets to the port Outer of the machine on to the port Inner of another
// host, usually a container.
type Translation struct{ Outer, Inner packet.Port }

// ofMachine are the ids of findings that need a machine.
var ofMachine = []string{Listening, Ephemeral, NoCut, NoSet, SYNCookies, GuardsNothing}

// synCookies finds that the machine answers each SYN with a cookie (tcp(7), tcp_syncookies). An
// ACK with that cookie begins a connection later, and a guard cannot tell this ACK from one of a
// session that began with the grant. The kernel takes a cookie for up to two minutes
// (MAX_SYNCOOKIE_AGE in include/net/tcp.h). There is one finding for the set, because it is about
// the machine: at the first door that guards a TCP port.
func (c *checker) synCookies(m *Machine) {
	const always = 2
	if m.SYNCookies != always {
		return
	}
	for _, d := range c.set.Engine.Doors {
		at := slices.IndexFunc(d.Guards, func(p packet.Port) bool { return p.Proto == packet.TCP })
		if at < 0 {
			continue
		}
		c.door(SYNCookies, d, fmt.Sprintf("this machine answers every SYN with a cookie (net.ipv4.tcp_syncookies = 2): who connects to %s with a grant "+
			"can begin one more connection for each SYN up to two minutes later, also after the grant has ended", d.Guards[at]),
			"let it send cookies only under a flood: sysctl -w net.ipv4.tcp_syncookies=1, and write it into a file of /etc/sysctl.d")
		return
	}
}

// translated finds guarded ports on which nothing of the machine listens, while a container has
// them behind other ports. The guard comes before the translation, so it sees the other ports.
func (c *checker) translated(m *Machine, d *engine.Door) {
	for _, inner := range d.Guards {
		if m.listens(inner) {
			continue
		}
		var outer []packet.Port
		guarded := false
		for _, t := range m.Translations {
			// A port that is published itself is guarded rightly.
			guarded = guarded || t.Outer == inner || t.Inner == inner && c.guarded[t.Outer]
			if t.Inner == inner {
				outer = append(outer, t.Outer)
			}
		}
		if len(outer) > 0 && !guarded {
			c.door(GuardsNothing, d, fmt.Sprintf("nothing of this machine listens on %s, and a container that does is reached as %s: the guard of %[1]s guards nothing", inner, list(outer)),
				fmt.Sprintf("guard %s: the guard sees a packet before its port is translated", list(outer)))
		}
	}
}

// listens reports whether a socket of the machine receives packets to a port from others.
func (m *Machine) listens(port packet.Port) bool {
	return slices.ContainsFunc(m.Sockets, func(s Socket) bool { return s.Port == port && !s.Address.IsLoopback() })
}
