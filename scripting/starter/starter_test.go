package starter_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/scripting/starter"
)

var guards = packet.Port{Proto: packet.TCP, Number: 22}

// chance is a source of randomness that is the same in each run.
type chance struct{ r *rand.Rand }

func (c chance) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(c.r.Uint32())
	}
	return len(b), nil
}

// load loads the script of a first door.
func load(t interface{ Fatal(...any) }, files []starter.File) *scripting.Set {
	set, err := scripting.Load(source.Of("first", "", []source.File{{Path: files[0].Path, Source: files[0].Text}}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestDoor holds for any randomness what a first door promises: it loads, nothing is to be said
// against it, and its four ports are different and not in the ranges that machines use themselves.
func TestDoor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		files, err := starter.Door(guards, chance{rand.New(rand.NewPCG(seed, 0))})
		if err != nil {
			t.Fatal(err)
		}
		set := load(t, files)
		defer set.Close()
		if found := lint.Check(set); len(found) > 0 {
			t.Errorf("findings: %v", found)
		}
		var numbers []uint16
		for _, k := range set.Engine.Doors[0].Sequence {
			numbers = append(numbers, k.Port.Number)
			if k.Port.Number < 1024 || k.Port.Number > 32767 {
				t.Errorf("port %s: expected 1024 to 32767", k.Port)
			}
		}
		slices.Sort(numbers)
		if len(slices.Compact(numbers)) != 4 {
			t.Errorf("ports %v: expected four different ones", numbers)
		}
	})
}

// TestDoorsDiffer holds that two people get other ports, of both protocols.
func TestDoorsDiffer(t *testing.T) {
	seen := map[string]bool{}
	protocols := map[string]bool{}
	for range 20 {
		files, err := starter.Door(guards, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(files[0].Text)] = true
		for _, m := range regexp.MustCompile(`"(tcp|udp)/`).FindAllStringSubmatch(string(files[0].Text), 4) {
			protocols[m[1]] = true
		}
	}
	if len(seen) != 20 || len(protocols) != 2 {
		t.Errorf("20 draws gave %d doors with %v: expected 20 doors with both protocols", len(seen), protocols)
	}
}

// TestDoorGuardsWhatItIsTold holds that the port is the one that was named, in the door and its
// tests, and no knock.
func TestDoorGuardsWhatItIsTold(t *testing.T) {
	files, err := starter.Door(packet.Port{Proto: packet.UDP, Number: 51820}, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := load(t, files)
	defer set.Close()
	if got := fmt.Sprint(set.Engine.Doors[0].Guards); got != "[udp/51820]" {
		t.Errorf("guards: got %s", got)
	}
	// The client tells of TCP ports alone whether they opened.
	if !bytes.Contains(files[0].Text, []byte("To knock:  knock HOST ")) {
		t.Errorf("the door does not tell how to knock:\n%s", files[0].Text)
	}
	if !bytes.Contains(files[1].Text, []byte(`port = "udp/51820"`)) {
		t.Errorf("the tests do not name the port:\n%s", files[1].Text)
	}
}

// TestPortsAtTheEdges draws ports that are in nobody's way and others. The former alone are taken,
// each number once.
func TestPortsAtTheEdges(t *testing.T) {
	var drawn []byte
	for _, p := range []packet.Port{
		{Proto: packet.TCP, Number: 1023}, {Proto: packet.TCP, Number: 1024}, {Proto: packet.UDP, Number: 32768}, {Proto: packet.UDP, Number: 32767},
		{Proto: packet.TCP, Number: 5000}, {Proto: packet.UDP, Number: 1024}, {Proto: packet.TCP, Number: 16000}, {Proto: packet.UDP, Number: 5000},
	} {
		drawn = append(drawn, byte(p.Number>>8), byte(p.Number), byte(p.Proto-packet.TCP))
	}
	files, err := starter.Door(packet.Port{Proto: packet.TCP, Number: 5000}, bytes.NewReader(drawn))
	if err != nil {
		t.Fatal(err)
	}
	const want = `"tcp/1024", "udp/32767", "tcp/16000", "udp/5000"`
	if !bytes.Contains(files[0].Text, []byte(want)) {
		t.Errorf("expected %s:\n%s", want, files[0].Text)
	}
}

// TestDoorWithoutRandomness holds that a machine without randomness, or with a constant for it,
// gives an error and no door whose ports are known.
func TestDoorWithoutRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	if _, err := starter.Door(guards, iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, expected an error about randomness", err)
	}
	// Ports side by side are a finding, each time.
	beside := bytes.Repeat([]byte{4, 1, 0, 4, 2, 0, 4, 3, 0, 4, 4, 0}, 1000)
	if _, err := starter.Door(guards, bytes.NewReader(beside)); err == nil || !strings.Contains(err.Error(), "1000 draws") {
		t.Errorf("got %v, expected that no ports were found", err)
	}
	if _, err := starter.Door(guards, bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, expected the end of the randomness", err)
	}
}

func TestEditor(t *testing.T) {
	files, err := starter.Editor()
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]starter.File{}
	for _, file := range files {
		byPath[file.Path] = file
		if file.Anew != starter.Made(file.Text) {
			t.Errorf("%s: made anew %v, and is recognised %v", file.Path, file.Anew, starter.Made(file.Text))
		}
	}
	var settings map[string]any
	if err := json.Unmarshal(byPath[".luarc.json"].Text, &settings); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(settings["runtime.version"], settings["workspace.library"], settings["runtime.path"]); got != "Lua 5.1[.luals] [lib/?.lua]" {
		t.Errorf("settings: got %s", got)
	}
	if starter.Made([]byte("-- mine")) || starter.Made(nil) {
		t.Error("a file of somebody else is taken for one of ours")
	}
}

// TestRealLuacheckOfScripts gives a first door, its tests and the shipped scripts to luacheck with
// the settings that "sesame init" writes, and then a name that does not exist.
func TestRealLuacheckOfScripts(t *testing.T) {
	if _, err := exec.LookPath("luacheck"); err != nil {
		t.Skip("luacheck is not installed: .ci/install does it")
	}
	dir := t.TempDir()
	door, err := starter.Door(guards, nil)
	if err != nil {
		t.Fatal(err)
	}
	editor, err := starter.Editor()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range slices.Concat(door, editor) {
		write(t, filepath.Join(dir, file.Path), file.Text)
	}
	shipped, err := filepath.Glob("../../scripts/*.lua")
	if err != nil || len(shipped) < 10 {
		t.Fatalf("%d shipped scripts, %v: expected ten or more", len(shipped), err)
	}
	for _, path := range shipped {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "shipped", filepath.Base(path)), text)
	}
	luacheck := func() ([]byte, error) {
		cmd := exec.CommandContext(t.Context(), "luacheck", "--no-color", ".")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}
	if out, err := luacheck(); err != nil {
		t.Errorf("luacheck: %v\n%s", err, out)
	}
	write(t, filepath.Join(dir, "wrong.lua"), []byte("sesame.windw { tz = \"UTC\" }\nprint(os.time())\n"))
	out, err := luacheck()
	for _, want := range []string{"accessing undefined field 'windw' of global 'sesame'", "accessing undefined variable 'os'"} {
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("luacheck does not say %q: %v\n%s", want, err, out)
		}
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
