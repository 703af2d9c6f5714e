package geofile

import (
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/geo"
)

// database is the text of a file of tor-geoipdb in which 203.0.113.0/24 is in a country.
func database(country string) string { return "# INTERNAL\n3405803776,3405804031," + country + "\n" }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts a file in the place of another, or writes over it.
func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path+".aside", []byte(text), 0o600))
	check(t, os.Rename(path+".aside", path))
}

func countryOf(all geo.Databases) string {
	return all.Answer(engine.Question{Kind: engine.FactCountry, Address: netip.MustParseAddr("203.0.113.9")}).Country
}

func wrongs(f *Files) (all []string) {
	for _, one := range f.States() {
		all = append(all, one.Wrong)
	}
	return all
}

func TestABrokenFileLeavesTheOldOneInForce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geoip")
	f := NewFiles([]string{path})
	step := func(what string, changed bool, country, wrong string) {
		t.Helper()
		if got := f.Update(); got != changed {
			t.Errorf("%s: changed is %v", what, got)
		}
		if got := countryOf(f.Databases()); got != country {
			t.Errorf("%s: %q, want %q", what, got, country)
		}
		if got := wrongs(f); len(got) != 1 || (wrong == "") != (got[0] == "") || !strings.Contains(got[0], wrong) {
			t.Errorf("%s: wrong %q, want one with %q", what, got, wrong)
		}
	}
	step("there is none", false, "", path+" does not exist")
	write(t, path, database("ES"))
	step("it comes", true, "ES", "")
	step("nothing happens", false, "ES", "")
	write(t, path, database("FR")[:20])
	step("it is cut", false, "ES", path+": ")
	step("and nobody mends it", false, "ES", path+": ")
	write(t, path, "")
	step("it is empty", false, "ES", "it is empty")
	check(t, os.Remove(path))
	step("it is gone", false, "ES", "does not exist")
	check(t, os.Mkdir(path, 0o755))
	step("it is a directory", false, "ES", "no ordinary file")
	check(t, os.Remove(path))
	check(t, syscall.Mkfifo(path, 0o600))
	step("it is a pipe", false, "ES", "no ordinary file")
	check(t, os.Remove(path))
	check(t, os.Symlink(path, path))
	step("it is a link to itself", false, "ES", "too many levels")
	check(t, os.Remove(path))
	write(t, path, database("ES"))
	step("it is back", false, "ES", "")
	check(t, os.WriteFile(path, []byte(database("PT")+"# and more\n"), 0o600))
	step("it is written in place", true, "PT", "")
	target := path + ".other"
	write(t, target, database("FR"))
	check(t, os.Remove(path))
	check(t, os.Symlink(target, path))
	step("it is a link", true, "FR", "")
	write(t, target, database("SE"))
	step("its target is another", true, "SE", "")
}

func TestAFileThatIsTooLargeIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.mmdb")
	check(t, os.WriteFile(path, nil, 0o600))
	check(t, os.Truncate(path, geo.MaxSize+1))
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "expected at most") {
		t.Error(err)
	}
	t.Log("# one that cannot be a database is refused by its ends")
	check(t, os.Truncate(path, geo.MaxSize))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(path)
	if runtime.ReadMemStats(&after); err == nil || !strings.Contains(err.Error(), "not in MaxMind's format") {
		t.Error(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes of memory were used", n)
	}
	t.Log("# a device has no size, and no end")
	if _, err := Read("/dev/zero"); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
		t.Error(err)
	}
}

func TestDatabasesShareTheRoom(t *testing.T) {
	dir := t.TempDir()
	paths := []string{dir + "/a", dir + "/b", dir + "/c"}
	write(t, paths[0], database("ES"))
	write(t, paths[1], database("PT"))
	f := NewFiles(paths)
	f.Update()
	f.files[0].database.Size, f.files[1].database.Size = geo.MaxTotal-100, 50 // as if they were large
	write(t, paths[2], database("FR")+strings.Repeat("#", 20)+"\n")
	if f.Update() || !strings.Contains(wrongs(f)[2], "all databases together may have 256 MiB: name fewer or smaller ones") {
		t.Errorf("it is taken: %q", wrongs(f))
	}
	t.Log("# it is taken when there is room, though nobody touched it")
	f.files[0].database.Size -= 10
	if !f.Update() || len(f.Databases()) != 3 {
		t.Errorf("it is not taken: %q", wrongs(f))
	}
	t.Log("# a newer version of a large one does not count it twice")
	f.files[0].database.Size = geo.MaxTotal - 110
	write(t, paths[0], database("SE"))
	if !f.Update() || countryOf(f.Databases()) != "SE" {
		t.Errorf("it is not taken: %q", wrongs(f))
	}
}

