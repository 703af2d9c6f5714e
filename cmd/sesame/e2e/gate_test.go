//go:build linux

package e2e

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A gate is a file that a command waits at without using a processor: to read it, as cat does,
// ends when the gate is open, or when the test ends.
type gate struct {
	path string
	open func() // any number of times
}

// gate returns one that is shut.
func (w *world) gate(name string) *gate {
	w.Helper()
	g := &gate{path: w.path(name)}
	if err := unix.Mkfifo(g.path, 0o600); err != nil {
		w.Fatal(err)
	}
	// A pipe that somebody could write to: readers wait. This never waits itself.
	writer, err := os.OpenFile(g.path, os.O_RDWR, 0)
	if err != nil {
		w.Fatal(err)
	}
	g.open = sync.OnceFunc(func() {
		_ = os.Remove(g.path) // first, so that nobody waits there who comes later
		writer.Close()
	})
	w.Cleanup(g.open)
	return g
}
