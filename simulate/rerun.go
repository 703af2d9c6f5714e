package simulate

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
)

// The engine of a replayed recording has room for the most attempts and grants that a daemon can be
// configured for. A recording may restore as many grants and values: more is damage.
const (
	mostAttempts = 1 << 22
	mostGrants   = 1 << 18
)

// A rerunning replays a recording exactly: its engine gets the inputs that the daemon's engine got,
// and no others.
type rerunning struct {
	output
	config   Config
	capture  *capture
	set      *scripting.Set
	older    bool // an older version began the recording, which had no tripwires
	unpriced bool // so did one without the prices of today: see [engine.Call.Priced]
	engine   *engine.Engine
	decoder  *packet.Decoder
	packet   packet.Packet
	packets  int
	cut      int           // packets of whose payload the capture holds only a part
	restored int           // grants and values that were restored, at most mostGrants
	before   engine.Counts // of the engine when the recording began
	facts    recordedFacts // that its inputs were given
	timeouts int           // runs of functions that the clock ended during the next input
	unended  int           // such runs that did not come
	stage    rehearsals    // what rehearsals after the replay need
	revealer *record.Revealer
	effects  uint64 // that were requested before the recording
}

// rerun replays a recording of the daemon. It fails when the recording cannot even begin. Damage
// further on ends the replay there, and is reported as incomplete.
func rerun(ctx context.Context, c Config, recording *capture) (*Report, error) {
	r := &rerunning{config: c, capture: recording, decoder: packet.NewDecoder(), revealer: NewRevealer()}
	if c.find != nil {
		r.revealer.Find = c.find
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer func() { r.set.Close() }()
	_, size := recording.reader.Progress()
	r.output = newOutput(c, size < 0)
	r.lookAt(r.engine.Doors())
	r.oneTime = r.engine.OneTimeChanges()
	r.explained(r.engine)
	if c.Account {
		r.kept = newKeeper(r.set.Engine)
	}
	r.hold(r.engine)
	c.Writer.Begin(namesOf(r.engine.Doors()), nil)
	err := r.read(ctx)
	if r.account != nil {
		end := r.engine.Now()
		if c.Now.After(end) {
			end = c.Now
		}
		r.account.End(end, !c.Now.IsZero())
		r.times.End(end)
	}
	report := r.summary()
	if err != io.EOF {
		report.Incomplete = append(report.Incomplete, err)
	}
	if c.Account {
		if !r.account.Empty() {
			report.nothing = ""
		}
		r.stage.set, r.stage.stopped, r.stage.left = r.set.Engine, ctx.Err, max(leastRehearsed, r.packets)
		addHalves(r.account, report.split)
		r.stage.suggest(r.account, r.kept, report.split)
	}
	return report, report.finish(&c)
}

// begin loads the scripts of the first snapshot and resumes its engine.
func (r *rerunning) begin() error {
	item, err := r.capture.reader.NextExact()
	switch {
	case err == io.EOF || err == nil && item.Snapshot == nil:
		return fmt.Errorf("%s: a recording without a snapshot at its beginning", r.capture.name)
	case err != nil:
		return err
	}
	r.revealer.Reveal(item)
	r.effects = item.Snapshot.State.LastEffect
	r.older, r.unpriced = !item.Snapshot.State.Tripwires, !item.Snapshot.State.Priced
	set, err := load(item.Snapshot.Scripts, r.older, r.unpriced)
	if err != nil {
		return fmt.Errorf("%s: the scripts that it began with: %w", r.capture.name, err)
	}
	withoutAttempts(item.Snapshot.State, set, r.revealer.Missing)
	e, err := engine.Resume(engine.Config{Attempts: mostAttempts, Grants: mostGrants}, item.Snapshot.State, set.Engine)
	if err != nil {
		set.Close()
		return fmt.Errorf("%s: the snapshot that it begins with: %w", r.capture.name, err)
	}
	r.set, r.engine, r.before = set, e, e.Counts()
	e.SetFacts(&r.facts)
	if r.config.judge != nil {
		e.Explain(r.config.judge)
	}
	state := item.Snapshot.State
	r.stage = rehearsals{local: state.Local, own: state.Own, offset: state.Offset, facts: newOfflineFacts(nil)}
	return nil
}

// load loads a script set from recorded files. older means that it ran in a version without
// tripwires, unpriced in one without prices.
func load(s record.Scripts, older, unpriced bool) (*scripting.Set, error) {
	return loadWith(s, scripting.Options{SharedListenLimit: older, Unpriced: unpriced})
}

// loadWith is load with options beside those that the recording has.
func loadWith(s record.Scripts, options scripting.Options) (*scripting.Set, error) {
	return loadAt(s, "", options)
}

// loadAt is loadWith for a directory in which the scripts did not lie; "": where they lay.
func loadAt(s record.Scripts, base string, options scripting.Options) (*scripting.Set, error) {
	files, was := make([]source.File, len(s.Files)), string(s.Base)
	if base == "" || was == "" {
		base = was
	}
	for i, f := range s.Files {
		path := string(f.Path)
		if rest, below := strings.CutPrefix(path, was+"/"); below && was != "" {
			path = filepath.Join(base, rest)
		}
		files[i] = source.File{Path: path, Source: f.Source}
	}
	recorded := source.Of("the recording", string(s.Single), files)
	recorded.Base = base
	options.Values, options.RanBefore = s.Values, true
	set, err := scripting.Load(recorded, options)
	if err == nil && s.Observe {
		set.Engine.Observe()
	}
	return set, err
}

// read replays all items. The error is io.EOF at the end of the recording.
func (r *rerunning) read(ctx context.Context) error {
	for {
		item, err := r.capture.reader.NextExact()
		switch {
		case err != nil:
			return err
		case item.Frame != nil:
			err = r.frame(item.Frame)
			if r.packets&progressMask == 0 && ctx.Err() != nil {
				return interrupted(r.capture.name, r.capture.reader)
			}
		case item.Input != nil:
			r.revealer.Reveal(item)
			err = r.input(item.Input)
		}
		if item.Input == nil || item.Input.Kind != record.InputFacts && item.Input.Kind != record.InputTimeouts {
			r.facts.set(nil) // they were those of one input
			r.noteTimeouts()
		}
		if err != nil {
			return fmt.Errorf("%s: damaged after packet %d: %w", r.capture.name, r.packets, err)
		}
	}
}

// frame gives a packet to the engine, with the number that it had in the daemon.
func (r *rerunning) frame(f *record.Frame) error {
	if drop := r.decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception|packet.Judged, &r.packet); drop != packet.NotDropped {
		return fmt.Errorf("the packet that follows is %v, which no engine was given", drop)
	}
	r.packet.Interface, r.packet.LinkDigest = f.Interface, f.LinkDigest
	r.packets++
	r.config.progress(r.packets, r.capture)
	if r.packet.Cut {
		r.cut++
	}
	r.packet.Time, r.packet.Number, r.packet.Capture = f.Time(), f.Number, 0
	// In a recording the number of a packet in the file is not its number in the daemon.
	if number := int(f.ID); number > 0 {
		r.packet.Number = number
	}
	r.succeed(r.awaited(r.output.packet(r.engine, &r.packet)))
	return nil
}

