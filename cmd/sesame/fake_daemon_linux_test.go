package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
	"sesame/simulate/pcaptest"
)

// fakeDaemon is "daemon SOCKET ANSWERS": until the script ends, what ANSWERS
// holds is what is answered at SOCKET.
func fakeDaemon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: daemon SOCKET ANSWERS")
	}
	var a answers
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &a))
	socket, err := control.Listen(ts.MkAbs(args[0]))
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // what Serve returned
	go func() { done <- socket.Serve(ctx, a.api(), log.New(os.Stderr, "fake daemon: ", 0)) }()
	ts.Defer(func() {
		cancel()
		ts.Check(<-done)
	})
}

// answers are those of a fake daemon.
type answers struct {
	Status    control.Status
	Old       bool // the daemon tells no health
	Grants    []control.Grant
	Outcome   control.Outcome
	Stored    []control.StoredValue
	Unwritten string          // why what is forgotten is not on the disk
	Refusal   control.Refusal // of every change
	Recording string
	Script    string // a recording of what it makes of Capture, instead of Recording
	Capture   string // as of package pcaptest
	Once      string // what Script finds in /var/lib/once
	Knocks    int    // events, a second after another
	Metrics   string // empty: the daemon is too old to have any
}

func (a *answers) api() control.API {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tail := control.NewTail()
	for i := range a.Knocks {
		tail.Add([]engine.Event{{Kind: engine.EventOpen, Time: noon.Add(time.Duration(i) * time.Second), Packet: i + 1, Door: "ssh",
			Source: netip.MustParsePrefix("203.0.113.9/32")}})
	}
	var metrics http.Handler
	if a.Metrics != "" {
		metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, a.Metrics) })
	}
	return control.API{
		Metrics: metrics,
		Status: func(context.Context) (control.Status, error) {
			s := a.Status
			if !a.Old {
				s.Health = control.HealthOf(&s)
			}
			return s, nil
		},
		Grants: func(context.Context) ([]control.Grant, error) { return a.Grants, nil },
		Grant: func(_ context.Context, r control.GrantRequest) (control.Grant, error) {
			return control.Grant{ID: 7, Source: r.Source, Port: r.Port, TTL: r.TTL, Remaining: r.TTL, End: noon.Add(time.Duration(r.TTL)),
				Observed: a.Status.Mode == control.Observe}, a.refuse()
		},
		Revoke: func(_ context.Context, r control.RevokeRequest) ([]control.Grant, error) {
			return slices.DeleteFunc(slices.Clone(a.Grants), func(g control.Grant) bool {
				return !g.Source.Overlaps(r.Source.Prefix) || r.Port.Port != (packet.Port{}) && r.Port != g.Port
			}), a.refuse()
		},
		Stored: func(_ context.Context, r control.StoredRequest) (control.Stored, error) {
			page := control.Stored{Values: slices.Clone(a.chosen(&r.Chosen))}
			page.Count = len(page.Values)
			page.Values = page.Values[min(r.Skip, page.Count):]
			page.Values = page.Values[:min(r.Limit, len(page.Values))]
			for i := range page.Values {
				if !r.Values {
					page.Values[i].Value = nil
				}
			}
			return page, nil
		},
		Forget: func(_ context.Context, r control.ForgetRequest) (control.Forgotten, error) {
			return control.Forgotten{Count: len(a.chosen(&r.Chosen)), Unwritten: a.Unwritten}, a.refuse()
		},
		Reload: func(_ context.Context, r control.ReloadRequest) (control.Outcome, error) {
			o := a.Outcome
			if len(r.Unguard) > 0 && len(r.Unguard) == len(o.Held) {
				return control.Outcome{Outcome: control.Applied, Generation: o.Generation + 1, Doors: o.Doors}, nil
			}
			return o, a.refuse()
		},
		Confirm:        func(context.Context, control.ConfirmRequest) (control.Outcome, error) { return a.Outcome, a.refuse() },
		Record:         func(_ context.Context, w io.Writer) error { return a.record(w, (*record.Recording).WriteTo) },
		RecordWithheld: func(_ context.Context, w io.Writer) error { return a.record(w, writeWithheld) },
		Events:         tail,
	}
}

func writeWithheld(r *record.Recording, w io.Writer) (int64, error) { return r.Withhold().WriteTo(w) }

// record writes what was recorded.
func (a *answers) record(w io.Writer, write func(*record.Recording, io.Writer) (int64, error)) error {
	if a.Script != "" {
		recording, err := a.recordRun()
		if err == nil {
			_, err = write(recording, w)
		}
		return err
	}
	_, err := io.WriteString(w, a.Recording)
	return err
}

// chosen returns the chosen ones of the stored values.
func (a *answers) chosen(c *control.Chosen) []control.StoredValue {
	return slices.DeleteFunc(slices.Clone(a.Stored), func(v control.StoredValue) bool {
		return c.Script != "" && c.Script != v.Script || c.Key != "" && c.Key != v.Key || c.Shared && v.Source.IsValid() || c.Source.IsValid() && c.Source != v.Source
	})
}

func (a *answers) refuse() error {
	if a.Refusal == "" {
		return nil
	}
	return a.Refusal
}

// recordRun writes the recording of a daemon that ran one script and received what
// is in a capture.
func (a *answers) recordRun() (*record.Recording, error) {
	const once = "/var/lib/once"
	files := sourcetest.Files(map[string]string{"ssh.lua": a.Script})
	files.ReadReferenced = func(string) ([]byte, error) { return []byte(a.Once), nil }
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		return nil, err
	}
	defer set.Close()
	capture, err := pcaptest.Capture(a.Capture)
	if err != nil {
		return nil, err
	}
	reader, err := record.NewReader(bytes.NewReader(capture), int64(len(capture)), "capture")
	if err != nil {
		return nil, err
	}
	e, kept, decoder := engine.New(engine.Config{Attempts: 100}, pcaptest.Start), record.NewRecorder(0), packet.NewDecoder()
	e.Swap(pcaptest.Start, set.Engine)
	recorded := record.Scripts{Files: []wire.File{{Path: "ssh.lua", Source: []byte(a.Script)}}}
	if a.Once != "" {
		recorded.Files = append(recorded.Files, wire.File{Path: once, Source: []byte(a.Once), OneTime: true})
	}
	kept.Begin(pcaptest.Start, e.State(), recorded)
	for {
		f, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var heard packet.Packet
		if drop := decoder.Decode(f.Link, f.Data, f.Wire, &heard); drop != packet.NotDropped {
			return nil, fmt.Errorf("packet %d: %v", f.Number, drop)
		}
		heard.Time, heard.Number = f.Time(), f.Number
		const ethernet = 14
		kept.Packet(&heard, f.Data[ethernet:], f.Wire-ethernet)
		for _, event := range slices.Clone(e.Packet(&heard)) {
			if event.ID != 0 {
				kept.Input(record.Input{Kind: record.InputResult, Time: e.Now(), ID: event.ID})
				e.Result(e.Now(), event.ID, nil)
			}
		}
	}
	return kept.Recording(), nil
}
