// Package suite turns the tests of scripts and a script set into results.
//
// Each test has an engine of its own in virtual time. So tests do not disturb each other, any
// number of them run at once, and an hour passes in no time. Like package simulate it cannot reach
// the machine: no test opens a port, runs a command or asks a database.
package suite

import (
	"os"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/scripting/spec"
)

// A Config is what to run, and how.
type Config struct {
	// Files has the scripts. Nobody else may use it while tests run: it reads referenced files
	// when a set is loaded.
	Files *source.Files
	Tests []*spec.Test
	// Options are those that a test begins with. The values of a test replace them by name.
	Options scripting.Options
	// Dir is where relative paths of captures and golden transcripts begin; "": the directory of
	// Files.
	Dir string
	// Match chooses the tests to run; nil: all. The others have no result.
	Match func(*spec.Test) bool
	// OpenClosed opens a capture or a golden transcript that this process may not open. Its error
	// is why a test is skipped that needs the file; nil: there is nobody who opens it.
	OpenClosed func(path string) (*os.File, error)
	Workers    int // how many tests run at once; 0: one for each processor
	// CheapestFirst lets no test that takes long keep others from running, for a context that may
	// end before all have run: it begins again behind them. [Report.Coverage] then counts what it
	// did twice. The results have the order of Tests.
	CheapestFirst bool

	// Update makes a golden transcript that differs no failure: [Result.Golden] has the new text.
	// Nothing is written.
	Update   bool
	Coverage bool // collect [Report.Coverage]
}
