package sandbox_test

import (
	"testing"

	"sesame/scripting/sandbox"
)

// TestNames holds that the names are those that scripts have: reading each succeeds, since reading
// any other is an error.
func TestNames(t *testing.T) {
	globals, libraries := sandbox.Names()
	text := ""
	for _, name := range globals {
		text += "local _ = " + name + "\n"
	}
	for library, names := range libraries {
		for _, name := range names {
			text += "do local _ = " + library + "." + name + " end\n"
		}
	}
	p, err := sandbox.Compile("names.lua", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s := sandbox.New(sandbox.Config{})
	defer s.Close()
	if err := s.Run(p); err != nil {
		t.Errorf("a name does not exist: %v", err)
	}
	if len(globals) < 15 || len(libraries) != 3 {
		t.Errorf("%d globals and %d libraries: expected all", len(globals), len(libraries))
	}
}
