package sandbox

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// A stage is a state with what it printed.
type stage struct {
	*State
	out *strings.Builder
}

// load compiles and runs a script.
func load(t testing.TB, cfg Config, source string) (stage, error) {
	t.Helper()
	st := stage{out: &strings.Builder{}}
	if cfg.Print == nil {
		cfg.Print = func(_ int, text string) { st.out.WriteString(text + "\n") }
	}
	p, err := Compile("test.lua", []byte(source))
	if err != nil {
		return st, err
	}
	st.State = New(cfg)
	t.Cleanup(st.Close)
	return st, st.Run(p)
}

// play loads a script, then calls its global function main when it has one, and returns what both
// printed.
func play(t testing.TB, cfg Config, source string) (string, error) {
	t.Helper()
	st, err := load(t, cfg, source)
	if err != nil {
		return st.out.String(), err
	}
	if fn, ok := st.Global("main").(*lua.LFunction); ok {
		_, err = st.Call(fn, 0)
	}
	if st.Broken() {
		t.Errorf("the machine broke: %v", err)
	}
	return st.out.String(), err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
