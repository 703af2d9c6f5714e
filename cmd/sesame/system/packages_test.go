//go:build linux

package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Two packages of Debian: of this commit, with two version numbers.
type packages struct{ older, newer string }

// packaged makes them as make packages does, once. SESAME_SYSTEM_PACKAGES names two others instead,
// such as that of a release and that of its successor: a.deb:b.deb.
var packaged = sync.OnceValues(func() (packages, error) {
	if older, newer, two := strings.Cut(os.Getenv("SESAME_SYSTEM_PACKAGES"), ":"); two {
		return packages{older, newer}, nil
	}
	older, err := makePackage("1.0.0")
	if err != nil {
		return packages{}, err
	}
	newer, err := makePackage("1.0.1")
	return packages{older, newer}, err
})

// makePackage makes the package for this architecture.
func makePackage(version string) (path string, err error) {
	dir := filepath.Join(scratch, version)
	cmd := exec.Command("make", "packages", "VERSION="+version, "ARCHITECTURES="+runtime.GOARCH, "FORMATS=deb", "DIST="+dir)
	cmd.Dir = filepath.Join("..", "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("%s made %v: expected one package", cmd, found)
	}
	if err != nil {
		return "", err
	}
	return found[0], nil
}

// newCustomer returns a machine that runs and has nothing of ours, and the packages for it.
func newCustomer(t *testing.T) (*machine, packages) {
	t.Helper()
	m := newDebian(t)
	two, err := packaged()
	if err == nil {
		err = built() // for the client, who knocks
	}
	if err != nil {
		t.Fatal(err)
	}
	m.powerOn()
	m.settled()
	m.opens(free)
	return m, two
}

// dpkg runs dpkg, and returns all that it says.
func (m *machine) dpkg(argv ...string) string {
	m.Helper()
	e := m.try(append([]string{"dpkg"}, argv...)...)
	if e.status != 0 {
		m.Fatalf("dpkg %s: exit status %d\n%s%s", strings.Join(argv, " "), e.status, e.stdout, e.stderr)
	}
	m.Logf("dpkg %s:\n%s%s", strings.Join(argv, " "), e.stdout, e.stderr)
	return e.stdout + e.stderr
}

// add installs a package, or replaces the version that is installed.
func (m *machine) add(deb string) (said string) {
	m.Helper()
	name := "/root/" + filepath.Base(deb)
	m.copy(deb, name, 0o644)
	said = m.dpkg("--install", name)
	m.run("rm", name)
	return said
}

// units are those of the package.
var units = []string{"sesame.service", "sesame-guard.service", "sesame-helper.service", "sesame-helper.socket"}

// unitsAre checks what systemctl is-enabled or is-active says of all units.
func (m *machine) unitsAre(question string, answers ...string) {
	m.Helper()
	for i, unit := range units {
		if said := strings.TrimSpace(m.try("systemctl", question, unit).stdout); said != answers[min(i, len(answers)-1)] {
			m.Errorf("systemctl %s %s: %q, expected %q", question, unit, said, answers[min(i, len(answers)-1)])
		}
	}
}

// tables returns the names of all tables of nftables.
func (m *machine) tables() string { m.Helper(); return m.run("nft", "list", "tables") }

// files lists what is on the disk of the machine, a line each: mode, owner and path of everything,
// and the digests of what is in /etc. What a running Debian writes by itself is left out, and what
// dpkg writes for any package.
func (m *machine) files() []string {
	m.Helper()
	list := m.run("sh", "-c", `find / -xdev \( -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/systemd -o \
	-path /var/log/journal -o -path /var/tmp -o -path '/etc/*-' -o -name .pwd.lock \) -prune -o -printf '%M %U:%G %p %l\n'
find /etc -type f ! -name '*-' ! -name '.pwd.lock' -exec sha256sum {} +`)
	return strings.Split(list, "\n")
}

// changes returns the lines that only one of two lists has, with a sign before each.
func changes(before, after []string) (lines []string) {
	for _, one := range []struct {
		sign       string
		of, lacked []string
	}{{"- ", before, after}, {"+ ", after, before}} {
		there := map[string]bool{}
		for _, line := range one.lacked {
			there[line] = true
		}
		for _, line := range one.of {
			if !there[line] {
				lines = append(lines, one.sign+line)
			}
		}
	}
	return lines
}
