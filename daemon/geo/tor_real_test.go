package geo_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
)

// TestRealTor compares the files of Debian's tor-geoipdb with their own lines.
func TestRealTor(t *testing.T) {
	for _, path := range []string{"/usr/share/tor/geoip", "/usr/share/tor/geoip6"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Skip(err)
		}
		d := read(t, path, text)
		if d.Built.Year() < 2020 || !d.Countries || d.ASNumbers || d.IPv4 == d.IPv6 {
			t.Errorf("%s: %s, %s", path, d.Name(), d.Content())
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		random := rand.New(rand.NewPCG(3, 4))
		for range 5_000 {
			parts := strings.Split(lines[random.IntN(len(lines))], ",")
			if strings.HasPrefix(parts[0], "#") {
				continue
			}
			first, last := torAddress(t, parts[0]), torAddress(t, parts[1])
			for _, a := range []netip.Addr{first, last, between(random, first, last)} {
				got := geo.Databases{d}.Answer(engine.Question{Kind: engine.FactCountry, Address: a}).Country
				if want := torCountry(parts[2]); got != want {
					t.Errorf("%s: %s: got %q, want %q", path, a, got, want)
				}
			}
		}
	}
}

// torCountry returns the country of a code: none for those that stand for something else.
func torCountry(code string) string {
	switch code {
	case "??", "EU", "AP", "CS", "AN", "SU", "ZZ", "UN", "OS", "AB":
		return ""
	case "UK":
		return "GB"
	}
	return code
}

func torAddress(t *testing.T, text string) netip.Addr {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n))))
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// between returns an address of a range, near to its beginning.
func between(random *rand.Rand, first, last netip.Addr) netip.Addr {
	for range random.IntN(50) {
		if first == last {
			break
		}
		first = first.Next()
	}
	return first
}
