package firewall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/packet"
	"sesame/daemon/reach"
)

// Connections beyond the limit of traces are not followed. So the last trace may say that a source
// was dropped, while its later connections work. Connection tracking has an entry for each of
// these, without the time at which it began. So the entries that stand when a drop was seen are
// remembered. One that is answered and is none of them began later, and its first packet passed
// all chains.

const (
	// maxStops bounds the sources at ports that are looked at. Beyond it the one that was stopped
	// longest ago is looked at no more.
	maxStops = 32
	// maxStood bounds the flows of one source to one port that are remembered. Of a source with
	// more nothing is concluded, until there are fewer.
	maxStood = 256
	// stopLife is how long after a drop is looked for later connections.
	stopLife = time.Hour
	// beyondWait is how often each source is looked at. The kernel goes through its whole table
	// for one look, so after looks is a rest of beyondRest times as long as they took.
	beyondWait = time.Second
	beyondRest = 20
)

// Numbers of nfnetlink_conntrack.h, nf_conntrack_common.h and nf_conntrack_tcp.h, and one of the
// bits of CTA_FILTER_ORIG_FLAGS.
const (
	ctLabels        = 22     // CTA_LABELS
	ctStatusAssured = 1 << 2 // IPS_ASSURED
	ctTCPFlags      = 4      // CTA_PROTOINFO_TCP_FLAGS_ORIGINAL
	ctTCPPickedUp   = 8      // IP_CT_TCP_FLAG_BE_LIBERAL
	ctMatchSource   = 1 << 0
)

// stops are the sources at ports of which the latest result is that they were stopped.
type stops struct {
	all  map[stop]*stopped
	free time.Time // when the next look may begin
}

type stop struct {
	source netip.Addr
	port   packet.Port
}

type stopped struct {
	outcome reach.Outcome
	last    time.Time           // the packet that was stopped
	stood   map[reach.Flow]bool // flows that are no later ones; nil: not known yet
	looked  time.Time
}

func noStops() stops { return stops{all: map[stop]*stopped{}} }

// note takes the latest result of a source at a port.
func (s *stops) note(r reach.Result) {
	key := stop{r.Source, r.Port}
	delete(s.all, key)
	switch r.Outcome {
	case reach.Dropped, reach.Rejected, reach.Unanswered:
	case reach.Unused, reach.Answered, reach.Passed:
		return
	}
	if len(s.all) >= maxStops {
		var oldest stop
		for k, one := range s.all {
			if first := s.all[oldest]; first == nil || one.last.Before(first.last) {
				oldest = k
			}
		}
		delete(s.all, oldest)
	}
	s.all[key] = &stopped{outcome: r.Outcome, last: r.Last}
}

// wait returns how long nothing is due; idle at most.
func (s *stops) wait(now time.Time) time.Duration {
	next := now.Add(idle)
	for _, one := range s.all {
		if due := one.due(); due.Before(next) {
			next = due
		}
	}
	if len(s.all) > 0 && next.Before(s.free) {
		next = s.free
	}
	return max(0, next.Sub(now))
}

// due is when the entries are to be read: at once after a packet was stopped, and then each second.
func (s *stopped) due() time.Time {
	if s.looked.IsZero() {
		return s.last
	}
	return s.looked.Add(beyondWait)
}

// lookBeyond looks for connections that began after a packet of the same source to the same port
// was stopped, and were answered. Such a one is the latest result then.
func (m *measurement) lookBeyond() {
	begun := m.now()
	if m.stops.wait(begun) > 0 {
		return
	}
	for key, one := range m.stops.all {
		now := m.now()
		switch {
		case now.Sub(one.last) > stopLife:
			delete(m.stops.all, key)
			continue
		case one.due().After(now):
			continue
		}
		one.looked = now
		found, err := m.guard.socket.later(key, one)
		if found || err != nil && !errors.Is(err, errInterrupted) { // a kernel that cannot list flows
			delete(m.stops.all, key)
		}
		if !found {
			continue
		}
		if r, changed := m.guard.reached.Put(reach.Result{Source: key.source, Port: key.port, Outcome: reach.Answered}, now); changed {
			m.changed(r)
		}
	}
	end := m.now()
	m.stops.free = end.Add(beyondRest * end.Sub(begun))
}

