package main

import (
	"os"
	"path/filepath"
	"testing"

	"sesame/daemon/config"
	"sesame/daemon/state"
)

// The state directory of a flag, or else of the file, says whether a newer version ran.
func TestTheConfigurationOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	file, flag, empty := filepath.Join(dir, "sesame.toml"), filepath.Join(dir, "newer"), filepath.Join(dir, "empty")
	if err := os.WriteFile(file, []byte("state = \"state\"\ntariff = 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	save := func(dir string, form int) {
		d, err := state.Open(dir)
		if err == nil {
			err = d.SaveSet(state.Saved{Form: form})
		}
		if err == nil {
			err = d.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	load := func(stateDir string, tolerated bool) {
		t.Helper()
		settings, err := loadConfigFor(file, stateDir)
		if (err == nil) != tolerated || tolerated && (len(settings.Newer) != 1 || settings.Form != config.Form+1) {
			t.Errorf("state %q: %q, form %d, %v", stateDir, settings.Newer, settings.Form, err)
		}
	}
	load("", false)
	save(filepath.Join(dir, "state"), config.Form)
	load("", false)
	save(flag, config.Form+1)
	load(flag, true)
	load("", false)
	save(filepath.Join(dir, "state"), config.Form+1)
	load("", true)
	load(empty, false)
}
