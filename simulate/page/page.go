// Package page turns a report into one HTML file.
//
// The file needs no network and no other file: its style, its script and its data are inside. Read
// collector.go for how a simulation becomes [Data], wire.go for the form that the script reads, and
// write.go for the file. The style and the script are in the directory assets.
package page

import "time"

// Data is what a page shows. All texts may come from strangers, and stay text.
type Data struct {
	Command    string // that made it, such as "simulate"
	Title      string // such as the names of the captures
	Begin, End time.Time
	Captures   []string // nil: there is one
	// Sides names what is compared, such as "before" and "after"; nil: nothing is compared.
	Sides []string
	// Of is a heading: what attempts, grants and accounts are of. "": of the whole report.
	Of       string
	Attempts []Attempt // by the time of their begin
	Grants   []Grant   // by the time of their begin
	Accounts []Account // those that came furthest first
	Totals   []Total
	Findings []Section // above the timeline
	Sections []Section // below it
	Notes    []string  // lines for people, such as what the result depends on
	Left     Left
}

// An Attempt is one try of a source at a door.
type Attempt struct {
	Source, Door string
	Side         int // of [Data.Sides]
	Begin, End   time.Time
	Verdict      Verdict
	Best, Stages int // knocks done, of how many
	Marks        []Mark
	Text         string   // why it ended so
	Gave         []string // what the door did
}

// A Mark is something that happened during an attempt.
type Mark struct {
	Kind    MarkKind
	Time    time.Time
	Packet  int // 0: no packet
	Capture int // 0: there is only one
	Text    string
}

// A MarkKind is what a packet, or time, did to an attempt.
type MarkKind uint8

const (
	MarkKnock   MarkKind = iota // an awaited knock
	MarkRepeat                  // the same knock again, which is forgiven
	MarkIgnored                 // it changed nothing
	MarkEnd                     // it ended the attempt, which was not complete
)

// A Verdict is what became of an attempt, or of a source at a door.
type Verdict uint8

const (
	Stopped    Verdict = iota // it was not completed
	Waiting                   // it goes on
	Refused                   // it was completed, and refused
	Failed                    // it was completed, and its script or an effect failed
	Opened                    // it opened the door
	NeverBegan                // there was no attempt
)

// A Grant is access that a door gave.
type Grant struct {
	Source, Door string
	Side         int
	Begin, End   time.Time
	What         string // such as "tcp/22"
	Reason       string // why it ended; "": it has not ended
	Observed     bool   // the door only observes, so nothing was opened
	Number       uint64 // in the transcript
}

// An Account is what is to be said of one source at one door.
type Account struct {
	Source, Door string
	Side         int
	Verdict      Verdict
	Best, Stages int
	Lines        []string
	Suggestion   string // a change that would have opened the door
}

// A Total is a number of the report.
type Total struct {
	Name  string
	Value int
}

// A Section is a table.
type Section struct {
	Title, Text string
	Columns     []Column
	Rows        [][]string
	Left        int // rows that are left out
}

// A Column is the head of a column of a table.
type Column struct {
	Name   string
	Number bool // its cells are numbers, and stand at the right
}

// Left counts what is left out, since a page is bounded.
type Left struct {
	Attempts, Grants, Accounts int
}

// MaxAttempts bounds the attempts, the grants and the accounts of a page: each as many as there are
// sources in the accounts of a simulation. Attempts that came furthest stay.
const MaxAttempts = 1 << 16

// maxMarks bounds the marks of one attempt beside its knocks.
const maxMarks = 64
