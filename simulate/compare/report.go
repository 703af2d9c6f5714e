package compare

import (
	"slices"
	"time"

	"sesame/daemon/transcript"
	"sesame/scripting/difference"
	"sesame/simulate"
)

// A Report is what differs between two sets. Its JSON is described in docs/diff.md.
type Report struct {
	// Declarations are what differs in what the sets say, whatever the packets were.
	Declarations []difference.Change `json:"declarations"`
	// Begin and End are the times of the first and last event of both replays; zero: none was.
	Begin time.Time `json:"begin,omitzero"`
	End   time.Time `json:"end,omitzero"`
	Opens Totals    `json:"opens"`
	Doors []Door    `json:"doors"` // with openings, or of which something differs; by name

	Lost     []Lost    `json:"lost"`
	Gained   []Gained  `json:"gained"`
	Changed  []Changed `json:"changed"`
	Refusals []Refusal `json:"refusals"`
	Effects  []Effect  `json:"effects"`
	Mine     *Mine     `json:"mine,omitempty"`
	// Unrecorded are doors of the new set to whose knocks the recording has no packets.
	Unrecorded []string `json:"not_recorded,omitempty"`
	// Unopened are the doors of either set that no packet opened with any of them.
	Unopened []string `json:"not_opened,omitempty"`
	// Unknown tell which facts were asked for that nobody knows.
	Unknown []string `json:"unknown,omitempty"`
	// Uncompared counts openings beyond the bound.
	Uncompared int `json:"not_compared,omitempty"`

	// Replays are the reports of the old and of the new set; nil without packets.
	Replays [2]*simulate.Report `json:"-"`

	renamed map[string]string // earlier names of doors to later ones
}

// Totals are counts of both sets.
type Totals struct {
	Old int `json:"old"`
	New int `json:"new"`
}

// A Door is what differs at one door.
type Door struct {
	Door string `json:"door"`
	Was  string `json:"was,omitempty"` // its name in the old set, if that is another
	Totals
	Lost    int `json:"lost"`
	Gained  int `json:"gained"`
	Changed int `json:"changed"`
}

// An Opening is one time that a source opened a door.
type Opening struct {
	Door     string     `json:"door"`
	Source   string     `json:"source"`
	Time     time.Time  `json:"time"`
	Packet   int        `json:"packet"`
	Capture  int        `json:"capture,omitempty"`
	Observed bool       `json:"observed,omitempty"` // the door only observes: nothing was given
	Grants   []Grant    `json:"grants,omitempty"`
	Commands [][]string `json:"commands,omitempty"` // in order

	at    place
	other *Opening // in the other set
	why   string   // of one that is lost
}

// A Grant is access that an opening gave.
type Grant struct {
	Port   string `json:"port"`
	Source string `json:"source,omitempty"` // when it is not the one that knocked
	TTL    string `json:"ttl"`
	// Ended is how long after the opening the grant ended, unless a later opening extended it, and
	// Reason why.
	Ended  string `json:"ended,omitempty"`
	Reason string `json:"reason,omitempty"`
	Cut    bool   `json:"cut,omitempty"`
}

// A Lost is an opening of the old set that the new one does not have.
type Lost struct {
	*Opening
	Why        string `json:"why"`
	Suggestion string `json:"suggestion,omitempty"` // a change that would have opened the door
}

// A Gained is an opening of the new set that the old one did not have.
type Gained struct {
	*Opening
	Before string `json:"before,omitempty"` // what the old set did in its place
}

// A Changed is an opening of both sets that gives something else, or comes with another packet.
type Changed struct {
	*Opening          // of the old set
	Now      *Opening `json:"now"`
	// Differences are for people: "tcp/22 for 30s -> 45s".
	Differences []string `json:"differences"`
}

// A Refusal is a sequence that neither set lets in, each for another reason, or that only one of
// them refuses.
type Refusal struct {
	Door    string    `json:"door"`
	Source  string    `json:"source"`
	Time    time.Time `json:"time"`
	Packet  int       `json:"packet"`
	Capture int       `json:"capture,omitempty"`
	Old     string    `json:"old,omitempty"` // why; left out when it did not refuse
	New     string    `json:"new,omitempty"`
}

// An Effect is access or a command that no opening gave, such as that of a timer, which happened
// another number of times.
type Effect struct {
	Door    string   `json:"door,omitempty"`
	Source  string   `json:"source,omitempty"`
	Effect  string   `json:"effect"` // as in transcripts
	Port    string   `json:"port,omitempty"`
	Command []string `json:"command,omitempty"`
	Totals
}

// Mine is the last opening of the caller.
type Mine struct {
	Source string    `json:"source"`
	Door   string    `json:"door,omitempty"` // left out when there is no opening of the source
	Time   time.Time `json:"time,omitzero"`
	Opens  bool      `json:"opens"` // it opens with the new set, too
	Why    string    `json:"why,omitempty"`
}

// SameBehaviour reports whether the packets did the same with both sets.
func (r *Report) SameBehaviour() bool {
	return len(r.Lost)+len(r.Gained)+len(r.Changed)+len(r.Refusals)+len(r.Effects) == 0
}

// Same reports whether nothing differs but comments and layout.
func (r *Report) Same() bool {
	return r.SameBehaviour() && !slices.ContainsFunc(r.Declarations, func(c difference.Change) bool { return c.What != difference.Comments })
}

// sameness says that nothing differs.
func (r *Report) sameness() string {
	if len(r.Declarations) > 0 {
		return "only comments or layout differ"
	}
	return "nothing differs"
}

// Compared reports whether packets were compared.
func (r *Report) Compared() bool { return r.Replays[0] != nil }

// Remarks are lines about the whole comparison, for people.
func (r *Report) Remarks() []string { return r.remarks() }

// gives tells what an opening gave: "tcp/22 for 30s, ran /bin/audit".
func (o *Opening) gives() string {
	text := ""
	add := func(s string) {
		if text != "" {
			text += ", "
		}
		text += s
	}
	for i := range o.Grants {
		add(o.Grants[i].String())
	}
	for _, argv := range o.Commands {
		add("ran " + transcript.Command(argv))
	}
	return text
}

// String returns "tcp/22 for 30s".
func (g *Grant) String() string {
	text := g.Port
	if g.Source != "" {
		text += " to " + g.Source
	}
	return text + " for " + g.TTL
}
