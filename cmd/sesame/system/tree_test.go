//go:build linux

package system

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// parts are the packages of the Debian beside those that it cannot be without. Those of the second
// line are what docs/from-knockd.md uses.
const parts = "systemd,systemd-sysv,dbus,nftables,ufw,iproute2,logrotate," +
	"knockd,iptables,tcpdump,procps"

// debian returns a directory that holds a small Debian, or another distribution of its family. It
// is made once, and no test writes to it. Its name changes with the list of packages.
// SESAME_SYSTEM_TREE names another directory for it.
func debian() (dir string, err error) {
	d, err := distribution()
	if err != nil {
		return "", err
	}
	if dir = os.Getenv("SESAME_SYSTEM_TREE"); dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a place for the Debian: %w: set SESAME_SYSTEM_TREE to a directory", err)
		}
		dir = filepath.Join(cache, "sesame-tests", fmt.Sprintf("debian-%s-%.4x", d.suite, sha256.Sum256([]byte(parts))))
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	fmt.Printf("Making a Debian in %s. This takes some minutes, once.\n", dir)
	return dir, d.bootstrap(dir)
}

// bootstrap makes the directory. It is whole, or not there.
func (d *origin) bootstrap(dir string) error {
	aside := dir + ".new"
	if err := errors.Join(os.RemoveAll(aside), os.MkdirAll(filepath.Dir(dir), 0o755)); err != nil {
		return fmt.Errorf("making a Debian: %w", err)
	}
	cmd := exec.Command("debootstrap", "--variant=minbase", "--components="+d.components, "--include="+parts, d.suite, aside, d.mirror)
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return fmt.Errorf("making a Debian: debootstrap: %w: %s\n%s", err, text[strings.LastIndex(text, "\n")+1:], text)
	}
	return os.Rename(aside, dir)
}

// An origin is where the packages of a distribution are.
type origin struct{ mirror, suite, components string }

// components has the parts of a distribution that knockd is in, and all that it needs.
var components = map[string]string{"Debian": "main", "Ubuntu": "main,universe"}

// distribution returns the first mirror that apt uses here.
func distribution() (*origin, error) {
	cmd := exec.Command("apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)", "Identifier: Packages")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking apt for its mirror: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 4 && components[f[0]] != "" && f[1] == "main" && !strings.ContainsAny(f[2], "-/") {
			return &origin{mirror: f[3], suite: f[2], components: components[f[0]]}, nil
		}
	}
	return nil, errors.New("apt has no mirror of Debian or Ubuntu here: run apt-get update")
}
