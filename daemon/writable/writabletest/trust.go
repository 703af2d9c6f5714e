// Package writabletest turns the owner of the directory for temporary files into a user whom
// package writable trusts, so that tests hold wherever they run.
package writabletest

import (
	"os"
	"strconv"
	"syscall"
)

// TrustOwnerOfTemp lets the programs that a test starts as root trust who owns the directory for
// temporary files, as if that user had started them with sudo. It is for TestMain. A directory
// that everybody can write and that is not sticky stays a finding.
func TrustOwnerOfTemp() error {
	info, err := os.Stat(os.TempDir())
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Setenv("SUDO_UID", strconv.FormatUint(uint64(stat.Uid), 10))
}
