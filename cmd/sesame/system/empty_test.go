//go:build linux

package system

import "testing"

// TestSystemBoots boots a Debian with nothing of ours. Where it fails, no other test here can tell
// anything of Sesame: .ci/run runs it first.
func TestSystemBoots(t *testing.T) {
	m := newDebian(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("cannot boot: a machine with nothing of ours did not start")
		}
	})
	m.powerOn()
	m.settled()
	m.opens(free)
}
