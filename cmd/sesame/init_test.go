package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNextSteps holds what sesame init says to run next, where it may be called.
func TestNextSteps(t *testing.T) {
	const service = "/etc/sesame/scripts"
	for name, tt := range map[string]struct {
		begun beginning
		want  string
	}{
		"a package": {
			beginning{dir: service, guards: "tcp/22", read: service, ours: true, service: true, linux: true, private: true}, `
Next:
    sudo sesame test -s /etc/sesame/scripts
    sudo sesame check -s /etc/sesame/scripts
    sudo sesame run --observe                 # closes nothing: knock, look, then press Ctrl-C
Then, to close tcp/22 to all who did not knock:
    sudo systemctl enable --now sesame  # now and at each boot; with a second way in
`},
		"from source without units": {
			beginning{dir: service, guards: "tcp/22", read: service, ours: true, linux: true, private: true}, `
Next:
    sudo sesame test -s /etc/sesame/scripts
    sudo sesame check -s /etc/sesame/scripts
    sudo sesame run --observe                 # closes nothing: knock, look, then press Ctrl-C
Then, to close tcp/22 to all who did not knock:
    sudo sesame run  # in this terminal; with a second way in
`},
		"a directory of a person": {
			beginning{dir: "my scripts", guards: "udp/51820", read: service, linux: true}, `
Next:
    sesame test -s 'my scripts'
    sesame check -s 'my scripts'
    sudo sesame run --observe -s 'my scripts'  # closes nothing: knock, look, then press Ctrl-C
Then, to close udp/51820 to all who did not knock:
    sudo sesame run -s 'my scripts'  # in this terminal; with a second way in
`},
		"a directory that the service does not read": {
			beginning{dir: "/srv/doors", guards: "tcp/22", read: service, service: true, linux: true, private: true}, `
Next:
    sudo sesame test -s /srv/doors
    sudo sesame check -s /srv/doors
    sudo sesame run --observe -s /srv/doors  # closes nothing: knock, look, then press Ctrl-C
Then, to close tcp/22 to all who did not knock:
    sudo sesame run -s /srv/doors  # in this terminal; with a second way in
The service reads /etc/sesame/scripts: name this directory as scripts in /etc/sesame/sesame.toml before you start it.
`},
		"root without sudo": {
			beginning{dir: "d", guards: "tcp/22", read: service, linux: true, private: true, plain: true}, `
Next:
    sesame test -s d
    sesame check -s d
    sesame run --observe -s d  # closes nothing: knock, look, then press Ctrl-C
Then, to close tcp/22 to all who did not knock:
    sesame run -s d  # in this terminal; with a second way in
`},
		"where no daemon runs": {
			beginning{dir: "d", guards: "tcp/22", read: service}, `
Next:
    sesame test -s d
    sesame check -s d
`},
	} {
		if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), tt.begun.next()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestBegun holds what an init finds on a machine: which scripts the service reads, and whether
// there is one.
func TestBegun(t *testing.T) {
	root := t.TempDir()
	doors := filepath.Join(root, "doors")
	for name, text := range map[string]string{
		"etc/sesame/sesame.toml": "scripts = " + strconv.Quote(doors) + "\n", "doors/a": "", "other/a": "",
	} {
		if err := writeBelow(root, name, text); err != nil {
			t.Fatal(err)
		}
	}
	same := filepath.Join(root, "same")
	if err := os.Symlink(doors, same); err != nil {
		t.Fatal(err)
	}
	check := func(when, dir string, ours, service bool) {
		t.Helper()
		b := begun(dir, "tcp/22", root)
		if b.read != doors || b.ours != ours || b.service != service {
			t.Errorf("%s, %s: %+v", when, filepath.Base(dir), b)
		}
	}
	check("without a unit", doors, true, false)
	if err := writeBelow(root, "usr/lib/systemd/system/sesame.service", ""); err != nil {
		t.Fatal(err)
	}
	check("without systemd", doors, true, false)
	if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	check("with both", doors, true, true)
	check("with both", same, true, true)
	check("with both", filepath.Join(root, "other"), false, true)
	if b := begun(doors, "tcp/22", filepath.Join(root, "empty")); b.read != "/etc/sesame/scripts" || b.ours || b.service {
		t.Errorf("without anything: %+v", b)
	}
}

// Files that root writes are read by root, and sudo is named where it is there.
func TestBegunBy(t *testing.T) {
	for name, tt := range map[string]struct {
		uid            int
		sudo           string
		private, plain bool
	}{
		"a person":              {1000, "", false, false},
		"a person with sudo":    {0, "1000", true, false},
		"root":                  {0, "", true, true},
		"sudo -u of another":    {1001, "1000", false, false},
		"root that called sudo": {0, "0", true, false},
	} {
		var b beginning
		if b.by(tt.uid, tt.sudo); b.private != tt.private || b.plain != tt.plain {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
