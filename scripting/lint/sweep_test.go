package lint

import (
	"path/filepath"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
)

// No sweep opens the doors of the scripts that are shipped, but those of classic.lua.
func TestSweepsOfShippedScripts(t *testing.T) {
	scripts, err := filepath.Glob("../../scripts/*.lua")
	if err != nil || len(scripts) < 10 {
		t.Fatalf("scripts: %v, %v", scripts, err)
	}
	for _, path := range scripts {
		files, err := source.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		set, err := scripting.Load(files, scripting.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(set.Close)
		c := newChecker(set)
		for _, d := range set.Engine.Doors {
			if d.Listen {
				continue
			}
			if opens, classic := c.swept(d) != "", filepath.Base(path) == "classic.lua"; opens != classic {
				t.Errorf("%s: door %s: sweeps open it: %v, want %v", path, d.Name, opens, classic)
			}
		}
	}
}
