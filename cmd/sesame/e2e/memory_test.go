//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strings"
)

// peak returns how much of the daemon was in memory at most, in MiB, since it started.
func (w *world) peak() int {
	w.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.daemon.cmd.Process.Pid))
	if err != nil {
		w.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\nVmHWM:")
	if !found {
		w.Fatal("no VmHWM in the status of a process")
	}
	return number(strings.Fields(rest)[0]) / 1024
}
