package reference_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/reference"
)

// TestFind holds which entries a name finds: whole names one alone, parts all that they may mean.
func TestFind(t *testing.T) {
	r := reference.New(reference.Whole())
	for _, tt := range []struct {
		name string
		want []string
	}{
		{"sesame.door", []string{"sesame.door"}},
		{"attempt.allow", []string{"attempt:allow"}},
		{"attempt:allow", []string{"attempt:allow"}},
		{"attempt:allow()", []string{"attempt:allow"}},
		{"allow", []string{"attempt:allow, knock:allow"}},
		{"allow.ttl", []string{"ttl of attempt:allow, ttl of knock:allow"}},
		{"sesame.door.ttl", []string{"ttl of sesame.door"}},
		{"sesame.ttl", []string{"ttl of sesame.door, ttl of sesame.listen", "ttl of sesame.command", "ttl of allows in sesame.test"}},
		{"door.within", []string{"within of sesame.door"}},
		{"ttl", []string{"ttl of sesame.door, ttl of sesame.listen", "ttl of sesame.command", "ttl of attempt:allow, ttl of knock:allow",
			"ttl of attempt:exec, ttl of knock:exec, ttl of grant:exec, ttl of timer:exec", "ttl of allows in sesame.test"}},
		{"knock", []string{"knock", "knock in sesame.test", "knock of step in sesame.test"}},
		{"test", []string{"sesame.test"}},
		{"sesame.test.step", []string{"step in sesame.test"}},
		{"step.opens", []string{"opens of step in sesame.test"}},
		{"store", []string{"store", "sesame.store", "attempt.store, knock.store, grant.store, timer.store"}},
		{"sesame", []string{"sesame"}},
		{"nothing", nil},
		{"door.nothing", nil},
		{"ttl.door", nil},
		{"", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, e := range r.Find(tt.name) {
				got = append(got, strings.Join(e.Names, ", "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}

// TestEveryNameIsFound holds that each name that is offered leads to an entry, which has the name,
// and whose lines fit a terminal.
func TestEveryNameIsFound(t *testing.T) {
	r := reference.New(reference.Whole())
	names := r.Names()
	if len(names) < 200 {
		t.Fatalf("found %d names: expected those of all objects, members and options", len(names))
	}
	for _, name := range names {
		entries := r.Find(name)
		if len(entries) == 0 {
			t.Errorf("%s is offered, and finds nothing", name)
		}
		for _, e := range entries {
			text := e.String()
			if !strings.Contains(text, name[strings.LastIndex(name, ".")+1:]) {
				t.Errorf("the entry of %s does not name it:\n%s", name, text)
			}
			for line := range strings.Lines(text) {
				if len(line) > 81 && !strings.HasPrefix(line, "      ") {
					t.Errorf("%s: a line of %d columns: %s", name, len(line), line)
				}
			}
		}
	}
}

// A name in the name of another: each of its words is used once.
func TestAWordThatComesTwice(t *testing.T) {
	r := reference.New(reference.API{
		Objects: api(scripting.Member{Name: "test", Type: "{}"}).Objects,
		Tables:  []scripting.Table{{Name: "run", Options: []scripting.Option{{Name: "run", Type: "a name"}}}},
	})
	if found := r.Find("sesame.run"); len(found) != 2 {
		t.Errorf("found %+v", found)
	}
}

func TestNearest(t *testing.T) {
	r := reference.New(reference.Whole())
	for name, want := range map[string]string{
		"sesame.windo":  `: did you mean "sesame.window"?`,
		"attempt:alow":  `: did you mean "attempt.allow"?`,
		"gaurds":        `: did you mean "guards"?`,
		"quite another": "",
	} {
		if got := r.Nearest(name); got != want {
			t.Errorf("%s: got %q, expected %q", name, got, want)
		}
	}
}