func TestWhereDatabasesAreFound(t *testing.T) {
	dir := t.TempDir()
	places := []string{filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")}
	tor := []string{filepath.Join(dir, "tor/geoip"), filepath.Join(dir, "tor/geoip6")}
	found := func(want ...string) {
		t.Helper()
		var got []string
		for _, c := range find(places, tor) {
			for _, path := range slices.Concat(c.files[:min(len(c.files), 1)]...) {
				name, err := filepath.Rel(dir, path)
				check(t, err)
				if !slices.Contains(got, name) {
					got = append(got, name)
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	found()
	write(t, tor[0], "")
	write(t, tor[1], "")
	found("tor/geoip", "tor/geoip6")
	write(t, dir+"/a/GeoLite2-ASN.mmdb", "")
	found("tor/geoip", "tor/geoip6", "a/GeoLite2-ASN.mmdb")
	write(t, dir+"/a/GeoLite2-City.mmdb", "")
	found("a/GeoLite2-City.mmdb", "a/GeoLite2-ASN.mmdb")
	write(t, dir+"/b/dbip-country-lite-2026-10.mmdb", "")
	write(t, dir+"/b/dbip-country-lite-2026-11.mmdb", "")
	check(t, os.Chtimes(dir+"/b/dbip-country-lite-2026-10.mmdb", time.Time{}, time.Unix(1, 0)))
	found("b/dbip-country-lite-2026-11.mmdb", "a/GeoLite2-ASN.mmdb")
	check(t, os.MkdirAll(dir+"/c/GeoLite2-Country.mmdb", 0o755)) // a directory is none
	found("b/dbip-country-lite-2026-11.mmdb", "a/GeoLite2-ASN.mmdb")
	write(t, dir+"/b/GeoLite2-Country.mmdb", "")
	write(t, dir+"/a/GeoLite2-Country.mmdb", "")
	check(t, os.Chtimes(dir+"/b/GeoLite2-Country.mmdb", time.Time{}, time.Unix(1, 0)))
	found("a/GeoLite2-Country.mmdb", "a/GeoLite2-ASN.mmdb")
	t.Log("# one that has both is taken once")
	for _, name := range []string{"/a/GeoLite2-Country.mmdb", "/b/GeoLite2-Country.mmdb", "/b/dbip-country-lite-2026-10.mmdb", "/b/dbip-country-lite-2026-11.mmdb", "/a/GeoLite2-ASN.mmdb"} {
		check(t, os.Remove(dir+name))
	}
	write(t, dir+"/c/ipinfo_lite.mmdb", "")
	found("c/ipinfo_lite.mmdb")
}

func TestDatabasesAreLookedForWhenTheyAreWanted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "geoip")
	write(t, path, database("ES"))
	there := []candidates{{engine.FactCountry, [][]string{{path}}}}
	f := NewFiles(nil)
	f.find = func() []candidates { return there }
	if f.Update() || len(f.Databases()) > 0 {
		t.Error("something was read that nobody wants")
	}
	f.Want(true)
	if !f.Update() || countryOf(f.Databases()) != "ES" {
		t.Error("nothing was found")
	}
	t.Log("# what is gone stays in force, until another is there")
	check(t, os.Remove(path))
	there = nil
	if f.Update() || countryOf(f.Databases()) != "ES" {
		t.Error("it was dropped")
	}
	other := path + "2"
	write(t, other, database("FR"))
	there = []candidates{{engine.FactCountry, [][]string{{other}}}}
	if !f.Update() || countryOf(f.Databases()) != "FR" {
		t.Error("the other one was not taken")
	}
	f.Want(false)
	if !f.Update() || len(f.Databases()) > 0 || len(f.States()) > 0 {
		t.Error("it is kept, and nobody wants it")
	}
}
