package daemon

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logtest"
	"sesame/scripting"
	"sesame/scripting/source"
)

// TestWarnOfCharacters: the log names what a web page put into scripts and a knockd.conf, and says
// no more than some lines of it.
func TestWarnOfCharacters(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/knockd.conf", "[a]\nsequence = 30,10,20\ntcpflags = syn\ncommand = x –dport 22\nstop_command = y\n# sesame:allow knockd as it is meant\n[b]\n"+
		"one_time_sequences = "+dir+"/once\n# sesame:allow knockd as it is meant\ncommand = x –sport 22\n")
	writeFile(t, dir+"/once", "1,2\n7，8\n")
	writeFile(t, dir+"/a.lua", "-- \u202e\nsesame.knockd \""+dir+"/knockd.conf\"\n"+`local x = sesame.command { "/bin/x", "“a”" } -- sesame:allow character it is quoted`)
	files, err := source.Read(dir)
	must(t, err)
	set, err := scripting.Load(files, scripting.Options{})
	must(t, err)
	defer set.Close()

	var log logtest.Buffer
	d := &daemon{config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: &log, JSONFormat: true})}}
	d.warnOfCharacters(set)
	var got []string
	for line := range strings.Lines(log.String()) {
		_, text, _ := strings.Cut(line, `"text":"`)
		got = append(got, strings.SplitN(text, " ", 2)[0])
	}
	want := []string{`\"7，8\"`, `\"–dport\"`, `\"\\u202e\"`}
	if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
		t.Errorf("got %q, want %q, of\n%s", got, want, log.String())
	}

	log.Reset()
	writeFile(t, dir+"/a.lua", `sesame.door "a" { sequence = { 8001, 7103, 9204 } }`+strings.Repeat("\n-- \u202e", 12))
	files, err = source.Read(dir)
	must(t, err)
	many, err := scripting.Load(files, scripting.Options{})
	must(t, err)
	defer many.Close()
	d.warnOfCharacters(many)
	if text := log.String(); strings.Count(text, "U+202E") != maxCharacters || !strings.Contains(text, `"more":2`) {
		t.Errorf("the log is\n%s", text)
	}
}
