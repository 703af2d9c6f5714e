package record

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// A Kind is the kind of an Input. Its numbers stand in recordings.
type Kind uint16

// The inputs of an engine that are no packets, by the methods that take them.
const (
	InputTick     Kind = 2
	InputSet      Kind = 3 // Swap
	InputResult   Kind = 4
	InputGrant    Kind = 5
	InputRevoke   Kind = 6
	InputRestore  Kind = 7
	InputLocal    Kind = 8
	InputStep     Kind = 9
	InputShutdown Kind = 10

	snapshot Kind = 1
)

// An Input is what an engine was given, other than a packet. Which fields are
// set depends on Kind.
type Input struct {
	Kind Kind
	Time time.Time // engine time

	Scripts Scripts         // of InputSet
	ID      uint64          // of InputResult
	Error   string          // of InputResult: why the effect failed; empty: it did not
	Ran     bool            // of InputResult: it failed, and is a command that ran
	Status  int             // of InputResult: as in [engine.CommandError]
	Source  netip.Prefix    // of InputGrant and InputRevoke
	Port    packet.Port     // of InputGrant and InputRevoke
	TTL     time.Duration   // of InputGrant
	Records []engine.Record // of InputRestore
	Local   []netip.Prefix  // of InputLocal; nil: every address
	Offset  time.Duration   // of InputStep
}

// Result returns the input that the result of an effect is.
func Result(id uint64, err error) Input {
	in := Input{Kind: InputResult, ID: id}
	if err != nil {
		in.Error = err.Error()
	}
	if command, ok := errors.AsType[*engine.CommandError](err); ok {
		in.Ran, in.Status = true, command.Status
	}
	return in
}

// Failure returns the error of an InputResult, as the engine was given it; nil:
// the effect was carried out.
func (in *Input) Failure() error {
	switch {
	case in.Ran:
		return &engine.CommandError{Status: in.Status, Text: in.Error}
	case in.Error != "":
		return errors.New(in.Error)
	}
	return nil
}

// Scripts are the files of a script set, and what else decides what it does.
// They must not change once they were handed over.
type Scripts struct {
	Files  []File // scripts, the modules that they require, and what else they name
	Single string // path of the one script that was loaded; empty: all of the directory
	Base   string // that relative paths in scripts begin at; empty: they name no file outside
	Values map[string]string
	// Observe says that no door was in earnest, whatever the files say.
	Observe bool
}

// A File is a script, a module, or what a script names outside, as it was read.
type File struct {
	Path   string // below the directory of the scripts, with slashes; absolute for what scripts name outside
	Source []byte
}

// size is about what the scripts take in a recording, in bytes.
func (s Scripts) size() int {
	n := 256 + len(s.Base)
	for _, f := range s.Files {
		n += len(f.Path) + len(f.Source) + 32
	}
	for name, value := range s.Values {
		n += len(name) + len(value) + 32
	}
	return n
}

// A Snapshot is what a recording begins with: an engine between two inputs, and
// the scripts that it ran.
type Snapshot struct {
	State   *engine.State
	Scripts Scripts
}
