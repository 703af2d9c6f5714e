package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/scripting/source"
	"sesame/scripting/spec"
	"sesame/simulate/suite"
	"sesame/simulate/suite/report"
)

func TestGitHub(t *testing.T) {
	want := `
::error file=scripts/ssh_test.lua,line=11,col=3,title=closes::came once, expected never%0Aexpected  opens ssh, source 203.0.113.9%0A          closes ssh%0Acame      refuses ssh%0A203.0.113.9  ssh  refused: iberia%0A203.0.113.9  ssh  within >= 9.1s: opens
::error file=scripts/ssh_test.lua,line=9,col=1,title=closes::no door "ssh"
::warning file=scripts/web_test.lua,line=1,col=1,title=from the field::skipped: captures/x.pcap is missing
::warning file=scripts/web_test.lua,line=5,col=1,title=late::not run: the time was over
::error file=scripts/ssh.lua,line=3,col=2,title=the scripts and tests do not load with x.toml::expected a port
::error title=the scripts and tests do not load with x.toml::no space
2 configurations, 2 files, 4 tests: 1 passed, 1 failed, 1 skipped, 1 not run; 1 configuration did not load
`
	if diff := cmp.Diff(want, "\n"+report.GitHub([]report.Run{four(), unloadable("x.toml")})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// failing is a run with one failure whose texts are drawn.
func failing(t *rapid.T) (r report.Run, name string, f suite.Failure) {
	name = rapid.String().Draw(t, "name")
	at := source.Place{File: rapid.String().Draw(t, "file"), Line: 7, Column: 2}
	f = suite.Failure{
		Place: at, Message: rapid.String().Draw(t, "message"), Came: rapid.String().Draw(t, "came"),
		Explanation: rapid.SliceOf(rapid.String()).Draw(t, "explanation"),
	}
	return report.Run{Dir: ".", Report: &suite.Report{Results: []suite.Result{
		{Test: &spec.Test{Name: name, Place: at}, Outcome: suite.Failed, Failures: []suite.Failure{f}},
	}}}, name, f
}

// Whatever names and messages have in them, an annotation is one line, and gives them back when it
// is read as GitHub reads it: cut at the first "::", at commas and at equals signs.
func TestAnAnnotationIsOneLine(t *testing.T) {
	back := strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
	rapid.Check(t, func(t *rapid.T) {
		r, name, f := failing(t)
		text := report.GitHub([]report.Run{r})
		line, rest, _ := strings.Cut(text, "\n")
		command, found := strings.CutPrefix(line, "::error ")
		properties, body, closed := strings.Cut(command, "::")
		if !found || !closed || strings.Count(rest, "\n") != 1 {
			t.Fatalf("no annotation and one line of totals:\n%s", text)
		}
		values := map[string]string{}
		for one := range strings.SplitSeq(properties, ",") {
			key, value, _ := strings.Cut(one, "=")
			values[key] = back.Replace(value)
		}
		if values["title"] != name || values["line"] != "7" || values["col"] != "2" {
			t.Fatalf("properties %q of %q", values, line)
		}
		if !strings.HasPrefix(back.Replace(body), f.Message) {
			t.Fatalf("message %q, want %q", back.Replace(body), f.Message)
		}
	})
}
