// Package simulate turns captures and a script set into a report.
//
// It is the daemon without the machine: the same filter, decoder, engine and
// transcript, in virtual time. It imports nothing that could open a port or run
// a command, so that replaying a stranger's capture through a stranger's scripts
// is as harmless as reading them.
package simulate

import (
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A Config says what to replay. Only Captures, Set and Writer are required.
type Config struct {
	Captures []string // paths; "-" is standard input
	Set      *engine.Set
	Local    []netip.Prefix // the host's addresses; none: every destination counts
	Until    time.Duration  // how long script timers run on after the last packet
	Writer   Writer
	// Account asks for what people want to know beyond the transcript. It
	// costs a little for each watched packet, and a second pass over a capture
	// in which nothing was a knock.
	Account bool
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

	account *account
	nothing string // why nothing was a knock
	local   []netip.Prefix
}

// Run replays the captures, merged by time. It fails when a capture cannot be
// opened, before anything is written, and when the transcript cannot be.
// Memory does not grow with the captures.
func Run(c Config) (*Report, error) {
	captures, err := open(c.Captures)
	if err != nil {
		return nil, err
	}
	defer captures.close()
	p := newPass(c, captures)
	c.Writer.Begin()
	p.read()
	p.replay.end(c.Until)
	report := p.report()
	if c.Account && report.Knocks == 0 {
		report.nothing = explain(c, report, captures.streamed())
	}
	return report, c.Writer.Summary(report.Summary)
}
