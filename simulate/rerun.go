package simulate

import (
	"fmt"
	"io"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
)

// What the engine of a recording may ask for, and how many grants and values a
// recording may restore.
const (
	mostAttempts = 1 << 22
	mostGrants   = 1 << 18
)

// A rerunning replays a recording exactly: the engine is given what the daemon's
// was given, and nothing else.
type rerunning struct {
	teller
	config   Config
	capture  *capture
	set      *scripting.Set
	engine   *engine.Engine
	decoder  *packet.Decoder
	packet   packet.Packet
	packets  int
	cut      int
	restored int
	before   engine.Counts // of the engine when the recording began
}

// rerun replays a recording of the daemon. It fails when there is nothing that
// could be replayed; what is wrong further on ends the replay there.
func rerun(c Config, recording *capture) (*Report, error) {
	r := &rerunning{config: c, capture: recording, decoder: packet.NewDecoder()}
	if err := r.begin(); err != nil {
		return nil, err
	}
	defer func() { r.set.Close() }()
	_, size := recording.reader.Progress()
	r.teller = newTeller(c, r.engine.Doors(), size < 0)
	r.spends = r.engine.OneTimeChanges()
	c.Writer.Begin(namesOf(r.engine.Doors()))
	err := r.read()
	if r.account != nil {
		r.account.ended = r.engine.Now()
	}
	report := r.report()
	if err != io.EOF {
		report.Incomplete = append(report.Incomplete, err)
	}
	return report, c.Writer.Summary(report.Summary)
}

// begin makes the engine and the scripts of the first snapshot.
func (r *rerunning) begin() error {
	item, err := r.capture.reader.NextItem()
	switch {
	case err == io.EOF || err == nil && item.Snapshot == nil:
		return fmt.Errorf("%s: a recording without a snapshot at its beginning", r.capture.name)
	case err != nil:
		return err
	}
	set, err := load(item.Snapshot.Scripts)
	if err != nil {
		return fmt.Errorf("%s: the scripts that it began with: %w", r.capture.name, err)
	}
	e, err := engine.Resume(engine.Config{Attempts: mostAttempts, Grants: mostGrants}, item.Snapshot.State, set.Engine)
	if err != nil {
		set.Close()
		return fmt.Errorf("%s: the snapshot that it begins with: %w", r.capture.name, err)
	}
	r.set, r.engine, r.before = set, e, e.Counts()
	return nil
}

// load makes a script set of recorded files.
func load(s record.Scripts) (*scripting.Set, error) {
	files := make([]source.File, len(s.Files))
	for i, f := range s.Files {
		files[i] = source.File{Path: f.Path, Source: f.Source}
	}
	kept := source.Of("the recording", s.Single, files)
	kept.Base = s.Base
	set, err := scripting.Load(kept, scripting.Options{Values: s.Values})
	if err == nil && s.Observe {
		set.Engine.Observe()
	}
	return set, err
}

// read replays all items. The error is io.EOF when that was the end.
func (r *rerunning) read() error {
	for {
		item, err := r.capture.reader.NextItem()
		switch {
		case err != nil:
			return err
		case item.Frame != nil:
			err = r.frame(item.Frame)
		case item.Input != nil:
			err = r.input(item.Input)
		}
		if err != nil {
			return fmt.Errorf("%s: damaged after packet %d: %w", r.capture.name, r.packets, err)
		}
	}
}

// frame gives the engine a packet under the number that it had.
func (r *rerunning) frame(f *record.Frame) error {
	if drop := r.decoder.Decode(f.Link, f.Data, f.Wire, &r.packet); drop != packet.Kept {
		return fmt.Errorf("the packet that follows is %v, which no engine was given", drop)
	}
	if r.packets++; r.packets&often == 0 && r.config.Progress != nil {
		read, size := r.capture.reader.Progress()
		r.config.Progress(r.capture.name, read, size)
	}
	if r.packet.Cut {
		r.cut++
	}
	r.packet.Time, r.packet.Number, r.packet.Capture = f.Time(), f.Number, 0
	if number := int(f.ID); number > 0 {
		r.packet.Number = number
	}
	r.teller.packet(r.engine, &r.packet)
	return nil
}

// input gives the engine an input that is no packet.
func (r *rerunning) input(in *record.Input) error {
	e, now := r.engine, in.Time
	switch in.Kind {
	case record.InputTick:
		r.tell(e.Tick(now))
	case record.InputSet:
		return r.swap(in)
	case record.InputResult:
		r.tell(e.Result(now, in.ID, in.Failure()))
	case record.InputGrant:
		r.tell(e.Grant(now, in.Source, in.Port, in.TTL))
	case record.InputRevoke:
		r.tell(e.Revoke(now, in.Source, in.Port))
	case record.InputRestore:
		if r.restored += len(in.Records); r.restored > mostGrants {
			return fmt.Errorf("more than %d grants and values are restored", mostGrants)
		}
		r.tell(e.Restore(now, in.Records))
	case record.InputLocal:
		r.tell(e.Local(now, in.Local))
	case record.InputStep:
		r.tell(e.Step(now, in.Offset))
	case record.InputShutdown:
		r.tell(e.Shutdown(now))
	}
	r.follow(e)
	return nil
}

// swap changes to the scripts of a reload.
func (r *rerunning) swap(in *record.Input) error {
	next, err := load(in.Scripts)
	if err != nil {
		return fmt.Errorf("the scripts of a reload: %w", err)
	}
	events := r.engine.Swap(in.Time, next.Engine)
	r.tell(events)
	if r.account != nil {
		r.account.swap(r.engine.Doors(), engine.Reloaded)
	}
	r.set.Close()
	r.set = next
	return nil
}

func (r *rerunning) report() *Report {
	now, was := r.engine.Counts(), r.before
	s := transcript.Summary{
		Packets: r.packets, Knocks: now.Knocks - was.Knocks, Opens: now.Opens - was.Opens,
		Misses: now.Misses - was.Misses, Refusals: now.Refusals - was.Refusals, Errors: now.Errors - was.Errors,
	}
	for d := range packet.Drops {
		s.Dropped[d] = now.Dropped[d] - was.Dropped[d]
	}
	report := &Report{Summary: s, Clamped: now.Clamped - was.Clamped, Cut: r.cut, Exact: true, account: r.account}
	if s.Knocks == 0 {
		report.nothing = transcript.Count(s.Packets, "packet") + " recorded, none of which was a knock"
	}
	return report
}
