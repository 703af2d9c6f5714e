package zone

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestBuiltInZones(t *testing.T) {
	all := names()
	if len(all) < 400 {
		t.Fatalf("%d zones are built in: expected more than 400", len(all))
	}
	for _, name := range all {
		file, err := BuiltIn(name)
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := Load(name, file); err != nil || Check(name) != nil {
			t.Errorf("%s: %v, %v", name, err, Check(name))
		}
		if got, ok := Name(Path(name)); !ok || got != name {
			t.Errorf("%s has the path %s, which has the name %q", name, Path(name), got)
		}
	}
	madrid, err := BuiltIn("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	location, err := Load("Europe/Madrid", madrid)
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC).In(location).Format("15:04 MST"); got != "14:00 CEST" {
		t.Errorf("noon in July is %s in Madrid", got)
	}
}

func TestWhatIsNoZone(t *testing.T) {
	for _, name := range []string{
		"", "Local", "localtime", "../etc/passwd", "/etc/passwd", "Europe/../Madrid", "Europe//Madrid", "Europe/Madrid/", "right/Europe/Madrid",
		"posix/UTC", "Europe/Madrid\x00", "a b", strings.Repeat("a", 65), "zone.tab",
	} {
		if err := Check(name); err == nil {
			t.Errorf("%q is the name of a zone", name)
		}
	}
	for _, name := range []string{"Europe", "Europe/Paradise", "UTC/x"} {
		if _, err := BuiltIn(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q is built in: %v", name, err)
		}
	}
	if _, ok := Name("/etc/knockd.conf"); ok {
		t.Error("a path elsewhere is that of a zone")
	}
	if err := Unknown("Europe/Madird").Error(); err != `unknown time zone "Europe/Madird": did you mean "Europe/Madrid"?` {
		t.Error(err)
	}
	for _, file := range [][]byte{nil, []byte("TZif"), make([]byte, MaxSize+1)} {
		if _, err := Load("x", file); err == nil {
			t.Errorf("%d bytes are a zone", len(file))
		}
	}
}

// Whatever the bytes are, a zone that loads has a time of day.
func FuzzZone(f *testing.F) {
	for _, name := range []string{"Europe/Madrid", "Pacific/Apia", "Etc/UTC"} {
		file, err := BuiltIn(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		location, err := Load("x", file)
		if err != nil {
			return
		}
		for _, year := range []int{1900, 2026, 2500} {
			_, _ = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC).In(location).ZoneBounds()
		}
	})
}
