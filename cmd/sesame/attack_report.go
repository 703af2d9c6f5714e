package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/lint"
	"sesame/simulate/attack"
	"sesame/simulate/repeat"
)

// An attackReport is what all attacks did. It is written as JSON.
type attackReport struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
	Rate string     `json:"rate"`
	Seed uint64     `json:"seed"`
	Runs int        `json:"runs"`
	// Doors are those that are attacked. Unreached are those that no scan here can open, and why.
	Doors     []string       `json:"doors"`
	Unreached []unreached    `json:"unreached,omitempty"`
	Scans     []scanReport   `json:"scans"`
	Replays   []replayReport `json:"replays,omitempty"`
	// Opens counts unwanted openings: runs of scans in which a door opened, for each door, and
	// openings by replays. ByDesign counts those of replays that are not unwanted.
	Opens    int `json:"opens"`
	ByDesign int `json:"by_design"`
	MaxOpens int `json:"max_opens"`
}

// An unreached is a door that no scan reaches.
type unreached struct {
	Door string `json:"door"`
	Why  string `json:"why"`
}

// A scanReport is what a scan did.
type scanReport struct {
	Order     string   `json:"order"`
	Protocols []string `json:"protocols"`
	InTurn    bool     `json:"in_turn,omitempty"`
	First     uint16   `json:"first_port"`
	Last      uint16   `json:"last_port"`
	Times     int      `json:"times"`
	Packets   int      `json:"packets"`
	Seconds   float64  `json:"seconds"`
	Runs      int      `json:"runs"`
	Doors     []scanAt `json:"doors,omitempty"`

	scan attack.Scan
}

// A scanAt is what a scan did at a door. Counts are of runs.
type scanAt struct {
	Door      string  `json:"door"`
	Opened    int     `json:"opened"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Completed int     `json:"completed"`
	Refused   int     `json:"refused,omitempty"`
	Reason    string  `json:"reason,omitempty"`
	// Of the first run that opened the door.
	Seed    *uint64 `json:"seed,omitempty"`
	Packet  int     `json:"packet,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
	// Sent is how many packets all runs had sent by then, one after the other, and Lasted how long
	// that takes.
	Sent   int     `json:"packets_to_first,omitempty"`
	Lasted float64 `json:"seconds_to_first,omitempty"`
	// Guess is what check --guess computes for the scan; nil: it has no figure.
	Guess *scanGuess `json:"guess,omitempty"`
}

// A scanGuess is a figure of check --guess, which leaves out conditions and limits.
type scanGuess struct {
	Scans       string  `json:"scans"`
	AtLeast     bool    `json:"at_least,omitempty"`
	Probability float64 `json:"probability"`
	Rate        int64   `json:"packets_per_second,omitempty"`
	Tripwires   int     `json:"tripwires"`
	// Within means that the probability lies in the interval of the runs that completed the
	// sequence.
	Within bool `json:"within"`
}

// A replayReport is what a replay did.
type replayReport struct {
	Of     string     `json:"of"` // the door whose knocks are sent
	Source netip.Addr `json:"source"`
	Replay string     `json:"replay"`
	Doors  []replayAt `json:"doors,omitempty"`

	by netip.Addr // that sends them
}

// A replayAt is what a replay did at a door.
type replayAt struct {
	Door     string  `json:"door"`
	Opened   bool    `json:"opened"`
	ByDesign bool    `json:"by_design,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Packet   int     `json:"packet,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
}

func newAttackReport(f *attackFlags, a *attacked) *attackReport {
	r := &attackReport{
		From: a.target.Source, To: a.target.Dest, Rate: f.rateText, Seed: f.repeated.seed, Runs: f.repeated.runs, MaxOpens: f.maxOpens, Scans: []scanReport{},
	}
	for _, d := range a.set.Engine.Doors {
		if !f.wants(d.Name) {
			continue
		}
		r.Doors = append(r.Doors, d.Name)
		if why := f.misses(d, a.target.Dest); why != "" && !slices.Contains(f.orders, noOrder) {
			r.Unreached = append(r.Unreached, unreached{d.Name, why})
		}
	}
	return r
}

