package scripting_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// A moon is a condition that only this test has. It holds while the day of the month has a digit.
type moon struct{ name, digit string }

func (m moon) MayHold(t time.Time) bool { return strings.Contains(t.Format("2"), m.digit) }
func (m moon) Name() string             { return m.name }
func (m moon) String() string           { return m.name + ": day with " + m.digit }

func (m moon) Check(c *engine.Call) (engine.Verdict, error) {
	if m.MayHold(c.Wall) {
		return engine.Verdict{Outcome: engine.Yes}, nil
	}
	return engine.Verdict{Condition: m.name, Detail: m.String()}, nil
}

// withMoon is the API with sesame.moon, as one line in the list would have it.
func withMoon() []scripting.Object {
	api := scripting.API()
	parse := func(text string) (any, error) {
		if len(text) != 1 {
			return nil, errors.New("expected one digit")
		}
		return text, nil
	}
	api[0].Members = append(api[0].Members, scripting.ConditionMember(condition.Kind{
		Name: "moon", Type: "{ options }", Doc: "Makes a condition that holds on some days.", Example: `local m = sesame.moon { digit = "2" }`,
		Options: []condition.Option{{Name: "digit", Type: "a digit", Required: true, Doc: "What the day must have.", Expected: `a digit such as "2"`, Parse: parse}},
		Build: func(name string, v condition.Values) (engine.Condition, error) {
			if v.Named["digit"] == "9" {
				return nil, errors.New("nine is too late")
			}
			return moon{name, v.Named["digit"].(string)}, nil
		},
	}))
	return api
}

// TestANewCondition: one declaration is all that a condition needs.
func TestANewCondition(t *testing.T) {
	load := func(text string) (*scripting.Set, error) {
		return scripting.LoadWith(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{}, withMoon())
	}
	const door = `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = WHEN }`
	t.Run("a script uses it", func(t *testing.T) {
		for when, want := range map[string][]string{
			`sesame.moon { digit = "2" }`:                                                   {"open a 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s"}, // it is the second
			`sesame.moon { digit = "3", name = "late" }`:                                    {"refuse a when late: day with 3"},
			`sesame.any { sesame.moon { digit = "3" }, function() return false, "no" end }`: {"refuse a when moon: day with 3 or no"},
		} {
			set, err := load(strings.Replace(door, "WHEN", when, 1))
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, set)
			w.knock(alice, "tcp/4", "tcp/2", "tcp/3", "tcp/1")
			w.want(want...)
		}
	})
	t.Run("a wrong one has its place", func(t *testing.T) {
		for script, want := range map[string]string{
			"local m = sesame.moon { digit = 3 }":                 `a.lua:1:33: digit: expected a digit such as "2", got the number 3`,
			`local m = sesame.moon { digit = "33" }`:              `a.lua:1:33: digit: expected one digit`,
			`local m = sesame.moon { digit = "9" }`:               `a.lua:1:11: sesame.moon: nine is too late`,
			`local m = sesame.moon { }`:                           `a.lua:1:11: sesame.moon: digit is missing: expected a digit`,
			`local m = sesame.moon { digit = "3", days = "mon" }`: `a.lua:1:38: unknown option "days" in sesame.moon: expected one of digit, name`,
			"local m = sesame.moon { 3 }\nlocal n = m.digit":      `a.lua:1:11: sesame.moon: expected options such as digit = ..., got an entry without a name`,
		} {
			_, err := load(script)
			problems, ok := err.(source.Problems)
			if !ok || problems[0].Error() != want {
				t.Errorf("%s\ngives %v\nwant  %s", script, err, want)
			}
		}
	})
	t.Run("its documentation is there", func(t *testing.T) {
		want := "- **sesame.moon** `{ options }`: Makes a condition that holds on some days.\n  `local m = sesame.moon { digit = \"2\" }`\n" +
			"  - `digit` (a digit, required): What the day must have.\n  - `name` (a name, default the variable's): Its name in reasons.\n"
		if got := scripting.Reference(t, withMoon()); !strings.Contains(got, want) {
			t.Errorf("the reference lacks\n%s", want)
		}
	})
	t.Run("lint knows when it may hold", func(t *testing.T) {
		for when, want := range map[string][]string{
			`{ sesame.moon { digit = "1" }, sesame.moon { digit = "2" } }`: {lint.NoWayBack, lint.SideBySide}, // on the 12th
			`{ sesame.moon { digit = "3" }, sesame.moon { digit = "4" } }`: {lint.NoWayBack, lint.SideBySide, lint.WindowNever},
		} {
			set, err := load(strings.Replace(door, "WHEN", when, 1))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range lint.Check(set) {
				got = append(got, f.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: findings (-want +got):\n%s", when, diff)
			}
			set.Close()
		}
	})
}

