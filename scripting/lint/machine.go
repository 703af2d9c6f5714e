package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Machine holds what lints need to know about the machine that is to run a
// set.
type Machine struct {
	Sockets []Socket
	// Ephemeral are the ports from which the machine takes one for each
	// connection that it makes, without those of Reserved. A range of zeros is
	// empty.
	Ephemeral Ports
	Reserved  []Ports
	// SYNCookies is net.ipv4.tcp_syncookies, which holds for IPv6, too: 0 never, 1 while the
	// queue of a listening socket is full, 2 always. 0 also when it is not known.
	SYNCookies int
	// Translations are the ports that containers publish, as far as their number changes.
	Translations []Translation
	// Interfaces and Lines are set when its sesame.toml has the counterparts of
	// the section [options] of a knockd.conf: the interfaces to capture on, and
	// where knockd's log lines go.
	Interfaces, Lines bool
	// Unrunnable returns why the machine cannot run the arguments of a command, and "" when it
	// probably can; nil: it is not known.
	Unrunnable func(argv []string) string
	// SetMode is set when its sesame.toml has mode = "set" below [firewall].
	SetMode bool
	// Set4 and Set6 are the sets that it names then, "" for none.
	Set4, Set6 string
	// IPv6 is set when the machine has an IPv6 address that others than its neighbours can reach.
	IPv6 bool
}

// A Socket receives packets from others. Its Address is unspecified when it is
// bound to all addresses.
type Socket struct {
	Port    packet.Port
	Address netip.Addr
}

// Ports are the ports from First to Last, both included.
type Ports struct{ First, Last uint16 }

func (p Ports) has(number uint16) bool { return p.First <= number && number <= p.Last }

// String returns "55000", or "32768-60999".
func (p Ports) String() string {
	if p.First == p.Last {
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// taken reports whether a port is an ephemeral port of the machine.
func (m *Machine) taken(number uint16) bool {
	return number != 0 && m.Ephemeral.has(number) && !slices.ContainsFunc(m.Reserved, func(r Ports) bool { return r.has(number) })
}

// receives reports whether a service of the machine receives packets to a port of
// a door. A UDP socket on an ephemeral port probably belongs to a client. A
// socket on a loopback address receives nothing from others.
func (m *Machine) receives(d *engine.Door, port packet.Port) bool {
	return slices.ContainsFunc(m.Sockets, func(s Socket) bool {
		return s.Port == port && !s.Address.IsLoopback() &&
			(s.Address.IsUnspecified() || !d.Target.IsValid() || s.Address == d.Target) &&
			!(port.Proto == packet.UDP && m.taken(port.Number))
	})
}

// The TCP flags of the segments that a client sends after its SYN, and of those
// that answer a SYN of this machine.
var (
	later    = []packet.Flags{packet.ACK, packet.PSH | packet.ACK, packet.FIN | packet.ACK, packet.FIN | packet.PSH | packet.ACK, packet.RST, packet.RST | packet.ACK}
	accepted = []packet.Flags{packet.SYN | packet.ACK, packet.SYN | packet.ACK | packet.ECE}
)

// on finds knocks of a door that are also ordinary traffic of the machine.
func (c *checker) on(m *Machine, d *engine.Door) {
	var listening, ephemeral []packet.Port
	each := false
	for _, k := range knocks(d) {
		traffic := k.Port.Proto == packet.UDP || holds(k, later)
		if (traffic || k.Flags.Holds(packet.SYN)) && m.receives(d, k.Port) {
			listening = append(listening, k.Port)
			each = each || traffic
		}
		// A SYN+ACK also passes tcpflags = syn of a knockd.conf. It is one
		// segment for each connection, so it can complete a door of one knock
		// only.
		if m.taken(k.Port.Number) && (traffic || single(d) && holds(k, accepted)) {
			ephemeral = append(ephemeral, k.Port)
		}
	}
	if d.Cut && m.SetMode {
		c.door(NoCut, d, "cut = true has no effect on TCP in set mode: rules of your own decide there what an open connection may do",
			`use mode = "guard" below [firewall], or leave cut out`)
	}
	if len(listening) > 0 {
		who := "whoever connects to it knocks, which begins an attempt or disturbs one"
		if each {
			who = "its ordinary packets are knocks, which make stages or disturb attempts"
		}
		c.door(Listening, d, fmt.Sprintf("this machine has a service on %s: %s", list(listening), who), "knock on ports where nothing listens")
	}
	if tripwires := c.services(m, d); len(tripwires) > 0 {
		c.door(TripwireInUse, d, fmt.Sprintf("this machine has a service on %s, which the door has for tripwires: who uses it while they knock ends their own attempt",
			list(tripwires)), "add the ports to except")
	}
	if len(ephemeral) > 0 {
		c.door(Ephemeral, d, fmt.Sprintf("this machine takes %s for connections of its own (%s): what answers those knocks", list(ephemeral), m.Ephemeral),
			m.reserve(ephemeral))
	}
}

// services returns the tripwires of a door on which a service of the machine listens.
func (c *checker) services(m *Machine, d *engine.Door) (ports []packet.Port) {
	for _, s := range m.Sockets {
		wired := func(k engine.Knock) bool {
			return k.Port.Proto == s.Port.Proto && k.Flags.Holds(packet.SYN) &&
				c.wiresBetween(d, class{k.Port.Proto, k.Flags}, int(s.Port.Number), int(s.Port.Number)) > 0
		}
		if m.receives(d, s.Port) && !slices.Contains(ports, s.Port) && slices.ContainsFunc(d.Sequence, wired) {
			ports = append(ports, s.Port)
		}
	}
	return ports
}

// reserve returns a hint how to prevent the machine from taking ports as ephemeral
// ports.
func (m *Machine) reserve(ports []packet.Port) string {
	hint := fmt.Sprintf("choose ports outside of %s", m.Ephemeral)
	if len(ports) > listed {
		return hint
	}
	var reserved []string
	for _, r := range m.Reserved {
		reserved = append(reserved, r.String())
	}
	for _, port := range ports {
		if number := strconv.Itoa(int(port.Number)); !slices.Contains(reserved, number) {
			reserved = append(reserved, number)
		}
	}
	return hint + ", or reserve them: sysctl -w net.ipv4.ip_local_reserved_ports=" + strings.Join(reserved, ",")
}

// knocks returns the different knocks of all sequences that a door still has,
// in their order.
func knocks(d *engine.Door) []engine.Knock {
	var all []engine.Knock
	seen := map[engine.Knock]bool{}
	for k := range d.Knocks() {
		if !seen[k] {
			seen[k] = true
			all = append(all, k)
		}
	}
	return all
}

// single reports whether one knock opens a door.
func single(d *engine.Door) bool { return d.Listen || len(d.Sequence) == 1 }

func holds(k engine.Knock, flags []packet.Flags) bool {
	return k.Port.Proto == packet.TCP && slices.ContainsFunc(flags, k.Flags.Holds)
}

// listed bounds the ports that a message names.
const listed = 5

func list(ports []packet.Port) string {
	var names []string
	for i, port := range ports {
		if i == listed {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(ports)-i)
		}
		names = append(names, port.String())
	}
	return strings.Join(names, ", ")
}
