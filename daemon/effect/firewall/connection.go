package firewall

import (
	"encoding/binary"
	"errors"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// Numbers of nfnetlink_conntrack.h and nf_conntrack_tcp.h.
const (
	ctProtoInfo      = 4 // CTA_PROTOINFO
	ctProtoInfoTCP   = 1 // CTA_PROTOINFO_TCP
	ctTCPState       = 1 // CTA_PROTOINFO_TCP_STATE
	tcpStateSent     = 1 // TCP_CONNTRACK_SYN_SENT
	tcpStateReceived = 2 // TCP_CONNTRACK_SYN_RECV
)

// connection returns what connection tracking knows of a flow. Addresses of a flow are those
// before its translation.
func (s *socket) connection(f reach.Flow) (reach.Conn, error) {
	found := reach.NoConn
	err := s.query(connectionQuestion(f), func(r reply) {
		found = connOf(f.Proto, r.attributes)
		if answers := tupleOf(r.attributes, ctReply); found == reach.Asked && f.Proto == packet.UDP && answers.valid() &&
			addressOf(answers.source) == f.Destination.Addr() && answers.sourcePort == f.Destination.Port() { // else it is translated
			if there, _, known := waits(f.Destination, f.Proto); known && !there {
				found = reach.Refused
			}
		}
	})
	if errors.Is(err, unix.ENOENT) {
		return reach.NoConn, nil
	}
	return found, err
}

func connectionQuestion(f reach.Flow) message {
	family, source := uint8(unix.AF_INET), uint16(ctIPv4Source)
	if f.Source.Addr().Is6() {
		family, source = unix.AF_INET6, ctIPv6Source
	}
	m := newMessage(ctGet, 0, family, "a connection", nested(ctOriginal,
		nested(ctTupleIP,
			netlink.Attribute{Type: source, Data: f.Source.Addr().AsSlice()},
			netlink.Attribute{Type: source + 1, Data: f.Destination.Addr().AsSlice()}),
		nested(ctTupleProto,
			netlink.Attribute{Type: ctProto, Data: []byte{protocolNumber(f.Proto)}},
			netlink.Attribute{Type: ctSourcePort, Data: binary.BigEndian.AppendUint16(nil, f.Source.Port())},
			netlink.Attribute{Type: ctDestinationPort, Data: binary.BigEndian.AppendUint16(nil, f.Destination.Port())})))
	m.subsystem = ctSubsystem
	return m
}

// connOf reads an entry.
func connOf(proto packet.Proto, a attributes) reach.Conn {
	if a.number(ctStatus)&ctStatusReply == 0 {
		return reach.Asked
	}
	state := a.bytes(ctProtoInfo, ctProtoInfoTCP, ctTCPState)
	if proto != packet.TCP || len(state) != 1 {
		return reach.Established
	}
	switch state[0] {
	case tcpStateSent:
		return reach.Asked
	case tcpStateReceived:
		return reach.HalfOpen
	}
	return reach.Established
}
