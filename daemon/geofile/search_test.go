package geofile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"sesame/daemon/geo/geotest"
)

// A yard is a directory in which databases are looked for.
type yard struct {
	*testing.T
	dir   string
	files *Files
	clock int64
}

func newYard(t *testing.T) *yard {
	y := &yard{T: t, dir: t.TempDir()}
	y.restart()
	return y
}

// restart forgets what was in force.
func (y *yard) restart() {
	y.files = NewFiles(nil)
	y.files.find = func() []candidates {
		return find([]string{y.dir}, []string{filepath.Join(y.dir, "tor"), filepath.Join(y.dir, "tor6")})
	}
	y.files.Want(true)
}

// put writes a file that is newer than all others.
func (y *yard) put(name, text string) {
	y.Helper()
	path := filepath.Join(y.dir, name)
	write(y.T, path, text)
	y.clock += 1000
	check(y.T, os.Chtimes(path, time.Time{}, time.Unix(y.clock, 0)))
}

func (y *yard) remove(names ...string) {
	y.Helper()
	for _, name := range names {
		check(y.T, os.Remove(filepath.Join(y.dir, name)))
	}
}

// inForce compares the databases in force after an update, in any order. One more update must
// change nothing.
func (y *yard) inForce(what string, want ...string) {
	y.Helper()
	y.files.Update()
	var got []string
	for _, state := range y.files.States() {
		if state.Database != nil {
			got = append(got, filepath.Base(state.Path))
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		y.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if y.files.Update() {
		y.Errorf("%s: a second update changed something", what)
	}
}

// broken checks which files are said to be wrong.
func (y *yard) broken(want ...string) {
	y.Helper()
	var got []string
	for _, state := range y.files.States() {
		if state.Wrong != "" {
			got = append(got, filepath.Base(state.Path))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		y.Errorf("wrong files (-want +got):\n%s", diff)
	}
}

func asNumbers(t *testing.T) string {
	return string(geotest.Database{Type: "GeoLite2-ASN", Records: map[string]mmdbtype.DataType{"203.0.113.0/24": geotest.AS(64500, "Example")}}.Bytes(t))
}

func TestABrokenFileThatIsFoundFirstTakesNothingOutOfForce(t *testing.T) {
	y := newYard(t)
	y.put("dbip-country-lite-2026-11.mmdb", database("ES"))
	y.inForce("one version", "dbip-country-lite-2026-11.mmdb")
	y.put("dbip-country-lite-2026-12.mmdb", database("FR")[:20])
	y.inForce("a newer one is cut", "dbip-country-lite-2026-11.mmdb")
	y.broken("dbip-country-lite-2026-12.mmdb")
	y.put("GeoLite2-Country.mmdb", "")
	y.inForce("a better one is empty", "dbip-country-lite-2026-11.mmdb")
	y.broken("GeoLite2-Country.mmdb", "dbip-country-lite-2026-12.mmdb")
	y.put("GeoIP2-Country.mmdb", asNumbers(t))
	y.inForce("the best one has no countries", "GeoIP2-Country.mmdb", "dbip-country-lite-2026-11.mmdb")
	y.restart()
	y.inForce("the daemon starts anew", "GeoIP2-Country.mmdb", "dbip-country-lite-2026-11.mmdb")
	y.remove("dbip-country-lite-2026-11.mmdb")
	y.inForce("the good one is gone", "GeoIP2-Country.mmdb", "dbip-country-lite-2026-11.mmdb")
	y.put("dbip-country-lite-2026-12.mmdb", database("FR"))
	y.inForce("the newer one is whole", "GeoIP2-Country.mmdb", "dbip-country-lite-2026-12.mmdb")
	y.remove("GeoIP2-Country.mmdb")
	y.put("GeoLite2-ASN.mmdb", asNumbers(t))
	y.inForce("another has AS numbers", "GeoLite2-ASN.mmdb", "dbip-country-lite-2026-12.mmdb")
	if got := countryOf(y.files.Databases()); got != "FR" {
		t.Errorf("the country is %q", got)
	}
}

func TestAFileThatIsGoneStaysUntilAnotherKnowsWhatItKnew(t *testing.T) {
	y := newYard(t)
	y.put("GeoLite2-Country.mmdb", database("ES"))
	y.put("GeoLite2-ASN.mmdb", asNumbers(t))
	y.inForce("both", "GeoLite2-ASN.mmdb", "GeoLite2-Country.mmdb")
	y.remove("GeoLite2-Country.mmdb")
	y.inForce("no countries", "GeoLite2-ASN.mmdb", "GeoLite2-Country.mmdb")
	y.broken("GeoLite2-Country.mmdb")
	y.remove("GeoLite2-ASN.mmdb")
	y.inForce("nothing", "GeoLite2-ASN.mmdb", "GeoLite2-Country.mmdb")
	y.put("tor", database("FR"))
	y.inForce("countries of another kind", "GeoLite2-ASN.mmdb", "tor")
	y.put("tor6", "# INTERNAL\n2001:db8::,2001:db8::ffff,PT\n")
	y.inForce("and of IPv6", "GeoLite2-ASN.mmdb", "tor", "tor6")
	y.remove("tor6")
	y.inForce("IPv6 is gone", "GeoLite2-ASN.mmdb", "tor", "tor6")
	y.put("dbip-country-lite.mmdb", database("SE"))
	y.inForce("another, of IPv4", "GeoLite2-ASN.mmdb", "dbip-country-lite.mmdb", "tor6")
}
