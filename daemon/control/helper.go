package control

import "time"

// Helper is the process of root that reads the scripts and runs their commands for the daemon.
type Helper struct {
	Used bool `json:"used"`
	// Unused is why it is not used: the daemon reads the scripts and runs commands itself.
	Unused string `json:"unused,omitempty"`
	// Gone is why it does not answer. Final means that it cannot come back before a restart.
	Gone  string    `json:"gone,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Final bool      `json:"final,omitempty"`
	// LostUndos are pending undos that it knew nothing of, so that nobody ran them: the latest 20.
	LostUndos []LostUndo `json:"lost_undos,omitempty"`
	// FailedUndos are undos that it ran by itself, since the daemon did not know of them, and that
	// failed: the latest 20.
	FailedUndos []FailedUndo `json:"failed_undos,omitempty"`
}

// A FailedUndo is an undo that failed.
type FailedUndo struct {
	Door    string    `json:"door,omitempty"`
	Command string    `json:"command"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// A LostUndo is an undo that nobody ran.
type LostUndo struct {
	Door string    `json:"door,omitempty"`
	Argv []string  `json:"argv"`
	At   time.Time `json:"at"`
}
