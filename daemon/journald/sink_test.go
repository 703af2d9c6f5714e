package journald

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// entries collects what a log writes, one entry for each Write.
type entries struct {
	*testing.T
	all [][]Field
}

func (e *entries) Write(entry []byte) (int, error) {
	fields, err := Parse(entry)
	if err != nil {
		e.Errorf("%q: %v", entry, err)
	}
	e.all = append(e.all, fields)
	return len(entry), nil
}

func TestLinesAreEntries(t *testing.T) {
	for _, tt := range []struct {
		name string
		log  func(hclog.Logger)
		want []Field
	}{
		{"an event", func(l hclog.Logger) {
			l.Info("access opened", "door", "ssh", "source", "203.0.113.9", "port", "tcp/22", "grant", uint64(7), "ttl", "30s")
		}, []Field{
			{"PRIORITY", "6"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", "[INFO]  access opened: door=ssh source=203.0.113.9 port=tcp/22 grant=7 ttl=30s"},
			{"EVENT", "allow"}, {"DOOR", "ssh"}, {"SOURCE", "203.0.113.9"}, {"PORT", "tcp/22"}, {"GRANT", "7"}, {"SESAME_TTL", "30s"},
		}},
		{"a list", func(l hclog.Logger) { l.Warn("listening", "Interfaces-1", []string{"eth0", "wlan0"}) }, []Field{
			{"PRIORITY", "4"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", `[WARN]  listening: Interfaces-1=["eth0", "wlan0"]`},
			{"SESAME_INTERFACES_1", "eth0, wlan0"},
		}},
		{"an error of two lines, and what controls a terminal", func(l hclog.Logger) {
			l.Error("failed", "error", errors.New("a.lua:1: \x1b[2Jno\nb.lua:2: no"))
		}, []Field{
			{"PRIORITY", "3"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", "[ERROR] failed:\n  error=\n  | a.lua:1: \\x1b[2Jno\n  | b.lua:2: no"},
			{"SESAME_ERROR", "a.lua:1: \uFFFD[2Jno\nb.lua:2: no"},
		}},
		{"a name, and pairs that are given once", func(l hclog.Logger) { l.Named("helper").With("reason", "end").Info("miss") }, []Field{
			{"PRIORITY", "6"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", "[INFO]  helper: miss: reason=end"}, {"EVENT", "miss"}, {"REASON", "end"},
		}},
		{"values that are empty, and no value", func(l hclog.Logger) { l.Info("access closed", "door", "", "grant", 1, "last") }, []Field{
			{"PRIORITY", "6"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", `[INFO]  access closed: door="" grant=1 EXTRA_VALUE_AT_END=last`}, {"EVENT", "close"}, {"GRANT", "1"},
		}},
		{"debug", func(l hclog.Logger) { l.Debug("stage"); l.Trace("never told") }, []Field{
			{"PRIORITY", "7"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", "[DEBUG] stage"}, {"EVENT", "stage"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := &entries{T: t}
			tt.log(NewLogger(got, hclog.Debug))
			if diff := cmp.Diff([][]Field{tt.want}, got.all); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	got := &entries{T: t}
	log := NewLogger(got, hclog.Warn)
	log.Info("never told")
	quiet := log.With()
	quiet.SetLevel(hclog.Error)
	log.Warn("told")
	if len(got.all) != 1 || log.IsInfo() || !log.IsWarn() {
		t.Errorf("%d entries: %v", len(got.all), got.all)
	}
	NewLogger(got, hclog.Off).Error("never told")
	if len(got.all) != 1 {
		t.Errorf("a log that is off has entries: %v", got.all[1:])
	}
}

func TestLostLines(t *testing.T) {
	got := &entries{T: t}
	_, _ = got.Write(Lost(3, nil))
	want := [][]Field{{{"PRIORITY", "4"}, {"SYSLOG_IDENTIFIER", "sesame"}, {"MESSAGE", "(3 lines were lost here)"}, {"SESAME_LOST", "3"}}}
	if diff := cmp.Diff(want, got.all); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// TestEntriesAreBounded has values of the largest size, one more, and more fields than an entry
// takes.
func TestEntriesAreBounded(t *testing.T) {
	got := &entries{T: t}
	log := NewLogger(got, hclog.Info)
	whole, more := strings.Repeat("x", maxValue), strings.Repeat("ä", maxValue/2+1)
	log.Info("a", "door", whole, "source", more, "port", whole, "grant", whole, "reason", "short")
	fields := map[string]string{}
	for _, f := range got.all[0] {
		fields[f.Name] = f.Value
	}
	if fields["DOOR"] != whole {
		t.Errorf("a value of %d bytes is not whole", maxValue)
	}
	if text := fields["SOURCE"]; len(text) > maxValue || len(text) < maxValue-1 || !strings.HasPrefix(more, strings.TrimSuffix(text, cut)) || !strings.HasSuffix(text, cut) {
		t.Errorf("a longer one has %d bytes, and ends in %q", len(text), text[len(text)-8:])
	}
	if len(encode(got.all[0])) > maxEntry || fields["GRANT"] != "" || fields["REASON"] != "short" {
		t.Errorf("an entry has %d bytes: at most %d", len(encode(got.all[0])), maxEntry)
	}
	if name := fieldName("aAzZ09.[{@`/:"); name != "SESAME_AAZZ09_______" {
		t.Errorf("a key has the name %s", name)
	}
	if name := fieldName(strings.Repeat("n", 100)); len(name) != maxName {
		t.Errorf("a name has %d bytes", len(name))
	}
}

// TestEventsAreInTheSource compares the table of events with the messages that the program logs.
func TestEventsAreInTheSource(t *testing.T) {
	table, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	texts := ""
	for _, pattern := range []string{"../*.go", "../audit/*.go", "../effect/*.go"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(path, "_test.go") {
				texts += string(text)
			}
		}
	}
	begin, _, _ := strings.Cut(string(table), "return \"\"\n")
	_, cases, _ := strings.Cut(begin, "switch message {")
	messages := 0
	for line := range strings.Lines(cases) {
		if strings.Contains(line, "return") {
			continue
		}
		for _, quoted := range regexp.MustCompile(`"[^"]*"`).FindAllString(line, -1) {
			if messages++; !strings.Contains(texts, quoted) {
				t.Errorf("nobody logs %s", quoted)
			}
		}
	}
	if messages < 15 {
		t.Errorf("%d messages are in the table", messages)
	}

	t.Log("# and what these files log is an event, or known not to be one")
	others := []string{"no one-time sequence left: write new ones into the file", "access changed", "output of a command", "output of a failed command"}
	for _, path := range []string{"../effect/access.go", "../effect/exec.go", "../effect/log.go", "../report.go"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		logged := regexp.MustCompile(`\.(?:Info|Debug|Warn|warn|Log)\((?:level, |r\.faultLevel\(e\), )?"([^"]*)"`).FindAllStringSubmatch(string(text), -1)
		if logged == nil {
			t.Errorf("%s logs nothing", path)
		}
		for _, m := range logged {
			if summary := strings.Contains(string(text), `"`+m[1]+`", line...)`); eventOf(m[1]) == "" && !summary && !slices.Contains(others, m[1]) {
				t.Errorf("%s: %q has no event", path, m[1])
			}
		}
	}
}

func TestParse(t *testing.T) {
	for entry, want := range map[string]string{
		"": "", "A=b\n": "A=b", "A\n\x03\x00\x00\x00\x00\x00\x00\x00b\nc\n": "A=b\nc", "A=\nB==\n": "A= B==",
		"A": "", "A=b": "", "A\n\x03": "", "A\n\x03\x00\x00\x00\x00\x00\x00\x00bc\n": "", "A\n\x02\x00\x00\x00\x00\x00\x00\x00bcd\n": "",
		"A\n\xff\xff\xff\xff\xff\xff\xff\xffb\n": "",
	} {
		fields, err := Parse([]byte(entry))
		var got []string
		for _, f := range fields {
			got = append(got, f.Name+"="+f.Value)
		}
		if (err != nil) != (want == "" && entry != "") || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v", entry, got, err)
		}
	}
}

// FuzzEntry has values that strangers choose: each arrives as one value, whatever is in it.
func FuzzEntry(f *testing.F) {
	f.Add("door", "ssh", "a\nPRIORITY=0\n")
	f.Add("=", "\n", "\x00")
	f.Fuzz(func(t *testing.T, key, value, other string) {
		got := &entries{T: t}
		NewLogger(got, hclog.Info).Info("open", key, value, "last", other)
		if len(got.all) != 1 || len(got.all[0]) > 6 {
			t.Fatalf("%q", got.all)
		}
		for _, field := range got.all[0] {
			if !regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`).MatchString(field.Name) {
				t.Errorf("a field has the name %q", field.Name)
			}
		}
		_, _ = Parse([]byte(value))
		_ = line([]byte(value))
	})
}

func BenchmarkLine(b *testing.B) {
	log := NewLogger(io.Discard, hclog.Info)
	for b.Loop() {
		log.Info("access opened", "door", "ssh", "source", "203.0.113.9", "port", "tcp/22", "grant", uint64(7), "ttl", "30s")
	}
}
