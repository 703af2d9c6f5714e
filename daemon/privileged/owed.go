//go:build linux

package privileged

import (
	"net/netip"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/wire"
)

// An owed undo is one whose command ran, or may have run: it is on the disk before that.
type owed struct {
	ID        uint64        `json:"id"`
	Argv      []wire.Text   `json:"argv"`
	Timeout   time.Duration `json:"timeout"`
	AnyStatus bool          `json:"any_status,omitempty"`
	Door      wire.Text     `json:"door,omitempty"`
	Source    netip.Prefix  `json:"source,omitzero"`
	Grant     uint64        `json:"grant,omitempty"`

	hash    hash
	session uint64        // in which its command ran; 0: in an earlier process
	ended   chan struct{} // closed when its command has ended; nil: in an earlier process
	over    chan struct{} // closed when the undo itself has ended; nil: it does not run
	gone    bool          // it is owed no longer
	size    int
}

// command returns the undo as it is run.
func (o *owed) command() effect.Command {
	argv := wire.Convert[string](o.Argv)
	return effect.Command{Argv: argv, Undo: true, Undone: argv, Door: string(o.Door), Source: o.Source, Grant: o.Grant, Timeout: o.Timeout}
}

// release notes that an undo does not run any more. The caller holds the lock.
func (o *owed) release() {
	if o.over != nil {
		close(o.over)
		o.over = nil
	}
}
