package effect

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/packet"
)

// Guards are the ports that are closed to every source without a grant.
type Guards struct {
	Drop []packet.Port
	// Count holds the ports of doors that only observe: packets pass, and those that a
	// guard would drop are counted.
	Count []packet.Port
}

// An Element is access for one source to one port, as the kernel holds it.
type Element struct {
	Source netip.Prefix
	Port   packet.Port
	// Remaining is the time after which the kernel itself ends the access. Zero or less:
	// the element must be removed.
	Remaining time.Duration
	Grant     uint64 // the element's grant, or one of them when there are several
	Door      string
	// Observed means that the element lets nobody in. Its source is not counted as one
	// that a guard would stop. An enforced element for the same source and port is separate.
	Observed bool
	// Cut means that the sessions and flows of the source to the port must end as well. Only an
	// element that is removed has it. Without an element in the kernel they end all the same.
	Cut bool
}

// A Firewall holds guards and elements. The runner calls its methods in one goroutine.
type Firewall interface {
	// Apply changes elements in their order: of two changes of one source and port the
	// later one holds. It returns nil when all succeeded, else one error or nil for each
	// element. Removing an element that is not there is no error. When the table is not
	// there, each error is [ErrGone].
	Apply([]Element) []error
	// Install makes the kernel hold these guards and these elements and no others, in one
	// transaction. It does not touch what is already right.
	Install(Guards, []Element) error
	// Elements returns the elements that the kernel holds, in no certain order.
	Elements() ([]Element, error)
	// Whole reports whether a daemon installed all of its elements into what the kernel holds
	// now, so that an element that is missing was removed or has ended. After a boot it is
	// false until the first install by a daemon.
	Whole() (bool, error)
}

// ErrGone means that another program removed our table. An install of
// everything brings it back.
var ErrGone = errors.New("the firewall's table is gone")
