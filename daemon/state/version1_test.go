package state

import (
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// The files version1* in testdata were written by the first version of the format, as it
// was released. They must be read for ever, and mean what stands here.

func version1(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestJournalsOfVersion1AreRead(t *testing.T) {
	knocker := netip.MustParseAddr("203.0.113.9")
	// The offset in the files moves every time by an hour. Grant 2 had a minute left, and a
	// grant ends at most its TTL of 30 seconds after a start.
	late := func(d time.Duration) time.Time { return monday.Add(time.Hour + d) }
	common := []engine.Record{
		ended(9), grant(2, late(30*time.Second)), grant(3, late(-time.Hour)),
		{Grant: &engine.Grant{
			ID: 4, Door: "share", By: netip.MustParseAddr("2001:db8::1"), Source: netip.MustParsePrefix("2001:db8::1/128"),
			Argv: []string{"/bin/mount", "\xff<&>\n"}, Undo: []string{"/bin/umount", "é"}, Timeout: 5 * time.Second, AnyStatus: true,
			TTL: time.Hour, End: late(time.Hour),
		}},
		{Grant: &engine.Grant{
			ID: 5, Door: "d\xfe", By: knocker, Source: netip.PrefixFrom(knocker, 32), Argv: []string{"/bin/true"}, Undo: []string{},
			TTL: time.Hour, End: late(time.Hour),
		}},
		{Grant: &engine.Grant{
			ID: 6, Source: netip.MustParsePrefix("2001:db8::/64"), Port: packet.Port{Proto: packet.UDP, Number: 51820},
			TTL: 24 * time.Hour, End: late(24 * time.Hour),
		}},
		{Script: "lib/spa.lua", Source: knocker, Store: &engine.Put{PerSource: true, Key: "\x00\xff", Value: "s\xfe"}},
		value("+inf", math.Inf(1), time.Time{}), value("-inf", math.Inf(-1), time.Time{}), value("empty", "", time.Time{}),
		value("false", false, late(time.Minute)),
	}
	rest := []engine.Record{
		value("nan", math.NaN(), time.Time{}), value("negative zero", math.Copysign(0, -1), time.Time{}),
		value("number", 0.1, time.Time{}), value("short", "x", late(time.Second)), value("true", true, time.Time{}),
		{Consumed: &engine.Consumed{File: "/etc/once", Line: "7000,8000"}}, {Consumed: &engine.Consumed{File: "/etc/\xff", Line: "1,\xfe"}},
	}
	join := func(parts ...[]engine.Record) (all []engine.Record) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, want := range map[string][]engine.Record{
		"version1-appended.journal":  join(common, rest),
		"version1-rewritten.journal": join(common, []engine.Record{value("last", 1.0, time.Time{})}, rest),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, journalName), version1(t, name), 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, dir)
			for i := range 2 { // the second time it was written by this program
				got := recovered(t, d, late(0))
				if diff := cmp.Diff(want, got.Records, sameRecords); diff != "" {
					t.Errorf("start %d: records (-want +got):\n%s", i+1, diff)
				}
				if len(got.Warnings) != 0 {
					t.Errorf("start %d: %v", i+1, got.Warnings)
				}
				d.Close()
				d = open(t, dir)
			}
		})
	}
}

func TestASavedSetOfVersion1IsRead(t *testing.T) {
	got, err := parseSaved(version1(t, "version1.set"))
	if err != nil {
		t.Fatal(err)
	}
	want := Saved{
		Name: "ssh.lua", Base: "/etc/sesame/\xff",
		Files: []wire.File{
			{Path: "ssh.lua", Source: []byte("sesame.door \"ssh\" {}\n\xff\x00")}, {Path: "lib/hours.lua", Source: []byte("return <&>")},
			{Path: "/etc/knockd.conf", Source: []byte("[options]\n")}, {Path: "/var/lib/once", Source: []byte{}},
		},
		Values: map[string]string{"port": "22", "b\xff": ""},
		Guards: []packet.Port{{Proto: packet.TCP, Number: 22}, {Proto: packet.UDP, Number: 53}},
		At:     monday.Add(time.Nanosecond), Mark: 0x5e5a, TrustedInterfaces: []string{"wg0"},
		Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")},
	}
	if diff := cmp.Diff(want, got, sameRecords); diff != "" {
		t.Errorf("the set (-want +got):\n%s", diff)
	}
}
