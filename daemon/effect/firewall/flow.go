package firewall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// Numbers of nfnetlink_conntrack.h, and the bits of CTA_FILTER_ORIG_FLAGS, which the kernel defines
// in net/netfilter/nf_internals.h.
const (
	ctDelete          = 2  // IPCTNL_MSG_CT_DELETE
	ctFilter          = 25 // CTA_FILTER
	ctFilterOriginal  = 1  // CTA_FILTER_ORIG_FLAGS
	ctMatchProtocol   = 1 << 3
	ctMatchAskedPort  = 1 << 5
	ctDestinationPort = ctSourcePort + 1
)

// forgetFlows deletes the UDP flows of elements that must be cut from the kernel's table of
// connections. What comes next begins a new flow, which needs a grant. errs are the results of the
// elements so far; nil: all succeeded.
func (s *socket) forgetFlows(elements []effect.Element, errs []error) []error {
	cuts, _ := latest(elements)
	for about, places := range flowsOf(cuts) {
		var err error
		for range tries {
			if err = s.forget(about, places); !errors.Is(err, errInterrupted) { // else the table changed while it was read
				break
			}
		}
		if err != nil {
			errs = withError(elements, errs, fmt.Errorf("deleting UDP flows: %w", err), func(e effect.Element) bool {
				return e.Cut && e.Port == about.port && e.Source.Addr().Is6() == about.v6
			})
		}
	}
	return errs
}

// asked is what all flows to a port of one family have in common.
type asked struct {
	port packet.Port
	v6   bool
}

// flowsOf returns the UDP places by their ports.
func flowsOf(cuts []place) map[asked][]place {
	flows := map[asked][]place{}
	for _, p := range cuts {
		if p.port.Proto == packet.UDP {
			about := asked{p.port, p.source.Addr().Is6()}
			flows[about] = append(flows[about], p)
		}
	}
	return flows
}

// forget deletes the flows of places.
func (s *socket) forget(about asked, places []place) error {
	var going []message
	err := s.flowsTo(about, func(original []byte, source netip.Addr) {
		for _, p := range places {
			if p.source.Contains(source) {
				going = append(going, about.message(ctDelete, 0, netlink.Attribute{Type: ctOriginal | unix.NLA_F_NESTED, Data: original}))
				break
			}
		}
	})
	if err != nil {
		return err
	}
	for _, m := range going {
		if err := s.query(m, func(reply) {}); err != nil && !errors.Is(err, unix.ENOENT) { // it may have ended
			return err
		}
	}
	return nil
}

// flowsTo calls each for each UDP flow that asked for a port, before its translation, with the
// tuple of its first direction as the kernel wrote it, and its source.
func (s *socket) flowsTo(about asked, each func(original []byte, source netip.Addr)) error {
	return s.query(about.question(), func(r reply) {
		t := tupleOf(r.attributes, ctOriginal)
		if t.protocol == unix.IPPROTO_UDP && t.destinationPort == about.port.Number && t.valid() {
			each(r.bytes(ctOriginal), addressOf(t.source))
		}
	})
}

// question asks for the flows. Linux 5.8 and later return no others: strangers can fill the table,
// and to read all of it takes seconds then. Older ones ignore the filter, and return all.
func (a asked) question() message {
	protocol := nested(ctTupleProto,
		netlink.Attribute{Type: ctProto, Data: []byte{unix.IPPROTO_UDP}},
		netlink.Attribute{Type: ctDestinationPort, Data: binary.BigEndian.AppendUint16(nil, a.port.Number)})
	flags := binary.NativeEndian.AppendUint32(nil, ctMatchProtocol|ctMatchAskedPort)
	return a.message(ctGet, unix.NLM_F_DUMP, nested(ctOriginal, protocol),
		nested(ctFilter, netlink.Attribute{Type: ctFilterOriginal, Data: flags}))
}

func (a asked) message(kind, flags uint16, all ...netlink.Attribute) message {
	family := uint8(unix.AF_INET)
	if a.v6 {
		family = unix.AF_INET6
	}
	m := newMessage(kind, flags, family, "flows", all...)
	m.subsystem = ctSubsystem
	return m
}
