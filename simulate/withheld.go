package simulate

import (
	"errors"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/record"
	"sesame/scripting"
	"sesame/scripting/source"
)

// This file replays recordings that were written without their one-time sequences: see
// [record.Recording.Withhold].
//
// Where the files of this machine are those that the daemon had, the replay is exact. Otherwise
// their doors have no sequence, and open nothing. The numbers of effects are others then, so each
// effect succeeds at once: the recorded results would be those of other effects.

// ErrWithheld means that a recording leaves out one-time sequences.
var ErrWithheld = errors.New("the recording leaves out the one-time sequences")

// NewRevealer returns what looks for withheld files on this machine.
func NewRevealer() *record.Revealer { return &record.Revealer{Find: source.ReadReferenced} }

// withoutAttempts removes the attempts in doors whose sequences are missing. The state is the
// caller's own.
//
// The doors get other numbers. So first-stage attempts are in doors that are gone, which an engine
// allows: nobody finds them, and they go in their turn.
func withoutAttempts(s *engine.State, set *scripting.Set, missing []string) {
	for _, d := range set.Engine.Doors {
		if d.OneTime == nil || !slices.Contains(missing, d.OneTime.File) {
			continue
		}
		at := slices.IndexFunc(s.Doors, func(was engine.DoorState) bool { return string(was.Name) == d.Name })
		if at < 0 {
			continue // the engine says what is wrong
		}
		number := s.Doors[at].ID
		s.Runs = slices.DeleteFunc(s.Runs, func(r engine.RunState) bool { return r.Door == number })
		s.LastDoor++
		s.Doors[at].ID = s.LastDoor
	}
}

// report passes events on.
func (r *rerunning) report(events []engine.Event) {
	ids := r.awaited(events)
	r.output.report(events)
	r.succeed(ids)
}

// awaited returns the effects among events that succeed at once; nil where nothing is missing.
func (r *rerunning) awaited(events []engine.Event) (ids []uint64) {
	if len(r.revealer.Missing) == 0 {
		return nil
	}
	for i := range events {
		if events[i].ID != 0 {
			ids = append(ids, events[i].ID)
		}
	}
	return ids
}

func (r *rerunning) succeed(ids []uint64) {
	for _, id := range ids {
		r.report(r.engine.Result(r.engine.Now(), id, nil))
	}
}

// result gives a recorded result to the engine.
func (r *rerunning) result(in *record.Input) {
	if len(r.revealer.Missing) == 0 || in.ID <= r.effects {
		r.report(r.engine.Result(in.Time, in.ID, in.Failure()))
	}
}
