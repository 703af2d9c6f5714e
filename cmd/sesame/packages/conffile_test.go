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
// watches stops there. So the table of all settings, which changes with most versions, is
// elsewhere, and the rules for logrotate change only when they must.
var conffiles = map[string]string{
	"/etc/sesame/sesame.toml": "d2101fe44538c28d79058b4fa9977245ba589a9579453e6658a477854f9f1605",
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

// The settings that are shipped set nothing, and say where the table is.
func TestSettingsOfThePackages(t *testing.T) {
	text, err := os.ReadFile(checkout + "/.ci/packages/sesame.toml")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("the settings have %q: expected comments", line)
		}
	}
	if table := "/usr/share/doc/sesame/examples/sesame.toml"; !strings.Contains(string(text), table) || ruleOf(table, "deb") < 0 {
		t.Errorf("the settings do not say where the table is: %s", table)
	}
}
