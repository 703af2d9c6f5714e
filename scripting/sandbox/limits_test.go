package sandbox

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestNamesHaveALength(t *testing.T) {
	for _, source := range []string{"local NAME = 1", "local t = {} t.NAME = 1", "function NAME() end"} {
		if _, err := Compile("a.lua", []byte(strings.ReplaceAll(source, "NAME", strings.Repeat("a", maxName)))); err != nil {
			t.Errorf("%s with a name of %d letters: %v", source, maxName, err)
		}
		_, err := Compile("a.lua", []byte(strings.ReplaceAll(source, "NAME", strings.Repeat("a", maxName+1))))
		if err == nil || !strings.Contains(err.Error(), "at most 256") {
			t.Errorf("%s with a longer name: got %v", source, err)
		}
	}
}

// Of a file of nothing but mistakes only so many are reported.
func TestMistakesAreBounded(t *testing.T) {
	for _, source := range []string{
		strings.Repeat("x=os.a\n", 37_000),
		"function f()\n" + strings.Repeat("x=1\n", 100_000) + "end",
		"local x\nfunction f()\n" + strings.Repeat("x=1\n", 100_000) + "end",
	} {
		_, err := Compile("a.lua", []byte(source))
		all, ok := err.(interface{ Unwrap() []error })
		if !ok || len(all.Unwrap()) != maxErrors {
			t.Errorf("%.20s: got %T, want %d errors joined", source, err, maxErrors)
		}
	}
}

// Errors hold no part of the text but a cut line, and the text is not copied for each of them.
func TestErrorsHoldACutLine(t *testing.T) {
	for _, between := range []string{" ", "\n"} {
		source := []byte("local a; " + strings.Repeat("function f() a=1 end"+between, 12_474))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile("a.lua", source)
		runtime.ReadMemStats(&after)
		// Tokens and tree are some 200 times as large as the text. A copy of it for each
		// error would be 100 times more.
		if used := int(after.TotalAlloc - before.TotalAlloc); used > 250*len(source) {
			t.Errorf("%d bytes for a text of %d", used, len(source))
		}
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			if e := e.(*Error); len(e.SourceLine) > maxExcerpt+6 || e.Column == 0 {
				t.Fatalf("column %d, %d bytes", e.Column, len(e.SourceLine))
			}
		}
	}
}

// Long texts that are no numbers, and no modules, are refused before any work.
func TestLongTextsForNumbersAndModules(t *testing.T) {
	s := New(Config{Require: func(string) (*Program, error) { return nil, errors.New("asked") }})
	defer s.Close()
	p, err := Compile("a.lua", []byte(`
local long = (" "):rep(65000) .. "1"
assert(tonumber(long, 16) == nil)
local ok, why = pcall(require, long)
assert(not ok and why:find("at most 256", 1, true), why)`))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(p); err != nil {
		t.Error(err)
	}
}

// What one statement may have is refused before the work that would grow with its square.
func TestTargetsAreBounded(t *testing.T) {
	assignment := func(n int) []byte {
		return []byte("local t = {}\nt.a" + strings.Repeat(",t.a", n-1) + " = 1")
	}
	if _, err := Compile("a.lua", assignment(60)); err != nil {
		t.Error(err)
	}
	for _, n := range []int{maxTargets + 1, 30_000} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Compile("a.lua", assignment(n))
		runtime.ReadMemStats(&after)
		if want := "a.lua:2: more than 200 targets in one assignment: divide it"; errorText(err) != want {
			t.Errorf("%d targets: got %v, want %s", n, err, want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 100<<20 {
			t.Errorf("%d targets: %d MiB", n, used>>20)
		}
	}
}
