//go:build linux

package privileged

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sesame/scripting/source"
)

// messages has one of each kind.
func messages() map[string]message {
	return map[string]message{
		"hello":  {kind: kindHello, version: 1},
		"read":   {kind: kindRead, id: 1},
		"run":    {kind: kindRun, id: 300, hash: hash{1, 2}, door: "ssh", source: netip.MustParsePrefix("203.0.113.9/32"), grant: 7, values: map[string]string{"level": "low", "source": "203.0.113.9"}},
		"undo":   {kind: kindUndo, id: 1 << 63, hash: hash{31: 9}},
		"mark":   {kind: kindComment, id: 2, file: "/etc/once", line: "1,2,3"},
		"cancel": {kind: kindCancel, id: 3},
		"claim":  {kind: kindClaim, hashes: []hash{{1}, {2}}},
		"settle": {kind: kindSettle},
		"runs":   {kind: kindApplied, hash: hash{5}},
		"tries":  {kind: kindTried, hash: hash{6}},
		"there":  {kind: kindReadAt, id: 8, file: "/etc/sesame/new"},
		"set":    {kind: kindSet, id: 4, hash: hash{6}, text: "the scripts do not load"},
		"failed": {kind: kindDone, id: 5, outcome: outcomeFailed, status: 3, text: "running /a: exit status 3", output: "no\n", lost: 9},
		"hung":   {kind: kindDone, id: 5, outcome: outcomeHung, status: -1},
		"change": {kind: kindChanged},
		"open":   {kind: kindOpen, id: 6, file: "captures/a.pcap"},
		"file":   {kind: kindFile, id: 6},
		"none":   {kind: kindDone, id: 6, outcome: outcomeMissing, status: -1},
		"unran":  {kind: kindFailed, door: "a", line: "/x", text: "no"},
	}
}

var (
	unexported = cmp.AllowUnexported(message{}, manifest{}, declared{}, namedFile{}, archive{})
	cmpEmpty   = cmpopts.EquateEmpty()
	cmpSorted  = cmpopts.SortSlices(func(a, b string) bool { return a < b })
)

