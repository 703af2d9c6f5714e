package state

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

func savedSample() Saved {
	return Saved{
		Name:   "ssh.lua",
		Files:  []wire.File{{Path: "ssh.lua", Source: []byte("sesame.door \"ssh\" {}\n\xff\x00")}, {Path: "lib/hours.lua", Source: []byte("return <&>")}},
		Values: map[string]string{"port": "22", "b\xff": ""},
		Guards: []packet.Port{{Proto: packet.TCP, Number: 22}, {Proto: packet.UDP, Number: 53}},
		At:     monday,
		From:   "/srv/new\xff",
		Held:   &Held{Running: true, Why: "trial", From: "/srv/new", At: monday},
	}
}

func TestTheLastGoodSet(t *testing.T) {
	d := open(t, t.TempDir())
	if got, ok, err := d.LastGood(); ok || err != nil {
		t.Fatalf("a new directory has %v, %v", got, err)
	}
	first := savedSample()
	for _, want := range []Saved{first, {At: monday, Base: "/srv/scripts", Files: []wire.File{{Path: "a.lua", Source: []byte("a")}, {Path: "/etc/knockd.conf", Source: []byte("[a]")}}}} {
		if err := d.SaveSet(want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := d.LastGood()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("saved set (-want +got):\n%s", diff)
		}
	}
	// The next cannot be written, so the last stays.
	d.disk.write = func(f *os.File, b []byte, at int64) error { return syscall.ENOSPC }
	if err := d.SaveSet(first); err == nil {
		t.Error("saved on a full disk")
	}
	if got, ok, err := d.LastGood(); !ok || got.Files[0].Path != "a.lua" {
		t.Errorf("left is %v, %v", got, err)
	}
}

// A set is written as encoding/json would write it, and a long text of it is in memory once.
func TestALongSet(t *testing.T) {
	const size = 16 << 20
	escaped, list := bytes.Repeat([]byte("192.0.2.0/24 # <é> \"\u2028\n"), 1000), bytes.Repeat([]byte("192.0.2.0/24 # a net\n"), size/21)
	for _, files := range [][]wire.File{nil, savedSample().Files, {{Path: "\"files\":null", Source: escaped}, {Path: "/b", Source: []byte{}}}, {{Path: "/c", Source: list}}} {
		s := savedSample()
		s.Files = files
		if files == nil {
			s.Files = []wire.File{}
		}
		w := savedJSON{Saved: &s, Guards: []string{"tcp/22"}}
		want, err := appendLine(nil, header{What: setWhat, Version: SetVersion})
		if err == nil {
			want, err = appendLine(want, w)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.content()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d files: %.300q, want %.300q, %v", len(files), got, want, err)
		}
		// The buffer was made once, with room for all.
		if room := cap(got) - len(got); len(got) > size && room > len(got)/8 {
			t.Errorf("a buffer of %d bytes for a file of %d", cap(got), len(got))
		}
	}
}

