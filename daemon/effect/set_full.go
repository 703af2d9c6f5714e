package effect

import (
	"errors"
	"fmt"
	"strings"
)

// ErrSetFull means that a set of the firewall has no room for another element. Every error about
// one set that says more is a [*SetFullError].
var ErrSetFull = errors.New("a set of the firewall is full")

// A SetFullError says which set of the firewall is full. The kernel reports that with ENFILE
// (nft_add_set_elem of nf_tables_api.c), whose own text is about open files.
type SetFullError struct {
	Set, Table string // as nft names them: "k", "inet filter"
	Elements   int    // in the set now, those of others included; 0: not known
	Size       uint32 // elements at most; 0: not known
	Raise      string // the command that raises the size; "": none is known
}

// Error returns one line, with the next step.
func (e *SetFullError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "set %s of table %s is full", e.Set, e.Table)
	if e.Size > 0 {
		noun := "elements"
		if e.Elements == 1 {
			noun = "element"
		}
		fmt.Fprintf(&b, " (%d %s, size %d)", e.Elements, noun, e.Size)
	}
	b.WriteString(": raise its size in the file that makes it")
	if e.Raise != "" {
		b.WriteString(", and now with: " + e.Raise)
	}
	return b.String()
}

// Is reports whether the target is [ErrSetFull].
func (e *SetFullError) Is(target error) bool { return target == ErrSetFull }
