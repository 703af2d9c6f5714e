package simulate

import (
	"testing"

	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// A packet that came by two interfaces is a copy. So no two interfaces have one number, of one
// capture or of several, also where the kernel has counted far.
func TestInterfacesOfCaptures(t *testing.T) {
	for name, captures := range map[string][]int{"one capture": {0}, "several": {1, 2, 3, 200}} {
		seen := map[uint32]string{}
		for _, number := range captures {
			for _, of := range []uint32{0, 1, 44, 172, 300, 4096, 300_000} {
				var p packet.Packet
				c := capture{number: number}
				p.CameBy(c.interfaceNumber(&record.Frame{Interface: of}))
				if other, known := seen[p.Interface]; known {
					t.Errorf("%s: interface %d of capture %d has the number of %s", name, of, number, other)
				}
				seen[p.Interface] = "another"
			}
		}
	}
}
