package effect

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// Guards are the ports that are shut to everyone without a grant.
type Guards struct {
	Drop  []packet.Port
	Count []packet.Port // observed: who would be stopped is counted, and passes
}

// An Element is access for one source to one port, as the kernel holds it.
type Element struct {
	Source netip.Prefix
	Port   packet.Port
	// Remaining is the time that is left: the kernel ends the access by itself.
	// Zero and less: the element must go.
	Remaining time.Duration
	Grant     uint64 // that the element is for; of several, one
	Door      string
	// Observed says that the element lets nobody in: who has one is not counted
	// as one whom a guard would have stopped. It is apart from a real one.
	Observed bool
}

// A Firewall holds guards and elements. One goroutine calls its methods.
type Firewall interface {
	// Apply changes elements in their order: of two changes of one source and
	// port the later one holds. It returns nil when all succeeded, else one
	// error or nil for each. An element that is not there to be removed is no
	// error; a table that is not there is [ErrGone].
	Apply([]Element) []error
	// Install makes the kernel hold these guards and these elements and no
	// others, in one transaction, and leaves what is right alone.
	Install(Guards, []Element) error
	// Elements returns what the kernel holds.
	Elements() ([]Element, error)
}

// ErrGone says that our table is not there, since somebody removed it. The
// whole of it must be installed again.
var ErrGone = errors.New("the firewall's table is gone")
