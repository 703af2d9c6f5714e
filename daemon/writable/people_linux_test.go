package writable

import "testing"

// A group whose members cannot be read may have any, unless the process gave up reading them.
func TestHiddenGroups(t *testing.T) {
	for hidden, want := range map[bool]bool{false: true, true: false} {
		p := &people{hidden: hidden, known: map[uint32]bool{}}
		if got := p.others(50); got != want {
			t.Errorf("hidden %t: the group has others %t", hidden, got)
		}
	}
}