// later reports whether a later connection was answered. Before it can, it remembers the flows that
// stand, unless they are too many now.
func (s *socket) later(key stop, of *stopped) (found bool, err error) {
	if of.stood == nil {
		of.stood, err = s.stoodOf(key, of.outcome == reach.Unanswered)
		return false, err
	}
	err = s.flowsOfSource(key, func(f reach.Flow, answered bool) { found = found || answered && !of.stood[f] })
	return found, err
}

// stoodOf returns the flows that are no later ones; nil: they are too many. A flow without an
// answer counts as later when one comes, if it is the answer that was missing.
func (s *socket) stoodOf(key stop, unanswered bool) (map[reach.Flow]bool, error) {
	stood := map[reach.Flow]bool{}
	err := s.flowsOfSource(key, func(f reach.Flow, answered bool) {
		if len(stood) <= maxStood && (answered || !unanswered) {
			stood[f] = true
		}
	})
	if err != nil || len(stood) > maxStood {
		return nil, err
	}
	return stood, nil
}

// flowsOfSource calls each for each flow of a source to a port that a grant let in.
func (s *socket) flowsOfSource(key stop, each func(f reach.Flow, answered bool)) error {
	return s.query(key.question(), func(r reply) {
		f, granted := grantedFlow(r.attributes)
		if granted && f.Source.Addr() == key.source && f.Port() == key.port {
			each(f, bothWays(f.Proto, r.attributes))
		}
	})
}

// grantedFlow reads an entry. False: no grant let it in, such as one to a host behind this one.
func grantedFlow(a attributes) (reach.Flow, bool) {
	t := tupleOf(a, ctOriginal)
	labels, wanted := a.bytes(ctLabels), label(labelGranted)
	if !t.valid() || len(labels) != len(wanted) {
		return reach.Flow{}, false
	}
	granted := !bytes.Equal(make([]byte, len(labels)), both(labels, wanted))
	return reach.Flow{
		Proto:       protocolOf(t.protocol),
		Source:      netip.AddrPortFrom(addressOf(t.source), t.sourcePort),
		Destination: netip.AddrPortFrom(addressOf(t.destination), t.destinationPort),
	}, granted
}

// both returns the bits that are in a and in b, which are of one length.
func both(a, b []byte) []byte {
	all := make([]byte, len(a))
	for i := range a {
		all[i] = a[i] & b[i]
	}
	return all
}

// bothWays reports whether packets went both ways; of TCP after a handshake that the kernel saw. It
// takes over a connection from before it tracked any, and then believes each window.
func bothWays(proto packet.Proto, a attributes) bool {
	if connOf(proto, a) != reach.Established {
		return false
	}
	flags := a.bytes(ctProtoInfo, ctProtoInfoTCP, ctTCPFlags)
	return proto != packet.TCP ||
		a.number(ctStatus)&ctStatusAssured != 0 && len(flags) > 0 && flags[0]&ctTCPPickedUp == 0
}

// question asks for the flows. As to older kernels see [asked.question].
func (k stop) question() message {
	source := netlink.Attribute{Type: ctIPv4Source, Data: k.source.AsSlice()}
	if k.source.Is6() {
		source.Type = ctIPv6Source
	}
	tuple := nested(ctOriginal, nested(ctTupleIP, source), nested(ctTupleProto,
		netlink.Attribute{Type: ctProto, Data: []byte{protocolNumber(k.port.Proto)}},
		netlink.Attribute{Type: ctDestinationPort, Data: binary.BigEndian.AppendUint16(nil, k.port.Number)}))
	flags := binary.NativeEndian.AppendUint32(nil, ctMatchSource|ctMatchProtocol|ctMatchAskedPort)
	return asked{k.port, k.source.Is6()}.message(ctGet, unix.NLM_F_DUMP, tuple,
		nested(ctFilter, netlink.Attribute{Type: ctFilterOriginal, Data: flags}))
}
