package record

import (
	"errors"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// A Kind is the kind of an Input. The numbers are in recordings and never change.
type Kind uint16

// The inputs of an engine other than packets. Each is named after the method of
// [engine.Engine] that takes it, but for facts.
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
	// InputFacts is no input of its own: it has the answers that the next input was given.
	InputFacts  Kind = 11
	InputClock  Kind = 12
	InputForget Kind = 13
	// InputTimeouts is no input of its own: it has the runs of functions that the clock ended
	// during the next input.
	InputTimeouts Kind = 14
	InputContinue Kind = 15

	snapshot Kind = 1
)

// An Input is an input of an engine, other than a packet. Kind decides which fields are set.
type Input struct {
	Kind Kind      `json:"-"`
	Time time.Time `json:"-"` // engine time

	Scripts Scripts         `json:"-"`         // of InputSet
	Records []engine.Record `json:"-"`         // of InputRestore
	ID      uint64          `json:",omitzero"` // of InputResult
	Error   wire.Text       `json:",omitzero"` // of InputResult: why the effect failed; empty: it succeeded
	Ran     bool            `json:",omitzero"` // of InputResult: a command ran, and failed
	Status  int             `json:",omitzero"` // of InputResult: see [engine.CommandError]
	Source  netip.Prefix    `json:",omitzero"` // of InputGrant and InputRevoke; of InputForget: one address
	Port    wire.Port       `json:",omitzero"` // of InputGrant and InputRevoke
	Cut     bool            `json:",omitzero"` // of InputRevoke
	TTL     time.Duration   `json:",omitzero"` // of InputGrant
	Local   []netip.Prefix  `json:",omitzero"` // of InputLocal; nil: every address
	Own     []netip.Prefix  `json:",omitzero"` // of InputLocal: see [engine.Engine.Own]; nil: not known
	Offset  time.Duration   `json:",omitzero"` // of InputStep
	Doubt   bool            `json:",omitzero"` // of InputClock
	Asked   []engine.Asked  `json:"-"`         // of InputFacts
	// Of InputTimeouts: in the order in which they ran.
	Timeouts []engine.Timeout `json:"-"`
	// Of InputContinue: what the engine before a restart carried; else nil.
	Carried *engine.Carried `json:",omitzero"`
	// Of InputForget, with Source: see [engine.Selection].
	Script wire.Text `json:",omitzero"`
	Key    wire.Text `json:",omitzero"`
	Shared bool      `json:",omitzero"`
}

// Result returns the input for the result of an effect.
func Result(id uint64, err error) Input {
	in := Input{Kind: InputResult, ID: id}
	if err != nil {
		in.Error = wire.Text(err.Error())
	}
	if command, ok := errors.AsType[*engine.CommandError](err); ok {
		in.Ran, in.Status = true, command.Status
	}
	return in
}

// Forget returns the input that forgets the chosen values.
func Forget(chosen engine.Selection) Input {
	in := Input{Kind: InputForget, Script: wire.Text(chosen.Script), Key: wire.Text(chosen.Key), Shared: chosen.Shared}
	if chosen.Source.IsValid() {
		in.Source = netip.PrefixFrom(chosen.Source, chosen.Source.BitLen())
	}
	return in
}

// Chosen returns which values an InputForget forgets.
func (in *Input) Chosen() engine.Selection {
	return engine.Selection{Script: string(in.Script), Source: in.Source.Addr(), Shared: in.Shared, Key: string(in.Key)}
}

// Failure returns the error of an InputResult, as the engine got it; nil when the effect
// succeeded.
func (in *Input) Failure() error {
	switch {
	case in.Ran:
		return &engine.CommandError{Status: in.Status, Text: string(in.Error)}
	case in.Error != "":
		return errors.New(string(in.Error))
	}
	return nil
}

// Scripts are the files and the options of a script set: all that decides what it does. A
// Recorder holds them, so the caller must not change them later.
type Scripts struct {
	Files  []wire.File  // scripts, the modules that they require, and referenced files
	Single wire.Text    `json:",omitzero"` // path of the one script that was loaded; empty: all scripts of the directory
	Base   wire.Text    `json:",omitzero"` // relative paths of referenced files begin here; empty: none are allowed
	Values wire.Options `json:",omitzero"`
	// Observe means that all doors were only observed, whatever the files say.
	Observe bool `json:",omitzero"`
}

// size returns about how many bytes of memory the scripts take, without texts that are held.
func (s Scripts) size(held func(wire.File) bool) int {
	n := 256 + len(s.Base)
	for _, f := range s.Files {
		n += len(f.Path) + 32
		if !held(f) {
			n += len(f.Source)
		}
	}
	for name, value := range s.Values {
		n += len(name) + len(value) + 32
	}
	return n
}

// A Snapshot is the state of an engine between two inputs, and the scripts that it runs. A
// recording begins with one.
type Snapshot struct {
	State   *engine.State
	Scripts Scripts
}
