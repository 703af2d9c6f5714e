package control

// TestsFailedNext is what a person can do when a test failed.
const TestsFailedNext = "correct the scripts or the test, which Sesame notices by itself; to apply them all the same, run: sesame reload --skip-tests"

// Tests tells what became of the tests of scripts in a reload.
type Tests struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"` // above zero: the scripts were rejected, and the error says why
	// Skipped are tests that need a file which is missing, and NotRun those for which there was no
	// time: at most 20 of each. SkippedCount and NotRunCount count all of them.
	Skipped      []Untested `json:"skipped,omitempty"`
	SkippedCount int        `json:"skipped_count,omitempty"`
	NotRun       []Untested `json:"not_run,omitempty"`
	NotRunCount  int        `json:"not_run_count,omitempty"`
	// Off is why no test ran, for people; left out: they ran.
	Off string `json:"off,omitempty"`
}

// An Untested is a test that did not run.
type Untested struct {
	Name string `json:"name"`
	File string `json:"file"`
	Line int    `json:"line"`
	Why  string `json:"why,omitempty"`
}

// A Change is one difference between the scripts that ran before a reload and those that run after
// it, as package scripting/difference finds it.
type Change struct {
	Kind    string   `json:"kind"`           // "door", "command", "handler", "option" or "file"
	Name    string   `json:"name"`           // of that
	What    string   `json:"what"`           // an option such as "ttl", or "new", "gone", "changed", "comments"
	From    string   `json:"from,omitempty"` // From and To are left out when they must not be shown
	To      string   `json:"to,omitempty"`
	Removed []string `json:"removed,omitempty"` // entries of a list, such as countries; at most seven
	Added   []string `json:"added,omitempty"`
}