func TestADamagedSetIsNone(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.SaveSet(savedSample()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.path, setName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	look := func(what string, content []byte) {
		t.Helper()
		if _, err := parseSaved(content); err == nil {
			t.Errorf("%s: it was read", what)
		}
		if what == "cut" && len(content)%50 != 0 || what == "damaged" {
			return
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := d.LastGood(); ok || err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, %v, %v", what, got, ok, err)
		}
	}
	for i := range content {
		look("cut", content[:i])
		if c := content[i]; c < 'a' || 'f' < c { // the checksum may be of capitals too
			look("damaged", append(append(bytes.Clone(content[:i]), content[i]^0x20), content[i+1:]...))
		}
	}
	for _, second := range []string{"7", "null", `"files"`, "[]"} {
		look("of "+second, journalOf(`{"what":"sesame script set","version":1}`, second))
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := d.LastGood(); ok || err == nil {
		t.Errorf("of a directory: %v, %v", ok, err)
	}
}

// What a newer version saved in a form that is not known is read on the side that lets nobody in by
// mistake, and locks nobody out whose network can be read.
func TestFormsOfANewerVersionInASet(t *testing.T) {
	guest, lan := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")
	for _, tt := range []struct {
		text    string
		held    *Held
		trusted []netip.Prefix
		newer   string
	}{
		{`"held":{"why":"trial","running":"since noon"}`, &Held{Why: "return"}, nil, "held"},
		{`"held":5,"trusted":["192.0.2.0/24"]`, &Held{Why: "return"}, []netip.Prefix{guest}, "held"},
		{`"held":null,"trusted":["192.0.2.0/24","sip:home",{"net":1},"","2001:db8::/32"]`, nil, []netip.Prefix{guest, lan}, `the trusted network "sip:home", the trusted network {"net":1}, the trusted network ""`},
		{`"trusted":{"lan":1}`, nil, nil, "trusted"},
	} {
		s, err := parseSaved(journalOf(`{"what":"sesame script set","version":1}`, `{"files":[],`+tt.text+`}`))
		if err != nil || !strings.HasSuffix(s.Newer, "does not read all of it: "+tt.newer) {
			t.Errorf("%s: %q, %v", tt.text, s.Newer, err)
		}
		if diff := cmp.Diff(tt.held, s.Held) + cmp.Diff(tt.trusted, s.Trusted, sameRecords); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

// Of a set that a newer version saved, all counts that this one understands.
func TestASetOfANewerVersion(t *testing.T) {
	const known = `"name":"ssh.lua","files":[{"path":"ssh.lua","source":"x"}],"at":"2026-06-01T12:00:00Z","mark":7`
	ssh, dns := packet.Port{Proto: packet.TCP, Number: 22}, packet.Port{Proto: packet.UDP, Number: 53}
	for _, tt := range []struct {
		name, header, text string
		newer              string
		files              int
		guards             []packet.Port
	}{
		{"a higher version", `"version":2`, `{` + known + `,"guards":["tcp/22","udp/53"],"zone":{"a":1}}`, "has version 2, and this sesame writes version 1", 1, []packet.Port{ssh, dns}},
		{"another port", `"version":1`, `{` + known + `,"guards":["tcp/22","sctp/7",{"port":5},"udp/53"]}`, `does not read all of it: the guarded port "sctp/7", the guarded port {"port":5}`, 1, []packet.Port{ssh, dns}},
		{"another form of ports", `"version":2`, `{` + known + `,"guards":{"tcp":[22]}}`, "does not read all of it: guards", 1, nil},
		{"another form of files", `"version":2`, `{"files":"see elsewhere","held":5,"guards":["tcp/22"],"name":"x"}`, "does not read all of it: files, held", 0, []packet.Port{ssh}},
		{"an unknown member", `"version":1`, `{` + known + `,"guards":["tcp/22"],"zone":[]}`, "", 1, []packet.Port{ssh}},
	} {
		d := open(t, t.TempDir())
		content := journalOf(`{"what":"sesame script set",`+tt.header+`}`, tt.text)
		if err := os.WriteFile(filepath.Join(d.path, setName), content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, ok, err := d.LastGood()
		if !ok || err != nil || len(got.Files) != tt.files || !slices.Equal(got.Guards, tt.guards) || tt.files > 0 && (got.Name != "ssh.lua" || got.Mark != 7) {
			t.Errorf("%s: %+v, %v, %v", tt.name, got, ok, err)
		}
		if !strings.Contains(got.Newer, tt.newer) || (got.Newer == "") != (tt.newer == "") || tt.newer != "" && !strings.HasPrefix(got.Newer, d.path+"/set ") {
			t.Errorf("%s: %q", tt.name, got.Newer)
		}
	}
}

// FuzzSaved reads any bytes as a saved set: an error or a set, whose guards are ports.
func FuzzSaved(f *testing.F) {
	f.Add([]byte(`{"name":"ssh.lua","files":[{"path":"a","source":"x"}],"guards":["tcp/22",7],"held":{"why":"trial"}}`))
	f.Add([]byte(`{"files":5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSaved(journalOf(`{"what":"sesame script set","version":1}`, string(text)))
		if err != nil {
			return
		}
		for _, port := range s.Guards {
			if _, err := packet.ParsePort(port.String()); err != nil {
				t.Errorf("%v: %v", port, err)
			}
		}
	})
}

func TestThatTheClockWasSynchronisedIsKept(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if d.ClockWasSynchronised() {
		t.Error("a new directory knows of a synchronised clock")
	}
	for range 2 {
		if err := d.NoteClockSynchronised(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, dir)
	if !d.ClockWasSynchronised() {
		t.Error("the next start does not know it")
	}
	t.Log("# and so does a directory that is made again")
	recovered(t, d, monday)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	d, err := d.Renew()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if !d.ClockWasSynchronised() {
		t.Error("the directory that was made again does not know it")
	}
}