// withSky is the API with sesame.sky, whose options read files. A line is a word, and a word of
// another length than three is wrong.
func withSky() []scripting.Object {
	api := scripting.API()
	word := func(text string) (any, error) {
		if len(text) != 3 {
			return nil, fmt.Errorf("expected three letters, got %q", text)
		}
		return text, nil
	}
	words := func(_ string, text []byte) (any, error) {
		var errs []error
		for i, line := range strings.Fields(string(text)) {
			if _, err := word(line); err != nil {
				errs = append(errs, &condition.FileError{Line: i + 1, Message: err.Error()})
			}
		}
		return string(text), errors.Join(errs...)
	}
	api[0].Members = append(api[0].Members, scripting.ConditionMember(condition.Kind{
		Name: "sky", Type: "{ options }", Doc: "Is for tests.", Example: `local s = sesame.sky { file = "a" }`,
		Options: []condition.Option{
			{Name: "file", Type: "a path", ReadFile: words},
			{Name: "except", Type: "a word", Expected: `a word such as "sun"`, Parse: word, ReadFile: words},
		},
		Build: func(name string, v condition.Values) (engine.Condition, error) {
			return moon{name: name, digit: fmt.Sprint(v.Named["file"], v.Named["except"])}, nil
		},
	}))
	return api
}

func TestAnOptionThatReadsFiles(t *testing.T) {
	load := func(call string) (*scripting.Set, error) {
		return scripting.LoadWith(sourcetest.Files(map[string]string{
			"a.lua":           `sesame.door "a" { sequence = { 4, 2, 3, 1 }, guards = 22, when = sesame.sky ` + call + ` }`,
			"/srv/scripts/in": "sun\n", "/etc/other": "fog\n", "/etc/wrong": "sun\nmist\nsnow\n",
		}), scripting.Options{}, withSky())
	}
	for call, want := range map[string]string{
		`{ file = "in" }`:                                             "[sun\n] <nil>",
		`{ file = { "in", "/etc/other" } }`:                           "[sun\n fog\n] <nil>",
		`{ except = "sky" }`:                                          "<nil> [sky]",
		`{ except = { "sky", "ice" } }`:                               "<nil> [sky ice]",
		`{ except = { "sky", "ice", file = "in" } }`:                  "<nil> [sky ice sun\n]",
		`{ except = { file = { "in", "/etc/other" } } }`:              "<nil> [sun\n fog\n]",
		`{ file = "in", except = { file = "./../x/../scripts/in" } }`: "[sun\n] [sun\n]",
	} {
		set, err := load(call)
		if err != nil {
			t.Errorf("%s: %v", call, err)
			continue
		}
		if got := strings.TrimPrefix(set.Engine.Doors[0].When[0].String(), "sky: day with "); !sameWords(got, want) {
			t.Errorf("%s: read %q, want %q", call, got, want)
		}
		if len(set.Files) < 2 && strings.Contains(call, "file") {
			t.Errorf("%s: the set consists of %d files", call, len(set.Files))
		}
		set.Close()
	}
	for call, want := range map[string][]string{
		`{ file = "gone" }`:                    {`a.lua:1:86: file: reading /srv/scripts/gone: file does not exist`},
		`{ file = 4 }`:                         {`a.lua:1:86: file: expected a path such as "lists/office.txt", got the number 4`},
		`{ file = { "in", 5 } }`:               {`a.lua:1:94: file: expected a path such as "lists/office.txt", got the number 5`},
		`{ file = "/etc/wrong" }`:              {`/etc/wrong:2: expected three letters, got "mist"`, `/etc/wrong:3: expected three letters, got "snow"`, `a.lua:1:86: file: /etc/wrong cannot be used: see its line 2`},
		`{ except = { file = "/etc/wrong" } }`: {`/etc/wrong:2: expected three letters, got "mist"`, `/etc/wrong:3: expected three letters, got "snow"`, `a.lua:1:97: file: /etc/wrong cannot be used: see its line 2`},
		`{ except = { "rain" } }`:              {`a.lua:1:90: except: expected three letters, got "rain"`},
		`{ except = { "sun", 7 } }`:            {`a.lua:1:97: except: expected a word such as "sun", got the number 7`},
		`{ except = { "sun", days = 7 } }`:     {`a.lua:1:97: unknown option "days" in except: expected one of file`},
	} {
		_, err := load(call)
		var got []string
		if problems, ok := err.(source.Problems); ok {
			for _, p := range problems {
				got = append(got, p.Error())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: problems (-want +got):\n%s", call, diff)
		}
	}
}

func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}