// misses returns why no scan can open a door; "" when one may.
func (f *attackFlags) misses(d *engine.Door, dest netip.Addr) string {
	if d.Target.IsValid() && d.Target != dest {
		return fmt.Sprintf("its knocks are for %s: see --to", d.Target)
	}
	if d.Payload != nil && d.Payload.Misfit(&packet.Packet{}) != "" {
		return "its knocks have a payload, and scans have none"
	}
	none, empty := true, true
	for k := range d.Knocks() {
		empty = false
		if fits := k.Port.Proto != packet.TCP || k.Flags.Holds(f.flags); fits && d.Listen {
			return ""
		} else if !fits && !d.Listen {
			return fmt.Sprintf("%s of its knocks asks for other TCP flags: see --flags", k.Port)
		} else if fits {
			none = false
		}
	}
	switch {
	case empty:
		return "none of its one-time sequences is left"
	case none:
		return "its knocks ask for other TCP flags: see --flags"
	}
	return ""
}

// newScanReport returns what a series did to the doors that are attacked.
func newScanReport(s *attack.Series, f *attackFlags, doors []*engine.Door, guess func(string, lint.Scanned) (lint.Scan, bool)) scanReport {
	scan := s.Scan
	r := scanReport{
		Order: scan.Order.String(), InTurn: scan.InTurn, First: scan.From, Last: scan.To, Times: scan.Times,
		Packets: scan.Packets(), Seconds: scan.After(scan.Packets()).Seconds(), Runs: s.Runs, scan: scan,
	}
	for _, protocol := range scan.Protocols {
		r.Protocols = append(r.Protocols, protocol.String())
	}
	for _, d := range doors {
		if !f.wants(d.Name) {
			continue
		}
		at := newScanAt(s.Of(d.Name), s.Runs, scan.Order == attack.Random)
		if at.Opened > 0 && scan.Order == attack.Random {
			before := int(*at.Seed - f.repeated.seed)
			at.Sent, at.Lasted = before*r.Packets+at.Packet, float64(before)*r.Seconds+at.Seconds
		}
		if scan.Order == attack.Random && scan.Times == 1 {
			of := lint.Scanned{Protocols: scan.Protocols, Flags: scan.Flags, From: scan.From, To: scan.To}
			if g, known := guess(d.Name, of); known {
				at.Guess = newScanGuess(&g, repeat.Share{Of: at.Completed, All: s.Runs})
			}
		}
		if at.Completed > 0 || at.Guess != nil {
			r.Doors = append(r.Doors, at)
		}
	}
	return r
}

// newScanAt returns what scans did at a door. Of those that are not random each would do the same.
func newScanAt(of attack.Result, runs int, random bool) scanAt {
	at := scanAt{
		Door: of.Door, Opened: of.Opened, Completed: of.Completed, Refused: of.Refused, Reason: of.Reason,
		Packet: of.First, Seconds: of.After.Seconds(),
	}
	if !random {
		at.Low, at.High = float64(of.Opened), float64(of.Opened)
		return at
	}
	if of.Opened > 0 {
		at.Seed = &of.FirstSeed
	}
	at.Low, at.High = repeat.Share{Of: of.Opened, All: runs}.Interval()
	return at
}

// newScanGuess compares a figure with the runs that completed the sequence.
func newScanGuess(s *lint.Scan, completed repeat.Share) *scanGuess {
	g := &scanGuess{Scans: s.Scans, AtLeast: s.AtLeast, Rate: s.Rate, Tripwires: s.Tripwires}
	if scans, err := strconv.ParseFloat(s.Scans, 64); err == nil && scans > 0 {
		g.Probability = 1 / scans
	}
	g.Within = completed.Has(g.Probability)
	if _, high := completed.Interval(); s.AtLeast { // the figure is the most that is possible
		g.Within = g.Within || high < g.Probability
	}
	return g
}

// newReplayReport runs a replay.
func newReplayReport(r *attack.Replay, t attack.Target, f *attackFlags) replayReport {
	report := replayReport{Of: r.Opening.Door, Source: r.Opening.Source, Replay: r.Name, by: r.Sender()}
	for _, d := range r.Run(t) {
		if !f.wants(d.Door) || d.Opened+d.Refused == 0 {
			continue
		}
		at := replayAt{Door: d.Door, Opened: d.Opened > 0, Packet: d.First, Seconds: d.After.Seconds()}
		if at.ByDesign = at.Opened && r.ByDesign(t.Set, d.Door); !at.Opened {
			at.Reason = d.Reason
		}
		report.Doors = append(report.Doors, at)
	}
	return report
}

// sum counts the openings.
func (r *attackReport) sum(f *attackFlags) {
	for _, s := range r.Scans {
		for _, at := range s.Doors {
			r.Opens += at.Opened
		}
	}
	for _, one := range r.Replays {
		for _, at := range one.Doors {
			switch {
			case at.ByDesign && !f.countReplays:
				r.ByDesign++
			case at.Opened:
				r.Opens++
			}
		}
	}
}
