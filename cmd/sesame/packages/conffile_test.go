//go:build linux

package packages

import (
	"archive/tar"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conffiles have the digest of what the packages put below /etc. When one is another in a new
// version, dpkg asks everybody who changed a line of it what to do, and an upgrade that nobody
// watches stops there. So the settings are no such file, and the rules for logrotate change only
// when they must.
var conffiles = map[string]string{
	"/etc/logrotate.d/sesame": "5650a99abd8285625854579b969925420fc802aaf8498a02cf3cb5c11f38d320",
}

func TestRealConffilesNeverChange(t *testing.T) {
	for architecture, path := range packages(t, "deb", "dpkg-deb") {
		digests := map[string]string{}
		isConffile := debFiles(t, path)
		eachFile(t, path, func(name string, _ *tar.Header, content io.Reader) {
			if !isConffile[name].config {
				return
			}
			text, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			digests[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		})
		if diff := cmp.Diff(conffiles, digests); diff != "" {
			t.Errorf("%s: who changed one of these is asked at the next upgrade (-before +now):\n%s", architecture, diff)
		}
	}
}

// The first installation writes a file for settings, which sets nothing. Nothing writes it again.
func TestSettings(t *testing.T) {
	const name = "/etc/sesame/sesame.toml"
	m := newTarget(t, true)
	m.expect(call{script: "after-install", args: "configure", prints: []string{"Sesame is installed"}})
	text, err := os.ReadFile(m.root + name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") || len(line) > 101 {
			t.Errorf("%s has %q: expected comments of at most 100 columns", name, line)
		}
	}
	if table := "/usr/share/doc/sesame/examples/sesame.toml"; !strings.Contains(string(text), table) || ruleOf(table, "deb") < 0 {
		t.Errorf("%s does not say where the table is: %s", name, table)
	}
	const own = "trusted = [\"192.0.2.1\"]\n"
	m.write(name, own)
	m.expect(call{script: "after-install", args: "configure", prints: []string{"Sesame is installed"}})
	m.expect(call{script: "after-install", args: "configure 1.0", silent: true})
	if text, _ := os.ReadFile(m.root + name); string(text) != own {
		t.Errorf("%s was overwritten:\n%s", name, text)
	}
	if err := os.Remove(m.root + name); err != nil {
		t.Fatal(err)
	}
	m.expect(call{script: "after-install", args: "configure 1.0", silent: true})
	if _, err := os.Stat(m.root + name); err == nil {
		t.Errorf("somebody deleted %s, and an upgrade made it again", name)
	}
}
