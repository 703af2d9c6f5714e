package perturb

import (
	"fmt"
	"slices"
	"time"

	"sesame/daemon/transcript"
)

// A Fate is what happened to one packet on its way, in a run.
type Fate struct {
	What    What
	By      time.Duration // of Held, Copied, Resent and Late
	input   int
	version int
	behind  int // the input that a packet is held back for
}

// What is a kind of fault.
type What string

// The faults. Copied and Resent are about the packet that was sent in addition.
const (
	Lost       What = "lost"
	Copied     What = "copied"
	Held       What = "held_back"
	Resent     What = "sent_again"
	Late       What = "late"
	Translated What = "translated"
)

// tell notes what happened to a packet, if somebody wants to know.
func (a *arranger) tell(input, version int, what What, by time.Duration, behind int) {
	if a.told {
		a.fates = append(a.fates, Fate{what, by, input, version, behind})
	}
}

// mostFates is how many packets people are told about.
const mostFates = 40

// A Told is what happened to one packet, for people and programs.
type Told struct {
	Packet  int    `json:"packet"`
	Capture int    `json:"capture,omitempty"`
	Source  string `json:"source"`
	Port    string `json:"port"`
	What    What   `json:"fault"`
	By      string `json:"by,omitempty"`
	Text    string `json:"text"`
	Words   string `json:"-"` // the end of Text, which says what happened
}

// fatesOf returns what happened to the packets of a run, and how many more there were.
func (a *arranger) toldFates() (told []Told, more int) {
	for _, f := range a.fates[:min(len(a.fates), mostFates)] {
		p := a.route.packets[f.input]
		one := Told{Packet: p.Number, Capture: p.Capture, Source: p.Source.String(), Port: p.Port.String(), What: f.What}
		if f.By > 0 {
			one.By = transcript.Duration(f.By.Round(time.Microsecond))
		}
		one.Words = a.words(f, one.By)
		one.Text = fmt.Sprintf("packet %d, %s of %s: %s", p.Number, p.Port, p.Source, one.Words)
		told = append(told, one)
	}
	return told, len(a.fates) - len(told)
}

// words describes a fate.
func (a *arranger) words(f Fate, by string) string {
	which := ""
	switch {
	case f.version == copied:
		which = "its copy was "
	case f.version >= resent:
		which = fmt.Sprintf("what was sent again after %s was ", transcript.Duration(resends[f.version-resent]))
	}
	switch f.What {
	case Lost:
		return which + "lost"
	case Copied:
		return "a copy followed after " + by
	case Held:
		return fmt.Sprintf("held back for %s, behind packet %d", orNothing(by), a.route.packets[f.behind].Number)
	case Resent:
		return "sent again after " + by
	case Late:
		return which + "late by " + by
	case Translated:
		at := slices.IndexFunc(a.arrivals, func(one arrival) bool { return one.input == f.input && one.version == f.version })
		return which + "sent from " + a.arrivals[at].source.String()
	}
	return string(f.What)
}

// orNothing returns a time, which is empty when there was none.
func orNothing(by string) string {
	if by == "" {
		return "no time"
	}
	return by
}
