package transcript

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// TestANewEffectIsWritten writes an effect that this package does not know by name. All
// writers bear it, and those of the contract show it.
func TestANewEffectIsWritten(t *testing.T) {
	for _, test := range []struct {
		event      engine.Event
		json, text string
	}{
		{engine.Event{Kind: engine.EventEffect, Effect: engine.EffectTest, Door: "ssh", Source: tom, Detail: "hello"},
			`"event":"effect","door":"ssh","source":"203.0.113.9","effect":"test","detail":"hello"}`, "test: hello"},
		{engine.Event{Kind: engine.EventFailed, Effect: engine.EffectTest, Door: "ssh", Source: tom, Detail: "no route"},
			`"event":"failed","door":"ssh","source":"203.0.113.9","effect":"test","detail":"no route"}`, "test failed: no route"},
	} {
		test.event.Time = noon
		var out, lines, log bytes.Buffer
		for _, w := range []interface {
			Events([]engine.Event)
			Flush() error
		}{NewText(&out, TextOptions{}), NewJSON(&lines), NewKnockd(&log, KnockdOptions{})} {
			w.Events([]engine.Event{test.event})
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasSuffix(strings.TrimSpace(lines.String()), test.json) || !json.Valid(lines.Bytes()) {
			t.Errorf("JSON %s, want it to end with %s", &lines, test.json)
		}
		if !strings.HasSuffix(strings.TrimSpace(out.String()), test.text) {
			t.Errorf("text %s, want it to end with %s", &out, test.text)
		}
		if log.Len() > 0 {
			t.Errorf("knockd has no line for it, and %q was written", &log)
		}
	}
}

// TestTemplates: no effect that is shown leaves a field in its line that nobody filled.
func TestTemplates(t *testing.T) {
	for e := engine.Effect(1); int(e) < engine.Effects; e++ {
		event := engine.Event{Kind: engine.EventEffect, Effect: e, Time: noon}
		for _, argv := range [][]string{nil, {"/bin/true"}} {
			for _, grant := range []uint64{0, 1} {
				event.Argv, event.Grant = argv, grant
				if text := describe(&event); strings.ContainsAny(text, "{}") || event.Shown() && text == "" {
					t.Errorf("effect %s reads %q", e.Name(), text)
				}
			}
		}
	}
}

// TestTheDocumentKnowsEachName compares docs/transcript.md with the reasons, the drops and the
// effects that there are.
func TestTheDocumentKnowsEachName(t *testing.T) {
	const document = "../../docs/transcript.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	declared := reasons(t)
	for d := packet.NotDropped + 1; d < packet.Drops; d++ {
		declared["dropped"] = append(declared["dropped"], d.String())
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| (reason of a \w+|dropped) \| (.*) \|$`).FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			rows[row[1]] = append(rows[row[1]], name[1])
		}
	}
	for key, names := range declared {
		slices.Sort(names)
		slices.Sort(rows[key])
		if !slices.Equal(names, rows[key]) {
			t.Errorf("%s: %s has %q, and the program %q", document, key, rows[key], names)
		}
	}
	if len(rows) != len(declared) {
		t.Errorf("%s has %d rows of names, want %d", document, len(rows), len(declared))
	}
	for e := engine.Effect(1); e < engine.EffectTest; e++ {
		if name := e.Name(); e != engine.EffectPersist && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s does not know the effect %s", document, name)
		}
	}
}

// reasons returns the reasons that the engine declares, by "reason of a miss" and so on: the
// comment on each block of constants in reason.go names the kind of event.
func reasons(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../engine/reason.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		kind := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(block.Doc.Text()), "The reasons of a "), ".")
		for _, s := range block.Specs {
			name, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			all["reason of a "+kind] = append(all["reason of a "+kind], name)
		}
	}
	return all
}
