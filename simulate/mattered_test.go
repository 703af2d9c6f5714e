package simulate

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"

	"sesame/simulate/pcaptest"
)

// TestTheAddressesOfMattered: those of a recording count where none were given.
func TestTheAddressesOfMattered(t *testing.T) {
	f := takeOff(t, 1, 1<<20)
	recording, _ := f.land()
	set := loaded(t, `sesame.door "d" { sequence = { 7000, 7010 }, guards = 22 }`)
	defer set.Close()
	own := []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32), netip.PrefixFrom(pcaptest.Here6, 128)}
	given := []netip.Prefix{netip.MustParsePrefix("198.51.100.1/32")}
	for _, tt := range []struct{ given, want []netip.Prefix }{{nil, own}, {given, given}} {
		found, err := Matter(t.Context(), Config{Recording: bytes.NewReader(recording), Set: set.Engine, Local: tt.given})
		must(t, err)
		if !slices.Equal(found.Local, tt.want) {
			t.Errorf("given %v: %v, want %v", tt.given, found.Local, tt.want)
		}
	}
}
