package engine

import "net/netip"

// MapFirstStage returns the packed first-stage attempts of a state with other sources. It changes
// nothing in the state. Bytes that are no whole attempt are left as they are.
func (s *State) MapFirstStage(source func(netip.Addr) netip.Addr) []byte {
	packed := append([]byte(nil), s.FirstStage...)
	for at := 0; at+firstStageSize <= len(packed); at += firstStageSize {
		to := source(netip.AddrFrom16([16]byte(packed[at:])).Unmap()).As16()
		copy(packed[at:], to[:])
	}
	return packed
}
