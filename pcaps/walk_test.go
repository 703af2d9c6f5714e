package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	// The parts of the program. With these imports, go test does not use a cached result after one
	// of them has changed.
	_ "sesame/daemon/transcript"
	_ "sesame/scripting"
	_ "sesame/simulate"
)

var update = flag.Bool("update", false, "write the transcripts instead of comparing them")

// sesame is the program, built once for all tests of this package.
var sesame string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withProgram(m.Run))
}

// withProgram builds the program, calls run, and removes the program.
func withProgram(run func() int) int {
	dir, err := os.MkdirTemp("", "sesame-pcaps")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	sesame = filepath.Join(dir, "sesame")
	if out, err := exec.Command("go", "build", "-o", sesame, "../cmd/sesame").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building ../cmd/sesame: %v\n%s", err, out)
		return 1
	}
	return run()
}

// TestTranscripts replays each capture with the command in README.md, and compares the output with
// the transcript beside the capture. Each shipped script needs a capture that opens one of its
// doors, and one that opens none.
func TestTranscripts(t *testing.T) {
	recipes := shipped(t)
	opens, stays := map[string]bool{}, map[string]bool{}
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) {
			got := replay(t, r)
			if bytes.Contains(got, []byte(`"event":"open"`)) {
				opens[r.script()] = true
			} else {
				stays[r.script()] = true
			}
			if *update {
				write(t, r.golden(), got)
				return
			}
			want, err := os.ReadFile(r.golden())
			if err != nil {
				t.Fatalf("%v\nto write it: go test ./pcaps -update, and then read it", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("transcript (-want +got):\n%s", diff)
			}
		})
	}
	for _, script := range slices.Concat(found(t, "scripts/*.lua"), sets(t)) {
		if !opens[script] {
			t.Errorf("%s: no capture opens a door of it: expected one, with its section in README.md", script)
		}
		if !stays[script] {
			t.Errorf("%s: every capture opens a door of it: expected one that does not", script)
		}
	}
}

// TestProcessors replays with one processor and with eight. The transcripts must be equal.
func TestProcessors(t *testing.T) {
	for _, r := range shipped(t) {
		t.Setenv("GOMAXPROCS", "1")
		one := replay(t, r)
		t.Setenv("GOMAXPROCS", "8")
		if diff := cmp.Diff(string(one), string(replay(t, r))); diff != "" {
			t.Errorf("%s (-one processor +eight):\n%s", r.name, diff)
		}
	}
}

// TestANetworkWithoutFaults replays each capture through a network that changes nothing. The one
// transcript is that of a simulation.
func TestANetworkWithoutFaults(t *testing.T) {
	for _, r := range shipped(t) {
		want, err := os.ReadFile(r.golden())
		if err != nil {
			t.Fatal(err)
		}
		command := slices.Concat([]string{"perturb", "--runs", "1", "--format", "jsonl"}, r.simulate[1:])
		got, err := runSesame(t.Context(), command...)
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 1) { // 1: no door opens
			t.Fatalf("sesame %s: %v", strings.Join(command, " "), err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-simulate +perturb):\n%s", r.name, diff)
		}
	}
}

// TestNothingIsLeftOver fails for files that no section of README.md makes.
func TestNothingIsLeftOver(t *testing.T) {
	recipes := shipped(t)
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		known := slices.ContainsFunc(recipes, func(r recipe) bool { return name == r.name || name == r.golden() })
		if !known && name != "README.md" && filepath.Ext(name) != ".go" {
			t.Errorf("%s: no section of README.md makes it", name)
		}
	}
}

// TestShippedScripts checks all scripts as one set, as a user has them who copies the directory,
// and each of its subdirectories as a set of its own. There must be no finding.
func TestShippedScripts(t *testing.T) {
	for _, set := range append(sets(t), "scripts") {
		if out, err := runSesame(t.Context(), "check", "--strict", "-s", set); err != nil {
			t.Errorf("sesame check -s %s: %v\n%s", set, err, out)
		}
	}
}

// found returns the files of the repository that match a pattern, without tests of scripts. There
// is at least one.
func found(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", pattern))
	paths = slices.DeleteFunc(paths, func(path string) bool { return strings.HasSuffix(path, "_test.lua") })
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: found nothing: %v", pattern, err)
	}
	for i, path := range paths {
		paths[i] = strings.TrimPrefix(path, "../")
	}
	return paths
}

// sets returns the directories in scripts that are a set of one script. scripts/lib has the modules
// of the scripts beside it.
func sets(t *testing.T) []string {
	t.Helper()
	var dirs []string
	for _, script := range found(t, "scripts/*/*.lua") {
		dir := filepath.Dir(script)
		if dir == "scripts/lib" {
			continue
		}
		if slices.Contains(dirs, dir) {
			t.Errorf("%s holds a second script, which no capture would prove: put it into a directory of its own", dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// script returns the argument of the simulate command's -s.
func (r recipe) script() string {
	i := slices.Index(r.simulate, "-s")
	if i < 0 || i+1 == len(r.simulate) {
		return ""
	}
	return r.simulate[i+1]
}

// golden returns the name of the transcript's file.
func (r recipe) golden() string {
	name, _, _ := strings.Cut(r.name, ".")
	return name + ".jsonl"
}

func shipped(t *testing.T) []recipe {
	t.Helper()
	recipes, err := readRecipes("README.md")
	if err != nil {
		t.Fatal(err)
	}
	goldens := map[string]bool{}
	for _, r := range recipes {
		if last := r.simulate[len(r.simulate)-1]; last != "pcaps/"+r.name {
			t.Errorf("%s: the simulate command reads %s: expected pcaps/%s", r.name, last, r.name)
		}
		if goldens[r.golden()] {
			t.Errorf("%s: another capture's transcript is called %s too", r.name, r.golden())
		}
		goldens[r.golden()] = true
	}
	return recipes
}

func replay(t *testing.T, r recipe) []byte {
	t.Helper()
	out, err := runSesame(t.Context(), slices.Insert(slices.Clone(r.simulate), 1, "--format", "jsonl")...)
	if err != nil {
		t.Fatalf("sesame %s: %v", strings.Join(r.simulate, " "), err)
	}
	return out
}

// runSesame runs the program in the root of the repository, where README.md's commands are
// meant to be run, and returns what it wrote to its standard output.
func runSesame(ctx context.Context, arguments ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, sesame, arguments...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = errors.Join(err, errors.New(string(exit.Stderr)))
	}
	return out, err
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
