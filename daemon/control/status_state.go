package control

import "time"

// State is what is wrong with the state directory.
type State struct {
	// SetNotSaved is why the scripts that run are not saved for the next start.
	SetNotSaved string `json:"set_not_saved,omitempty"`
	// Damaged is what of the journal could not be read at the start.
	Damaged []string `json:"damaged,omitempty"`
	// SetUnloaded is why the scripts that were applied last did not load at the start, when those
	// on the disk did not either: then no door can be knocked at, and the ports are guarded.
	SetUnloaded string `json:"set_unloaded,omitempty"`
	// Newer is what a newer version of Sesame wrote that this one did not read at the start.
	Newer []string `json:"newer,omitempty"`
	// Torn says that the last line of the journal was not whole at the start, as after a crash.
	Torn    string  `json:"torn,omitempty"`
	Journal Journal `json:"journal,omitzero"`
	// PrivilegesKept is why the daemon runs with all of root's privileges.
	PrivilegesKept string `json:"privileges_kept,omitempty"`
	// SyncNotSaved is why the next start does not know that the clock was synchronised once.
	SyncNotSaved string `json:"sync_not_saved,omitempty"`
}

// Journal is the state of the journal. It is left out while all is written.
type Journal struct {
	Unwritable string    `json:"unwritable,omitempty"` // why it cannot be written
	Since      time.Time `json:"since,omitzero"`       // since when
	Pending    int       `json:"pending,omitempty"`    // records that wait, and are lost in a crash
}
