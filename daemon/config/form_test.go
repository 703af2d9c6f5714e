package config

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Who adds a key raises Form, and puts the new digest here. Else a machine that goes back to the
// version before does not start with that key in its file.
func TestTheFormIsRaisedWithEachKey(t *testing.T) {
	var names []string
	for _, k := range Keys() {
		names = append(names, k.Name)
	}
	slices.Sort(names)
	digest := fmt.Sprintf("%d %.8x", Form, sha256.Sum256([]byte(strings.Join(names, " "))))
	if want := "1 d4c471486f28c10b"; digest != want {
		t.Errorf("Form and the digest of all keys are %q, want %q: raise Form, and change the digest", digest, want)
	}
}

// Unknown keys are tolerated only where a newer version ran, and nothing else is.
func TestKeysOfANewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sesame.toml")
	for _, tt := range []struct {
		text  string
		last  int
		newer []string
		wrong bool
	}{
		{"observe = true\ntariff = 5\n[log]\nlevel = \"warn\"\ncolour = 1\n[zone]\na = 1\n", Form + 1, []string{":2: the key tariff", ":5: the key log.colour", ":6: the key zone"}, false},
		{"tariff = 5\n", Form, nil, true},
		{"tariff = 5\n", 0, nil, true},
		{"tariff = 5\n[log]\nlevel = \"loud\"\n", Form + 1, nil, true},
		{"observe = true\n", Form + 1, nil, false},
	} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadFor(path, func(string) int { return tt.last })
		if (err != nil) != tt.wrong || len(c.Newer) != len(tt.newer) {
			t.Errorf("%q after form %d: %q, %v", tt.text, tt.last, c.Newer, err)
			continue
		}
		for i, want := range tt.newer {
			if !strings.HasPrefix(c.Newer[i], path+want) {
				t.Errorf("%q: %q, want %q", tt.text, c.Newer[i], want)
			}
		}
		if want := max(Form, tt.last); len(tt.newer) > 0 && (c.Form != want || !c.Observe || c.Log.Level != "warn") {
			t.Errorf("%q: %+v", tt.text, c)
		}
		if !tt.wrong && len(tt.newer) == 0 && c.Form != Form {
			t.Errorf("%q has form %d: all of it is known", tt.text, c.Form)
		}
	}
}
