package source

import (
	"sesame/scripting/sandbox"
)

// A Script is a script or a module that compiled, with what its text tells.
type Script struct {
	File
	Program *sandbox.Program
	Lines   []string
	Allows  []AllowSite
	Closes  []CloseSite
	calls   []Call
}

// Call returns the call of a kind in a line, with a name if the kind has names.
// It is nil when there are none or several: a wrong place in a message is worse
// than none.
func (s *Script) Call(line int, kind, name string) *Call {
	var found *Call
	for i := range s.calls {
		c := &s.calls[i]
		if c.line != line || c.kind != kind || c.name != "" && c.name != name {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}
