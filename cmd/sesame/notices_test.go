package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the notices anew")

// TestNotices compares notices.txt with the licences of the modules that the programs contain, on
// each system that they are built for. Run with -update to write it anew.
func TestNotices(t *testing.T) {
	want := compose(licences(t))
	if *update {
		if err := os.WriteFile("notices.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(notices, want); diff != "" {
		t.Errorf("notices.txt is not what the modules say; run make docs (-want +got):\n%s", diff)
	}
}

// A module that several systems or packages need is listed once, and equal texts stand once.
func TestNoticesAreComposed(t *testing.T) {
	got := compose(map[string][]string{"b": {"MIT", "PATENTS"}, "a": {"MIT"}, "c": {"BSD"}})
	if n := strings.Count(got, "MIT"); n != 1 || !strings.Contains(got, "\na\nb\n\nMIT\n") || !strings.Contains(got, "\nb\n\nPATENTS\n") {
		t.Errorf("%d times MIT in\n%s", n, got)
	}
}

// A linkedPackage is what go list says of a package.
type linkedPackage struct {
	Dir    string
	Module *struct {
		Path, Dir string
		Main      bool
	}
}

// linked returns the packages that the programs contain when they are built for a system.
func linked(t *testing.T, system string) (packages []linkedPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module", "../sesame", "../knock")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p linkedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

// licences returns the texts of licences by module.
func licences(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, system := range []string{"linux", "darwin", "windows"} {
		for _, p := range linked(t, system) {
			if p.Module == nil || p.Module.Main {
				continue
			}
			// A directory of a module may have a licence of its own.
			for dir := p.Dir; len(dir) >= len(p.Module.Dir); dir = filepath.Dir(dir) {
				for _, text := range textsIn(t, dir) {
					if !slices.Contains(found[p.Module.Path], text) {
						found[p.Module.Path] = append(found[p.Module.Path], text)
					}
				}
			}
			if len(found[p.Module.Path]) == 0 {
				t.Errorf("%s: no file with a licence is in %s: look what its terms are", p.Module.Path, p.Module.Dir)
			}
		}
	}
	// The standard library has the same licence as x/sys. Its file is not in every GOROOT.
	found["Go, its standard library and its time zones"] = found["golang.org/x/sys"]
	return found
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)(\.(md|txt))?$`)

func textsIn(t *testing.T, dir string) (texts []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !licenceFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
		for i, line := range lines {
			lines[i] = strings.TrimRight(line, " \t\f")
		}
		texts = append(texts, strings.Trim(strings.Join(lines, "\n"), "\n"))
	}
	return texts
}

// compose writes each text once, below the modules that it is for.
func compose(byModule map[string][]string) string {
	var texts []string
	modules := map[string][]string{}
	for _, module := range slices.Sorted(maps.Keys(byModule)) {
		for _, text := range byModule[module] {
			if modules[text] == nil {
				texts = append(texts, text)
			}
			modules[text] = append(modules[text], module)
		}
	}
	var b strings.Builder
	b.WriteString("The programs sesame and knock contain the libraries below, under these licences.\n")
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(modules[text], "\n"), text)
	}
	return b.String()
}
