package scripting

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/packet"
	"sesame/scripting/spec"
)

// How much a step may send by a list. Scans send more, and the runner of the tests bounds them.
const (
	maxPackets = 1_000
	maxRanges  = 64
)

// readKnock reads the name of a door, or a list of packets.
func (d *stepDraft) readKnock(v value) {
	d.act(v, spec.Knock)
	if text, ok := v.lua.(lua.LString); ok {
		d.Door, _ = readName(v)
		if _, err := packet.ParsePort(string(text)); err == nil {
			v.fail("%q is a port: expected the name of a door, or a list such as { %[1]q }", string(text))
		}
		return
	}
	table, ok := as[*lua.LTable](v, `the name of a door, or a list of packets such as { "tcp/7421", "udp/9133" }`)
	if !ok {
		return
	}
	if hasNames(table) {
		v.fail(`a packet with more than a port is a table in the list: write { { "udp/62201", payload = "..." } }`)
		return
	}
	items, ok := v.items("a list of packets")
	if ok && (len(items) < 1 || len(items) > maxPackets) {
		v.fail("expected 1 to %d packets, got %d", maxPackets, len(items))
		return
	}
	for _, item := range items {
		d.Knocks = append(d.Knocks, d.script.packet(item))
	}
}

// hasNames reports whether a table has an entry with a name.
func hasNames(table *lua.LTable) bool {
	for key := range entries(table) {
		if _, ok := key.(lua.LString); ok {
			return true
		}
	}
	return false
}

// A packetDraft is a packet while its table is read.
type packetDraft struct {
	spec.Packet
	ports int
	flags value // its lua is nil when there are none
}

func packetOptions() []option[packetDraft] {
	return []option[packetDraft]{
		{Option{"payload", "a string", `""`, "What the packet carries, up to 65,507 bytes."},
			func(v value, d *packetDraft) {
				text, ok := v.text()
				if ok && len(text) > maxDatagram {
					v.fail("expected at most %d bytes, got %d", maxDatagram, len(text))
				}
				d.Payload = []byte(text)
			}},
		{Option{"flags", "TCP flags", `"syn"`, "The flags of a TCP segment, such as `\"syn,ack\"`."},
			func(v value, d *packetDraft) { d.flags = v }},
		{Option{"delay", "duration", "that of the step", "The time between this packet and the next one."},
			func(v value, d *packetDraft) { d.Delay, _ = v.duration() }},
	}
}

// packet reads "tcp/7000", 7000 or { "udp/62201", payload = "x" }.
func (s *script) packet(v value) spec.Packet {
	s.state.Charge(1, entryBytes)
	d := &packetDraft{Packet: spec.Packet{Place: v.at}}
	if _, ok := v.lua.(*lua.LTable); !ok {
		d.Port, _ = v.port()
		return d.Packet
	}
	v.what = "a packet"
	read(v, packetOptions(), func(v value, d *packetDraft) { d.Port, _ = v.port(); d.ports++ }, d)
	if d.ports != 1 {
		v.fail(`a packet has one port, got %d: write { "udp/62201", payload = "..." }`, d.ports)
	}
	if d.flags.lua != nil {
		d.readFlags()
	}
	return d.Packet
}

// readFlags reads the flags that a segment has. Unlike a door it cannot leave some open.
func (d *packetDraft) readFlags() {
	text, ok := d.flags.text()
	if !ok {
		return
	}
	test, err := parseFlags(text)
	switch {
	case d.Port.Proto == packet.UDP:
		d.flags.fail("%s has no TCP flags: leave flags out", d.Port)
	case err != nil:
		d.flags.fail("%v", err)
	case test.Clear != 0 || test.Set == 0:
		d.flags.fail(`%q is what a door asks for: write the flags that the packet has, such as "syn,ack"`, text)
	}
	d.Flags = text
}

// ranges reads a range of ports, or a list of them.
func (v value) ranges() (ranges []spec.PortRange, good bool) {
	items, good := []value{v}, true
	if _, ok := v.lua.(*lua.LTable); ok {
		items, good = v.items("a range of ports, or a list of them")
	}
	if len(items) < 1 || len(items) > maxRanges {
		v.fail("expected 1 to %d ranges of ports, got %d", maxRanges, len(items))
		return nil, false
	}
	for _, item := range items {
		r, ok := parsed(item, `a range of ports such as "tcp/1-65535"`, parseRange)
		ranges, good = append(ranges, r), good && ok
	}
	return ranges, good
}

// parseRange reads "tcp/1-65535" or "udp/53".
func parseRange(text string) (spec.PortRange, error) {
	first, last, ranged := strings.Cut(text, "-")
	from, err := packet.ParsePort(first)
	if err != nil || !strings.Contains(first, "/") {
		return spec.PortRange{}, fmt.Errorf(`%q is no range of ports: expected one such as "tcp/1-65535" or "udp/53"`, text)
	}
	r := spec.PortRange{Proto: from.Proto, First: from.Number, Last: from.Number}
	if !ranged {
		return r, nil
	}
	to, err := strconv.ParseUint(last, 10, 16)
	if err != nil || to < uint64(r.First) {
		return spec.PortRange{}, fmt.Errorf("%q is no range of ports: expected a port from %d to 65535 behind the -", text, r.First)
	}
	r.Last = uint16(to)
	return r, nil
}
