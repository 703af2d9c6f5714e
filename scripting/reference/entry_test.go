package reference_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/reference"
)

// api is a small API with each form of documentation.
func api(members ...scripting.Member) reference.API {
	return reference.API{Objects: []scripting.Object{{Name: "sesame", Doc: "The table.", Members: members}}}
}

func TestEntry(t *testing.T) {
	door := scripting.Member{Name: "door", Type: `"name" { options }`, Doc: "Makes a door. It is long: one two three four five six seven eight nine ten eleven.",
		Example: `sesame.door "a" {}`, Options: []scripting.Option{
			{Name: "ttl", Type: "duration", Default: `"30s"`, Doc: "How long `it` lasts."},
			{Name: "on", Type: "a port", Default: scripting.Required, Doc: "Where."},
			{Name: "mode", Type: "a name", Doc: "How."},
		}}
	r := reference.New(api(door))
	for name, want := range map[string]string{
		"sesame.door": `sesame.door "name" { options }
  Makes a door. It is long: one two three four five six seven eight nine ten
  eleven.

      sesame.door "a" {}

  ttl: duration; default: "30s"
      How long it lasts.

  on: a port; required
      Where.

  mode: a name
      How.
`,
		"ttl":    "ttl of sesame.door\n  Value: duration; default: \"30s\"\n  How long it lasts.\n",
		"sesame": "sesame\n  The table.\n\n  sesame.door         Makes a door.\n",
	} {
		if diff := cmp.Diff(want, r.Find(name)[0].String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLinesAreFull holds where lines are broken: at 80 columns, before a word that would pass them.
func TestLinesAreFull(t *testing.T) {
	word := strings.Repeat("x", 38)
	full, long := word+" "+word+".", strings.Repeat("y", 90)
	r := reference.New(api(
		scripting.Member{Name: "full", Type: "{}", Doc: full},
		scripting.Member{Name: "more", Type: "{}", Doc: word + " " + word + "x."},
		scripting.Member{Name: "long", Type: "{}", Doc: long},
		scripting.Member{Name: "thirteen_long", Type: "{}", Doc: "A."},
		scripting.Member{Name: "twelve_longs", Type: "{}", Doc: "A."},
	))
	for name, want := range map[string]string{
		"full": "sesame.full {}\n  " + full + "\n",
		"more": "sesame.more {}\n  " + word + "\n  " + word + "x.\n",
		"long": "sesame.long {}\n  " + long + "\n",
	} {
		if diff := cmp.Diff(want, r.Find(name)[0].String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if text := r.Overview(); !strings.Contains(text, "\n  sesame.thirteen_long\n                      A.\n  sesame.twelve_longs A.\n") {
		t.Errorf("overview:\n%s", text)
	}
}

// TestObjectsOfOneName holds that tables of two files are one object.
func TestObjectsOfOneName(t *testing.T) {
	both := api(scripting.Member{Name: "door", Type: "{}", Doc: "A."})
	both.Objects = append(both.Objects, api(scripting.Member{Name: "test", Type: "{}", Doc: "B."}).Objects...)
	r := reference.New(both)
	want := "sesame\n  The table.\n\n  sesame.door         A.\n  sesame.test         B.\n"
	if diff := cmp.Diff(want, r.Overview()); diff != "" {
		t.Errorf("overview (-want +got):\n%s", diff)
	}
}
