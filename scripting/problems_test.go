package scripting_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// However many problems a set has, and wherever they arise, only so many are kept, and a line says
// that there are more.
func TestProblemsOfASetAreBounded(t *testing.T) {
	compiled := "function f()\n" + strings.Repeat("x=1\n", 500) + "end"
	for name, text := range map[string]string{
		"found in the text":  compiled,
		"registered":         strings.Repeat("sesame.networks {}\n", 500),
		"caught":             "for i = 1, 500 do pcall(function() return sesame['k' .. i] end) end",
		"in a module":        `require "mNAME"`,
		"found in functions": "sesame.listen 'NAME' { on = 1, on_knock = function(k)\n" + strings.Repeat("k:ban()\n", 500) + "end }",
		"of close":           "sesame.listen 'NAME' { on = 1, on_knock = function(k)\n" + repeated(500, "k:close 'x%d'\n") + "end }",
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for i := range 3 {
				files[fmt.Sprintf("lib/m%d.lua", i)] = compiled
				files[fmt.Sprintf("%d.lua", i)] = strings.Replace(text, "NAME", fmt.Sprint(i), 1)
			}
			_, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
			problems, ok := errors.AsType[source.Problems](err)
			if !ok || len(problems) != source.MaxProblems+1 {
				t.Fatalf("%d problems", len(problems))
			}
			if !strings.Contains(problems.Error(), "there are more problems than these 100: repair these first") {
				t.Error("nothing says that there are more")
			}
		})
	}
}

// What a script made is quoted in part.
func TestProblemsAreShort(t *testing.T) {
	_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": `sesame.networks { ("x"):rep(65000) }`}), scripting.Options{})
	problems, _ := errors.AsType[source.Problems](err)
	if len(problems) != 1 || len(problems.Error()) > 5000 {
		t.Errorf("%d problems of %d bytes", len(problems), len(problems.Error()))
	}
}

func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
