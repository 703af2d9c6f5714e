// Package simulate turns captures and a script set into a report.
//
// It runs the filter, the decoder, the engine and the transcript of the daemon in virtual time. It
// imports no package that could open a port or run a command. So it is safe to replay a stranger's
// capture through a stranger's scripts.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/split"
	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/trace"
)

// A Config describes what to replay. It needs Captures or Recording, Set or Load, and Writer.
type Config struct {
	Captures []string // paths; "-" is standard input
	// Recording is read in place of Captures. The caller closes it.
	Recording io.Reader
	// Knocks is a capture file in memory, read in place of Captures. As a file, it can be read
	// twice.
	Knocks []byte

	// Set is the script set. Without one, a single recording of the daemon is replayed exactly:
	// with the scripts, the results of effects and all other inputs that were recorded. For any
	// other captures without a Set, Load is called to complete the Config.
	Set  *engine.Set
	Load func(*Config) error
	// Changes names options of the command that are for a script set, such as "--set"; "": none.
	// Without a Set they would change nothing in a recording, so it is refused.
	Changes string

	Local []netip.Prefix // the host's addresses; nil: those recorded, else every destination counts
	Until time.Duration  // how long script timers run on after the last packet
	// At shifts all captures by the same time, so that the first packet comes then; zero: they keep
	// their times. An exact replay of a recording ignores it.
	At time.Time
	// Decap are the tunnels that are looked into: the innermost packets count. An exact replay of a
	// recording ignores it, since the daemon does not look into tunnels.
	Decap packet.Tunnels
	// Facts answer what scripts ask of the world; nil: nothing is known. What they cannot be asked
	// is taken from a recording that is replayed through a Set. An exact replay never asks them.
	Facts  engine.Facts
	Writer Writer
	// Account collects what [Report.WriteAccount] writes. It costs a little for each packet that a
	// door is interested in, and a second pass over a capture in which nothing was a knock.
	Account bool
	// Judged gets the judgments that the account gets; nil: nobody asked. It needs Account. Those
	// of an input come before its events.
	Judged func(*engine.Judgment)
	// Lines gets a line for each account, behind the events and before the summary; nil: none are
	// wanted. It may be Writer. It needs Account.
	Lines *transcript.JSON
	// Sources, Doors and Since limit the events that Writer and the account get: to sources in some
	// networks, to doors of some names, and to events from a time on. The zero values limit
	// nothing. Totals always count everything.
	Sources []netip.Prefix
	Doors   []string
	Since   time.Time
	// Now is the time of the engine of the daemon that sends the Recording. The time of attempts
	// may be over by then, though the daemon had no input since. Zero: the recording is an old one.
	Now time.Time
	// Trace gets each packet of one source, and what became of it: of the only one in Sources, else
	// of the only one that sends something to a port that a door watches. It costs another pass,
	// which standard input and exact replays cannot have; nil: no trace is wanted.
	Trace func(*trace.Packet)
	// Progress is called now and then with the number of bytes read of a capture, and its size,
	// which is below zero when it is unknown.
	Progress func(name string, read, size int64)

	find  func(path string) ([]byte, error) // reads a file that a recording leaves out; nil: from the disk
	judge func(*engine.Judgment)            // gets the judgments of an exact replay; nil: nobody asked
}

