package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/draft"
	"sesame/simulate/opening"
)

// A proof shows that an imported script opens its doors.
type proof struct {
	capture    []byte
	transcript []byte
	test       []byte   // nil: no door opens, so there is none
	doubts     []string // about doors that do not open exactly once
}

// rehearse replays a capture that knocks at each door of a script. The script is not written
// yet, and is read as if it were in dir.
func rehearse(ctx context.Context, dir, name string, text []byte) (*proof, error) {
	files := source.Of(dir, name, []source.File{{Path: name, Source: text}})
	files.ReadReferenced = source.ReadReferenced
	var err error
	if files.Base, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		return nil, fmt.Errorf("the script does not load: %w", err)
	}
	defer set.Close()
	capture, visits, err := opening.Capture(set.Engine.Doors)
	if err != nil {
		return nil, err
	}
	var lines bytes.Buffer
	w := &witness{JSON: transcript.NewJSON(&lines), last: map[visit]engine.Event{}, opens: map[visit]int{}}
	report, err := simulate.Run(ctx, simulate.Config{
		Recording: bytes.NewReader(capture), Set: set.Engine, Until: time.Hour, Writer: w,
	})
	if err != nil {
		return nil, err
	}
	if len(report.Incomplete) > 0 {
		return nil, report.Incomplete[0]
	}
	test, err := importedTest(ctx, strings.TrimSuffix(name, ".lua"), capture, set)
	if err != nil {
		return nil, err
	}
	return &proof{capture, lines.Bytes(), test, w.doubts(visits)}, nil
}

// importedTest returns a test that does what a capture does; nil when nothing in it is a knock.
func importedTest(ctx context.Context, name string, capture []byte, set *scripting.Set) ([]byte, error) {
	found, err := simulate.Matter(ctx, simulate.Config{Knocks: capture, Set: set.Engine})
	if err != nil || len(found.Packets) == 0 {
		return nil, err
	}
	written, err := draft.Write(ctx, draft.Config{
		Set: set, Mattered: found, Name: "each door of " + name + " opens once",
		Comment: "The knocks are those of " + name + ".pcap.",
	})
	if err != nil {
		return nil, err
	}
	return []byte(written.Text), nil
}

// A visit is a source at a door.
type visit struct{ door, source string }

// A witness writes a transcript, and counts which doors opened for which source.
type witness struct {
	*transcript.JSON
	last  map[visit]engine.Event // that was neither an opening nor its effect
	opens map[visit]int
}

// Events writes events and counts openings.
func (w *witness) Events(events []engine.Event) {
	w.JSON.Events(events)
	for _, e := range events {
		at := visit{e.Door, transcript.Source(e.Source)}
		switch e.Kind {
		case engine.EventOpen:
			w.opens[at]++
		case engine.EventStage, engine.EventMiss, engine.EventRefuse, engine.EventError:
			w.last[at] = e
		case engine.EventEffect, engine.EventClose, engine.EventFailed: // they say nothing about why a door stays closed
		}
	}
}

// doubts returns a text for each door that does not open exactly once.
func (w *witness) doubts(visits []opening.Visit) (doubts []string) {
	guests := map[string]string{}
	for _, v := range visits {
		if v.Why != "" {
			doubts = append(doubts, fmt.Sprintf("%s is not in the capture: %s", v.Door.Name, v.Why))
			continue
		}
		guests[v.Source.String()] = v.Door.Name
	}
	for _, v := range visits {
		if v.Why != "" {
			continue
		}
		own := visit{v.Door.Name, v.Source.String()}
		if w.opens[own] != 1 {
			doubts = append(doubts, fmt.Sprintf("%s does not open once when it is knocked: %s", v.Door.Name, w.cameTo(own)))
		}
		var others []string
		for at := range w.opens {
			if at.door == own.door && at.source != own.source {
				others = append(others, guests[at.source])
			}
		}
		if slices.Sort(others); others != nil {
			doubts = append(doubts, fmt.Sprintf("%s opens as well when these are knocked: %s", v.Door.Name, strings.Join(others, ", ")))
		}
	}
	return doubts
}

// cameTo returns how far the source came that should have opened a door.
func (w *witness) cameTo(at visit) string {
	e, some := w.last[at]
	switch {
	case w.opens[at] > 1:
		return fmt.Sprintf("it opens %d times", w.opens[at])
	case !some:
		return "its first knock did not count"
	case e.Reason != "":
		return fmt.Sprintf("it ended at stage %d of %d: %s", e.Stage, e.Stages, transcript.Because(e.Reason, e.Detail))
	}
	return fmt.Sprintf("it came to stage %d of %d", e.Stage, e.Stages)
}