func TestMessagesComeBack(t *testing.T) {
	for name, m := range messages() {
		t.Run(name, func(t *testing.T) {
			b, err := m.encode()
			must(t, err)
			got, err := decodeMessage(b)
			if diff := cmp.Diff(m, got, unexported, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			for n := range b {
				if cut, err := decodeMessage(b[:n]); err == nil {
					t.Errorf("its first %d bytes are a message too: %+v", n, cut)
				}
			}
			if _, err := decodeMessage(append(b, 0)); err == nil {
				t.Error("a byte behind it is taken")
			}
		})
	}
}

func TestMessagesThatAreNone(t *testing.T) {
	long := strings.Repeat("x", maxMessage)
	for _, tt := range []struct {
		name, want string
		m          message
	}{
		{"no kind", "the kind 0: expected 1 to 18", message{}},
		{"another kind", "the number 19: at most 18", message{kind: kindTried + 1}},
		{"no id", "the id 0: ids begin at 1", message{kind: kindRead}},
		{"a version", "the number 65536: at most 65535", message{kind: kindHello, version: 1 << 16}},
		{"a door", "the number 1025: at most 1024", message{kind: kindRun, id: 1, door: long[:maxName+1]}},
		{"a value", "the number 257: at most 256", message{kind: kindRun, id: 1, values: map[string]string{"a": long[:maxValue+1]}}},
		{"a file", "the number 4097: at most 4096", message{kind: kindComment, id: 1, file: long[:maxPath+1]}},
		{"a file to open", "the number 4097: at most 4096", message{kind: kindOpen, id: 1, file: long[:maxPath+1]}},
		{"no id of a file", "the id 0: ids begin at 1", message{kind: kindFile}},
		{"a line", "the number 4096: at most 4095", message{kind: kindComment, id: 1, line: long[:maxLine+1]}},
		{"claims", "the number 1025: at most 1024", message{kind: kindClaim, hashes: make([]hash, maxClaims+1)}},
		{"an outcome", "the number 7: at most 6", message{kind: kindDone, id: 1, outcome: outcomeMissing + 1}},
		{"a status", "the number 257: at most 256", message{kind: kindDone, id: 1, status: 256}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.m.encode()
			if err == nil || err.Error() != "writing a message: "+tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	for _, tt := range []struct{ name, bytes, want string }{
		{"nothing", "", "it ends early"},
		{"a number with too many bytes", "\x81\x00", "a number has more bytes than it needs"},
		{"a number without an end", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "it ends early"},
		{"half a hash", "\x04\x01abc", "it ends early"},
		{"a text that is not there", "\x05\x01\x0aabc", "it ends early"},
		{"claims that are not there", "\x07\x05", "it ends early"},
		{"a network in another form", "\x03\x01" + strings.Repeat("h", 32) + "\x00\x0a10.0.0.1/8", `the network "10.0.0.1/8" is not in its usual form`},
		{"names out of order", "\x03\x01" + strings.Repeat("h", 32) + "\x00\x00\x00\x02\x01b\x00\x01a\x00", "names are not in order"},
		{"a name twice", "\x03\x01" + strings.Repeat("h", 32) + "\x00\x00\x00\x02\x01b\x00\x01b\x00", "names are not in order"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := decodeMessage([]byte(tt.bytes)); err == nil || err.Error() != "reading a message: "+tt.want {
				t.Errorf("got %+v, %v: want %s", m, err, tt.want)
			}
		})
	}
}

// TestManifestsAndArchivesComeBack writes and reads random ones.
func TestManifestsAndArchivesComeBack(t *testing.T) {
	short := rapid.StringN(0, 8, 20)
	texts := rapid.SliceOfN(short, 0, 3)
	command := rapid.Custom(func(t *rapid.T) declared {
		d := declared{
			argv: rapid.SliceOfN(short, 1, 3).Draw(t, "argv"), timeout: time.Duration(rapid.Int64Range(1, int64(maxTimeout)).Draw(t, "timeout")),
			anyStatus: rapid.Bool().Draw(t, "any"), choices: rapid.MapOfN(short, texts, 0, 3).Draw(t, "choices"),
		}
		if rapid.Bool().Draw(t, "has an undo") {
			d.undo = rapid.SliceOfN(short, 1, 3).Draw(t, "undo")
		}
		return d
	})
	rapid.Check(t, func(t *rapid.T) {
		m := manifest{
			problem: short.Draw(t, "problem"), missing: texts.Draw(t, "missing"), doors: texts.Draw(t, "doors"),
			files:    rapid.SliceOfN(rapid.Custom(func(t *rapid.T) namedFile { return namedFile{short.Draw(t, "path"), rapid.Bool().Draw(t, "once")} }), 0, 3).Draw(t, "files"),
			commands: rapid.SliceOfN(command, 0, 3).Draw(t, "commands"),
		}
		b, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeManifest(b)
		if diff := cmp.Diff(m, got, unexported, cmpEmpty); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		a := archive{dir: short.Draw(t, "dir"), base: short.Draw(t, "base"), single: short.Draw(t, "single"), settings: rapid.MapOfN(short, short, 0, 3).Draw(t, "settings"), lists: texts.Draw(t, "lists")}
		for range rapid.IntRange(0, 3).Draw(t, "files") {
			a.stored = append(a.stored, source.Stored{Path: short.Draw(t, "path"), Source: []byte(short.Draw(t, "text")), Failed: short.Draw(t, "failed"), Warning: short.Draw(t, "warning")})
		}
		var w bytes.Buffer
		if _, err := a.write(&w); err != nil {
			t.Fatal(err)
		}
		again, err := readArchive(w.Bytes())
		if diff := cmp.Diff(a, again, unexported, cmpEmpty); err != nil || diff != "" {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// FuzzMessage reads what a daemon that was taken over may send. What can be read is written to the
// same bytes again.
func FuzzMessage(f *testing.F) {
	for _, m := range messages() {
		b, err := m.encode()
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil || len(b) > maxMessage {
			return
		}
		if again, err := m.encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is read as %+v, and written as %x, %v", b, m, again, err)
		}
	})
}

// FuzzManifest reads what a loader that a script has taken over may write.
func FuzzManifest(f *testing.F) {
	m := manifest{
		missing: []string{"/a"}, files: []namedFile{{"/b", true}}, doors: []string{"ssh"},
		commands: []declared{{argv: []string{"/c", "{source}"}, undo: []string{"/d"}, timeout: time.Second, choices: map[string][]string{"x": {"y", "z"}}}},
	}
	b, err := m.encode()
	must(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		if again, err := m.encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is read as %+v, and written as %x, %v", b, m, again, err)
		}
		for i := range m.commands {
			_, _, _ = m.commands[i].fill(map[string]string{"source": "203.0.113.9", "x": "y"}, func(string) bool { return true })
		}
	})
}

func FuzzArchive(f *testing.F) {
	a := archive{dir: "/d", base: "/d", settings: map[string]string{"a": "b"}, lists: []string{"a"}, stored: []source.Stored{{Path: "a.lua", Source: []byte("x")}, {Path: "/l", Failed: "no"}}}
	var w bytes.Buffer
	_, err := a.write(&w)
	must(f, err)
	f.Add(w.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := readArchive(b)
		if err != nil {
			return
		}
		var w bytes.Buffer
		if _, err := a.write(&w); err != nil || !bytes.Equal(w.Bytes(), b) {
			t.Errorf("%x is read as %+v, and written as %x, %v", b, a, w.Bytes(), err)
		}
	})
}