// A Report is the result of a replay.
type Report struct {
	transcript.Summary
	Clamped int // packets stamped earlier than their predecessor
	Cut     int // decoded packets of whose payload the capture holds only a part
	// Unreadable counts the frames that may have an IP packet which cannot be read, by what they
	// carry; for a link type that cannot be read, that is the link type. [KindName] names it.
	Unreadable map[packet.Kind]int
	// Tunnels counts the frames in tunnels that were not looked into, by the names that
	// [packet.ParseTunnels] takes. Those over UDP are not among them.
	Tunnels map[string]int
	// Steps are the first places where a recording clock was set back. MoreSteps counts the rest.
	Steps     []ClockStep
	MoreSteps int
	// Unstamped names the captures that have frames without time stamps, and counts these.
	Unstamped []Unstamped
	// Unread has one error for each capture of which no frame could be judged.
	Unread []error
	// Incomplete has one error for each capture that could not be read to its end. All packets
	// before the error were replayed.
	Incomplete []error
	// Exact means that a recording was replayed with its own scripts and inputs.
	Exact bool
	// Unanswered counts the questions of a recording's own scripts that it has no answer for. Such
	// a replay is not exact.
	Unanswered int
	// Unended counts the runs of functions that the clock ended in a recording, and that did not
	// come when it was replayed. Such a replay is not exact.
	Unended int
	// Withheld are the files of one-time sequences that a recording leaves out, and that this
	// machine does not have as they were. Such a replay is not exact.
	Withheld []string
	// Used has a line for each one-time sequence that a recording consumed and that the scripts do
	// not accept again. It is for a recording that is replayed through a Set.
	Used []string
	// Foreign counts the packets of other captures that were merged with a recording, which an
	// exact replay leaves out.
	Foreign int
	// Open are the times for which ports were open, and WouldOpen those for which they would have
	// been, had their doors not only observed. They need [Config.Account].
	Open, WouldOpen account.OpenTimes

	account *account.Book
	nothing string // why no packet was a knock
	once    bool   // the capture could not be read again, so only what the doors watch was looked at
	hints   string // lines about facts that were needed and that nobody gave
	split   []split.Knock
	local   []netip.Prefix

	selected string // whose accounts were asked for; "": all

	recorded bool // local is from a recording
}

// An Unstamped is a capture with frames without time stamps. Such a frame has the time of the one
// before it.
type Unstamped struct {
	Capture string // its name
	Frames  int
}

// add adds what is to be said of a capture.
func (r *Report) add(c *capture) {
	if n := c.reader.Unstamped(); n > 0 {
		r.Unstamped = append(r.Unstamped, Unstamped{c.name, n})
	}
	if err := c.unjudged.unread(c.name, c.reader.Frames()); err != nil {
		r.Unread = append(r.Unread, err)
	}
}

// Run replays the captures, merged by time. It fails when a capture cannot be opened, before
// anything is written, and when the transcript cannot be written. Memory does not grow with the
// captures.
//
// When ctx ends, the captures count as incomplete from there. The report tells what came before.
func Run(ctx context.Context, c Config) (*Report, error) {
	captures, err := c.open()
	if err != nil {
		return nil, err
	}
	defer captures.close()
	if c.Set == nil {
		recording := captures.recording()
		switch {
		case recording != nil && len(captures) == 1 && c.Changes != "":
			return nil, fmt.Errorf("%s is a recording of the daemon, which is replayed with its own scripts and options: leave out %s, or name scripts with -s", recording.name, c.Changes)
		case recording != nil && len(captures) == 1:
			return rerun(ctx, c, recording)
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
	c.Writer.Begin(namesOf(c.Set.Doors), captures.names())
	p.read(ctx)
	p.replay.end(c.Until)
	report := p.report()
	if path := c.recordedAlone(captures); path != "" {
		report.Used = usedUp(ctx, path, c.Set, report)
	}
	if c.Account {
		p.explain(ctx, report)
	}
	if c.Trace != nil {
		if err := p.trace(ctx, c); err != nil {
			return nil, err
		}
	}
	return report, report.finish(&c)
}

// summary returns the totals of a replay whose engine began with the counts was.
func summary(packets int, now, was engine.Counts) transcript.Summary {
	s := transcript.Summary{
		Packets: packets, Knocks: now.Knocks - was.Knocks, Opens: now.Opens - was.Opens,
		Misses: now.Misses - was.Misses, Refusals: now.Refusals - was.Refusals, Errors: now.Errors - was.Errors,
	}
	for d := range packet.Drops {
		s.Dropped[d] = now.Dropped[d] - was.Dropped[d]
	}
	return s
}
