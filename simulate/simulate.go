// Package simulate turns captures and a script set into a report.
//
// It is the daemon without the machine: the same filter, decoder, engine and
// transcript, in virtual time. It imports nothing that could open a port or run
// a command, so that replaying a stranger's capture through a stranger's scripts
// is as harmless as reading them.
package simulate

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A Config says what to replay. Only Captures or Recording, Set or Load, and
// Writer are required.
type Config struct {
	Captures []string // paths; "-" is standard input
	// Recording is read in place of Captures. It is not closed.
	Recording io.Reader

	// Set is what the captures are replayed through. Without one, a recording of
	// the daemon that stands alone is replayed exactly: with the scripts, the
	// results of effects and all else that was recorded, to its last input. For
	// any other capture Load is then called to complete the Config with a set.
	Set  *engine.Set
	Load func(*Config) error

	Local  []netip.Prefix // the host's addresses; none: those recorded, else every destination counts
	Until  time.Duration  // how long script timers run on after the last packet
	Writer Writer
	// Account asks for what people want to know beyond the transcript. It
	// costs a little for each watched packet, and a second pass over a capture
	// in which nothing was a knock.
	Account bool
	// Source and Since limit what Writer and the account are told: to what
	// concerns addresses of a network, and to what happened from a time on. The
	// zero values limit nothing. Totals are of everything all the same.
	Source netip.Prefix
	Since  time.Time
	// Progress is called now and then with what was read of a capture.
	Progress func(name string, read, size int64)
}

// A Report says how a replay went.
type Report struct {
	transcript.Summary
	Clamped int // packets stamped earlier than their predecessor
	Cut     int // decoded packets of whose payload the capture holds only a part
	// Unreadable counts the packets of each link type that cannot be decoded.
	Unreadable map[packet.LinkType]int
	// Incomplete has one error for each capture that could not be read to its
	// end, all before which was replayed, and one for scripts that find none.
	Incomplete []error
	// Exact says that a recording was replayed as it was recorded.
	Exact bool

	account *account
	nothing string // why nothing was a knock
	local   []netip.Prefix

	recorded bool // local is from a recording
}

// Run replays the captures, merged by time. It fails when a capture cannot be
// opened, before anything is written, and when the transcript cannot be.
// Memory does not grow with the captures.
func Run(c Config) (*Report, error) {
	captures, err := c.open()
	if err != nil {
		return nil, err
	}
	defer captures.close()
	if c.Set == nil {
		recording := captures.recording()
		switch {
		case recording != nil && len(captures) == 1:
			return rerun(c, recording)
		case recording != nil:
			return nil, fmt.Errorf("%s is a recording of the daemon, which is replayed with its own scripts: replay it alone, or name scripts for all captures with -s", recording.name)
		case c.Load == nil:
			return nil, errors.New("no scripts to replay the captures through")
		}
		if err := c.Load(&c); err != nil {
			return nil, err
		}
	}
	p := newPass(c, captures)
	c.Writer.Begin(namesOf(c.Set.Doors))
	p.read()
	p.replay.end(c.Until)
	report := p.report()
	if c.Account && report.Knocks == 0 {
		c.Local = report.local
		report.nothing = explain(c, report, captures.streamed())
	}
	return report, c.Writer.Summary(report.Summary)
}
