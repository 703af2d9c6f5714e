package daemon_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the list of imports in ARCHITECTURE.md")

var importList = regexp.MustCompile("(?s)## Imports\n.*?```\n(.*?)```")

// TestArchitecture compares the list of imports in ARCHITECTURE.md with arrows.
func TestArchitecture(t *testing.T) {
	const path = "../ARCHITECTURE.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := importList.FindSubmatchIndex(text)
	if at == nil {
		t.Fatal("ARCHITECTURE.md has no list of imports: expected a block of code below the heading Imports")
	}
	want := importLines()
	if *update {
		changed := slices.Concat(text[:at[2]], []byte(want), text[at[3]:])
		if err := os.WriteFile(path, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text[at[2]:at[3]])); diff != "" {
		t.Errorf("ARCHITECTURE.md lists other imports than arrows (-arrows +listed):\n%s\n"+
			"to write it: go test ./daemon -run TestArchitecture -update", diff)
	}
}

// importLines returns a line for each package of the program that may import something of ours, and
// not everything. A package stands below all that it imports.
func importLines() string {
	var names []string
	for name, imports := range arrows {
		test := strings.HasSuffix(name, "test") || strings.HasPrefix(name, "docs") || name == "pcaps"
		if !test && len(imports) > 0 && !slices.Equal(imports, anything) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := depth(a) - depth(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var lines strings.Builder
	for _, name := range names {
		var imports []string
		for _, imported := range arrows[name] {
			imports = append(imports, brief(imported))
		}
		fmt.Fprintf(&lines, "%-20s %s\n", brief(name), strings.Join(imports, ", "))
	}
	return lines.String()
}

// depth returns how many imports lead from a package down to one that imports nothing of ours.
func depth(name string) (deepest int) {
	for _, imported := range arrows[name] {
		deepest = max(deepest, 1+depth(imported))
	}
	return deepest
}

func brief(name string) string { return strings.TrimPrefix(name, "daemon/") }
