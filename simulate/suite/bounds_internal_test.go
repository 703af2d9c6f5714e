package suite

import (
	"fmt"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/scripting/spec"
)

// TestLines counts what is beyond the bound of a list.
func TestLines(t *testing.T) {
	all := strings.Split(strings.Repeat("x ", mostLines), " ")[:mostLines]
	if got := lines(all); got != strings.Join(all, "\n") {
		t.Errorf("as many as can be: %q", got)
	}
	if got := lines(append(all, "y", "y")); got != strings.Join(all, "\n")+"\n-- and 2 more" {
		t.Errorf("two more: %q", got)
	}
}

// TestMostFailures: a test notes so many failures, and is a failure in any case.
func TestMostFailures(t *testing.T) {
	r := &running{}
	for i := range mostFailures + 2 {
		r.fail(Failure{Message: fmt.Sprint(i), Explanation: []string{fmt.Sprint(i)}})
	}
	if n := len(r.result.Failures); n != mostFailures || r.result.Outcome != Failed {
		t.Errorf("%d failures, want %d", n, mostFailures)
	}
}

// TestALongGolden: a transcript that is too long is an error, and does not grow any more.
func TestALongGolden(t *testing.T) {
	g := newGolden(nil)
	g.text.WriteString(strings.Repeat("x", maxGolden))
	add := func() int {
		g.events([]engine.Event{{Kind: engine.EventOpen, Door: "ssh"}})
		if err := g.json.Flush(); err != nil {
			t.Fatal(err)
		}
		return g.text.Len()
	}
	long := add()
	if again := add(); long <= maxGolden || again != long {
		t.Errorf("%d bytes, then %d", long, again)
	}
	r := &running{golden: g, step: &spec.Step{Golden: "x.jsonl"}, config: &Config{Dir: t.TempDir()}}
	if err := r.compareGolden(transcript.Summary{}); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("error %v", err)
	}
}