// noteTimeouts counts the runs that the clock ended in the recording, and that the input at hand
// did not have.
func (r *rerunning) noteTimeouts() {
	if r.timeouts > 0 {
		r.unended += r.timeouts - len(r.engine.Timeouts())
		r.timeouts = 0
	}
}

// input gives an input that is no packet to the engine. Facts and timeouts are those of the input
// that follows.
func (r *rerunning) input(in *record.Input) error {
	e, now := r.engine, in.Time
	switch in.Kind {
	case record.InputTick:
		r.report(e.Tick(now))
	case record.InputSet:
		return r.swap(in)
	case record.InputResult:
		r.result(in)
	case record.InputGrant:
		r.report(e.Grant(now, in.Source, packet.Port(in.Port), in.TTL))
	case record.InputRevoke:
		r.report(e.Revoke(now, in.Source, packet.Port(in.Port), in.Cut))
	case record.InputRestore:
		if r.restored += len(in.Records); r.restored > mostGrants {
			return fmt.Errorf("more than %d grants and values are restored", mostGrants)
		}
		r.report(e.Restore(now, in.Records))
		r.hold(e)
	case record.InputLocal:
		e.Own(in.Own)
		r.stage.local, r.stage.own = in.Local, in.Own
		r.report(e.Local(now, in.Local))
	case record.InputStep:
		r.stage.offset = in.Offset
		r.report(e.Step(now, in.Offset))
	case record.InputClock:
		r.report(e.Clock(now, in.Doubt))
	case record.InputContinue:
		r.report(e.Continue(now, *in.Carried))
	case record.InputForget:
		r.report(e.Forget(now, in.Chosen()))
	case record.InputShutdown:
		r.report(e.Shutdown(now))
	case record.InputTimeouts:
		r.timeouts = len(in.Timeouts)
		e.SetTimeouts(in.Timeouts)
		return nil
	case record.InputFacts:
		r.facts.set(in.Asked)
		r.stage.facts.remember(in.Asked)
		return nil
	}
	r.updateDoors(e)
	return nil
}

// swap exchanges the scripts, as a reload of the daemon did.
func (r *rerunning) swap(in *record.Input) error {
	next, err := load(in.Scripts, r.older, r.unpriced)
	if err != nil {
		return fmt.Errorf("the scripts of a reload: %w", err)
	}
	r.report(r.engine.Swap(in.Time, next.Engine))
	r.lookAt(r.engine.Doors())
	r.set.Close()
	r.set = next
	return nil
}

// summary returns the report. The engine of a snapshot has counted before the recording began, so
// those counts are subtracted.
func (r *rerunning) summary() *Report {
	now, was := r.engine.Counts(), r.before
	s := summary(r.packets, now, was)
	s.Failed = r.failed
	report := &Report{
		Summary: s, Clamped: now.Clamped - was.Clamped, Cut: r.cut, Exact: r.facts.missing+r.unended+len(r.revealer.Missing) == 0, Withheld: r.revealer.Missing, Unanswered: r.facts.missing, Unended: r.unended, Foreign: r.capture.reader.Foreign(), account: r.account, split: r.splitKnocks(),
	}
	report.addTimes(r.times)
	if s.Knocks == 0 {
		report.nothing = transcript.Count(s.Packets, "packet") + " recorded, none of which was a knock"
	}
	return report
}

// LoadRecorded loads the scripts of a recording. Older means that a version without tripwires began
// it. The caller closes the set.
func LoadRecorded(s record.Scripts, older bool) (*scripting.Set, error) {
	return load(s, older, older)
}
