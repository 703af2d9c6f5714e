package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/config"
	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/condition"
)

// TestOneScriptSetForFortyGateways loads one script set with forty configuration files, whose
// knocks, ports, zones and countries differ.
func TestOneScriptSetForFortyGateways(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "scripts", "ssh.lua"), `
local knocks = sesame.option "knocks" { type = "ports" }
local guards = sesame.option "guards" { type = "ports", default = { 22 } }
local zone   = sesame.option "zone"   { type = "zone" }
local from   = sesame.option "from"   { type = "countries", default = { "ES" } }
local role   = sesame.option "role"   { type = "string", choices = { "office", "lab" }, default = "office" }
local hours  = sesame.window { from = "12:00", to = "13:00", tz = zone }
sesame.door("ssh-" .. role .. "-" .. table.concat(from, "-")) { sequence = knocks, guards = guards, when = hours }`)
	zones := []string{"Europe/Madrid", "America/New_York", "Asia/Kolkata", "UTC"}
	countries := []string{"ES", "US", "IN", "PT"}
	noon := time.Date(2026, 1, 5, 12, 30, 0, 0, time.UTC)
	offsets := []time.Duration{-time.Hour, 5 * time.Hour, -5*time.Hour - 30*time.Minute, 0}
	seen := map[string]bool{}
	for i := range 40 {
		path := filepath.Join(dir, fmt.Sprintf("gateway-%02d.toml", i))
		put(t, path, fmt.Sprintf(`[options]
knocks = ["tcp/%d", "udp/%d", %d]
guards = [%d, "udp/51820"]
zone   = %q
from   = [%q, "FR"]
role   = %q
`, 7000+i, 9000-i, 4000+i, 2200+i, zones[i%4], countries[i%4], []string{"office", "lab"}[i%2]))
		door := loaded(t, path)
		text := fmt.Sprint(door.Name, door.Sequence, door.Guards)
		if want := fmt.Sprintf("ssh-%s-%s-FR", []string{"office", "lab"}[i%2], countries[i%4]); door.Name != want || seen[text] {
			t.Errorf("%s: the door %s, want %s, and different from all others", path, text, want)
		}
		seen[text] = true
		if door.Sequence[1].Port.Number != uint16(9000-i) || door.Guards[0].Number != uint16(2200+i) {
			t.Errorf("%s: the door is %s", path, text)
		}
		for k, offset := range offsets {
			if holds := condition.MayHold(door.When[0], noon.Add(offset)); holds != (k == i%4) {
				t.Errorf("%s, in %s: at noon of %s the window holds: %t", path, zones[i%4], zones[k], holds)
			}
		}
	}
}

// The message about a wrong value names the file and the line where it was given.
func TestAWrongGatewayIsNamed(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "scripts", "ssh.lua"), `local knocks = sesame.option "knocks" { type = "ports" }`)
	path := filepath.Join(dir, "gateway.toml")
	put(t, path, "[options]\nknocks = [\"tcp/1\", \"tcp/70000\"]\n")
	settings, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&program{stderr: os.Stderr}).load(&settings)
	const want = `gateway.toml:2: knocks=tcp/1,tcp/70000: port "tcp/70000": expected a number from 1 to 65535`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func loaded(t *testing.T, path string) *engine.Door {
	t.Helper()
	settings, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	set, err := (&program{stderr: os.Stderr}).load(&settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	if len(set.Engine.Doors) != 1 || len(set.Options) != 5 || slices.ContainsFunc(set.Options[:4], func(o scripting.OptionValue) bool { return !o.Set }) {
		t.Fatalf("%s: %d doors, options %v", path, len(set.Engine.Doors), set.Options)
	}
	return set.Engine.Doors[0]
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
