package engine

import "sesame/daemon/packet"

// An Interest defines which packets the doors of a set need to see.
type Interest struct {
	TCP, UDP []uint16 // ports, in no order, some more than once
	AnyFlags bool     // some knock has other TCP flags than SYN without ACK
	All      bool     // to a strict door every port matters
}

// Interest returns what the doors need to see, for all of their one-time sequences, and the
// tripwires that are not guarded.
func (s *Set) Interest() Interest {
	var w Interest
	guards := make(map[packet.Port]bool)
	for _, d := range s.Doors {
		w.All = w.All || d.Strict
		for k := range d.Knocks() {
			w.add(k)
		}
		for _, g := range d.Guards {
			guards[g] = true
		}
	}
	for _, k := range s.Tripwires() {
		if !guards[k.Port] {
			w.add(k)
		}
	}
	return w
}

func (w *Interest) add(k Knock) {
	switch k.Port.Proto {
	case packet.TCP:
		w.TCP = append(w.TCP, k.Port.Number)
		w.AnyFlags = w.AnyFlags || k.Flags != SYN
	case packet.UDP:
		w.UDP = append(w.UDP, k.Port.Number)
	case packet.NoProto, packet.ICMP: // no knock
	}
}
