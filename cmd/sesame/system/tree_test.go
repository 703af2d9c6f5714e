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
	mirror, suite, err := distribution()
	if err != nil {
		return "", err
	}
	if dir = os.Getenv("SESAME_SYSTEM_TREE"); dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("finding a place for the Debian: %w: set SESAME_SYSTEM_TREE to a directory", err)
		}
		dir = filepath.Join(cache, "sesame-tests", fmt.Sprintf("debian-%s-%.4x", suite, sha256.Sum256([]byte(parts))))
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return dir, err
	}
	fmt.Printf("Making a Debian in %s. This takes some minutes, once.\n", dir)
	return dir, bootstrap(dir, mirror, suite)
}

// bootstrap makes the directory. It is whole, or not there.
func bootstrap(dir, mirror, suite string) error {
	aside := dir + ".new"
	if err := errors.Join(os.RemoveAll(aside), os.MkdirAll(filepath.Dir(dir), 0o755)); err != nil {
		return fmt.Errorf("making a Debian: %w", err)
	}
	cmd := exec.Command("debootstrap", "--variant=minbase", "--include="+parts, suite, aside, mirror)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making a Debian: %w\n%s", err, out)
	}
	return os.Rename(aside, dir)
}

// distribution returns the first mirror that apt uses here, and the suite.
func distribution() (mirror, suite string, err error) {
	cmd := exec.Command("apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)", "Identifier: Packages")
	out, err := cmd.Output()
	if err != nil {
		return "", "", fmt.Errorf("asking apt for its mirror: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 4 && (f[0] == "Debian" || f[0] == "Ubuntu") && f[1] == "main" && !strings.ContainsAny(f[2], "-/") {
			return f[3], f[2], nil
		}
	}
	return "", "", errors.New("apt has no mirror of Debian or Ubuntu here: run apt-get update")
}
