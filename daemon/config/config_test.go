package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"sesame/daemon/effect/firewall"
	"sesame/daemon/record"
)

var compared = cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}

func parsed(t *testing.T, path, text string) Config {
	t.Helper()
	c, err := Parse(path, []byte(text))
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return c
}

func same(t *testing.T, want, got Config) {
	t.Helper()
	if diff := cmp.Diff(want, got, compared); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestAWholeFile(t *testing.T) {
	got := parsed(t, "/srv/sesame/my.toml", `reload = "manual"
scripts = "doors/ssh.lua"
interfaces = ["eth0", "wlan0", "eth0"]
local = ["198.51.100.7", "2001:db8:1::/64", "::ffff:192.0.2.1"]
trusted = ["192.0.2.0/24", "2001:db8::1"]
trusted_interfaces = ["wg0"]
state = "state/../here"
socket = "/run/my.sock"
user = "knocker"
observe = true
readable = ["lists"]
log = { format = "json", level = "debug", knockd = "knockd.log", knockd_syslog = true }
confine = true
helper = "/run/my-helper.sock"
[options]
ttl = "2h"
port = 2222
share = 0.5
loud = true
"a b" = "c"
knocks = ["tcp/1", 2]
none = []

[firewall]
mode = "set"
table = " ip6   my-table "
set6 = "in"
[geo]
databases = ["country.mmdb", "/srv/asn.mmdb", "./country.mmdb"]
[clock]
unsynchronised = "refuse"
[record]
size = "2048KiB"
[limits]
attempts = 65_536
grants = 0x100
commands = 1
[tests]
budget = "10s"
`)
	want := Config{
		File: "/srv/sesame/my.toml", Form: Form, Scripts: "/srv/sesame/doors/ssh.lua", Reload: "manual", Interfaces: []string{"eth0", "wlan0"},
		Local:   []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("2001:db8:1::/64"), netip.MustParsePrefix("192.0.2.1/32")},
		Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")}, TrustedInterfaces: []string{"wg0"},
		State: "/srv/sesame/here", Socket: "/run/my.sock", Helper: "/run/my-helper.sock", User: Value{"knocker", "/srv/sesame/my.toml:9", false}, Observe: true, Confine: true, Readable: []Value{{"/srv/sesame/lists", "/srv/sesame/my.toml:11", false}},
		Options: map[string]Value{
			"ttl": {"2h", "/srv/sesame/my.toml:16", false}, "port": {"2222", "/srv/sesame/my.toml:17", false}, "share": {"0.5", "/srv/sesame/my.toml:18", false},
			"loud": {"true", "/srv/sesame/my.toml:19", false}, "a b": {"c", "/srv/sesame/my.toml:20", false},
			"knocks": {"tcp/1,2", "/srv/sesame/my.toml:21", true}, "none": {"", "/srv/sesame/my.toml:22", true},
		},
		Log:      Log{Format: "json", Level: "debug", Knockd: Value{"/srv/sesame/knockd.log", "/srv/sesame/my.toml:12", false}, KnockdSyslog: true},
		Firewall: Firewall{Mode: "set", Mark: Default().Firewall.Mark, Answer: "auto", Family: "ip6", Table: "my-table", Set6: "in"},
		Geo:      Geo{[]Value{{"/srv/sesame/country.mmdb", "/srv/sesame/my.toml:29", false}, {"/srv/asn.mmdb", "/srv/sesame/my.toml:29", false}}},
		Clock:    Clock{"refuse"},
		Record:   Record{2 << 20},
		Limits:   Limits{65536, 256, 1},
		Tests:    Tests{10 * time.Second},
		Warnings: Problems{{"/srv/sesame/my.toml", 25, "firewall.mode: in set mode the rules are yours, and trusted means nothing to them: accept those networks there"}},
	}
	same(t, want, got)
}

// TestWrongFiles runs testdata/wrong.txtar: of each pair of sections the first
// is a file, and the second the messages about it.
func TestWrongFiles(t *testing.T) {
	const path = "testdata/wrong.txtar"
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 20 || len(archive.Files)%2 != 0 {
		t.Fatalf("%d sections: expected pairs", len(archive.Files))
	}
	for i := 0; i < len(archive.Files); i += 2 {
		file, want := archive.Files[i], &archive.Files[i+1]
		t.Run(file.Name, func(t *testing.T) {
			c, err := Parse("sesame.toml", file.Data)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			} else if len(c.Warnings) > 0 {
				got = c.Warnings.Error() + "\n"
			}
			if *update {
				want.Data = []byte(got)
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sesame.toml")
	_, err := Load(path)
	if err == nil || !strings.Contains(err.Error(), path+" does not exist: name a file that does with -c") {
		t.Errorf("a named file that is missing: %v", err)
	}
	if err := os.WriteFile(path, []byte("\ufeffobserve = true\r\n[log]\r\nlevel = \"off\"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(path); err != nil || !c.Observe || c.Log.Level != "off" || c.Scripts != filepath.Join(filepath.Dir(path), "scripts") {
		t.Errorf("loaded %+v, %v", c, err)
	}
	if _, err := Load("/dev/zero"); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
		t.Errorf("a device: %v", err)
	}
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, make([]byte, 1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(large); err == nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("a large file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := os.Stat(Path); errors.Is(err, fs.ErrNotExist) {
		c, err := Load("")
		if err != nil {
			t.Fatal(err)
		}
		same(t, Default(), c)
	}
}

// FuzzParse parses arbitrary text. Parse must not panic, and each problem must have a line of the
// text.
func FuzzParse(f *testing.F) {
	f.Add("scripts = \"x\"\n[log]\nlevel = \"debug\"")
	f.Add("a.b.c = [1, {d = 2}, [3]]\n[[e]]\n[e.f]\n")
	f.Add("trusted = [\n'::/0',\n'0.0.0.0/0']\n\"log.level\" = 1\n'' = 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("x", []byte(text))
		if err == nil {
			return
		}
		problems, ok := errors.AsType[Problems](err)
		if !ok || len(problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d of %q: %v", p.Line, text, p)
			}
		}
	})
}

// TestTheDefaultsAreTheirs compares defaults with those of the packages that use them.
func TestTheDefaultsAreTheirs(t *testing.T) {
	c := Default()
	if c.Firewall.Mark != firewall.DefaultMark || c.Record.Size != record.DefaultBound {
		t.Errorf("mark %#x and size %d, want %#x and %d", c.Firewall.Mark, c.Record.Size, firewall.DefaultMark, record.DefaultBound)
	}
}

// TestManyStrangeCharacters: what is told of a file is bounded.
func TestManyStrangeCharacters(t *testing.T) {
	c := parsed(t, "sesame.toml", "interfaces = ["+strings.Repeat("\n'\u200b',", 1000)+"]\n"+strings.Repeat("# \u202e\n", 1000))
	if len(c.Warnings) != maxPasted {
		t.Errorf("%d warnings, want %d", len(c.Warnings), maxPasted)
	}
}
