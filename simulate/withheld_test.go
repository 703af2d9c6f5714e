package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/record"
	"sesame/daemon/wire"
)

// withheld returns the recording as it is written without one-time sequences.
func withheld(t testing.TB, r *record.Recorder) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := r.Recording().Withhold().WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

// nowhere is a machine without the files.
func nowhere(string) ([]byte, error) { return nil, fs.ErrNotExist }

// TestAWithheldFlight replays flights without their one-time sequences: exactly where the machine
// has them, and to their end elsewhere.
func TestAWithheldFlight(t *testing.T) {
	exact, uses := 0, 0
	for seed := range uint64(flights(t)) {
		f := takeOff(t, seed, []int{1 << 20, 1 << 16}[seed%3%2])
		for range 100 + f.random.IntN(500) {
			f.step()
		}
		_, want := f.land()
		recording := withheld(t, f.recorder)
		state := f.engine.State()
		for _, d := range state.Doors {
			uses += len(d.Used)
		}
		has := func(path string) ([]byte, error) {
			for _, file := range f.files.Files {
				if string(file.Path) == path {
					return file.Source, nil
				}
			}
			return nil, fs.ErrNotExist
		}
		report, got := again(t, Config{find: has}, recording)
		if len(report.Incomplete) > 0 {
			t.Fatalf("flight %d: %v", seed, report.Incomplete)
		}
		if seed%2 == 0 {
			exact++
			if diff := cmp.Diff(want, got); diff != "" || !report.Exact || report.Withheld != nil {
				t.Fatalf("flight %d: %+v (-lived +replayed):\n%s", seed, report, diff)
			}
		}
		report, _ = again(t, Config{find: nowhere}, recording)
		if len(report.Incomplete) > 0 || report.Exact || strings.Join(report.Withheld, "") != "/var/lib/once" {
			t.Errorf("flight %d elsewhere: %+v", seed, report)
		}
		f.set.Close()
	}
	if exact < 30 || uses < 30 {
		t.Errorf("%d flights, %d used sequences: they prove little", exact, uses)
	}
}

// TestWithheldSequences tells of a door with one-time sequences, one of which is used, and of
// another door whose command fails afterwards.
func TestWithheldSequences(t *testing.T) {
	const once = " 7001,7002\n8001,8002,8003\n 9001,9002\n"
	files := []wire.File{
		{Path: "a.lua", Source: []byte(`local c = sesame.command { "/bin/true", required = true }
sesame.door "once" { one_time_sequences = "/var/lib/once", guards = "tcp/22" }
sesame.door "two" { sequence = { "tcp/1001", "tcp/1002" }, guards = "tcp/23", ttl = "1m", on_open = function(a) a:allow() a:exec(c) end }`)},
		{Path: "/var/lib/once", Source: []byte(once), OneTime: true},
	}
	s := hosting(t, files...)
	s.says(0, "203.0.113.9 tcp/7001 seq=1").says(1, "203.0.113.9 tcp/7002 seq=2")
	scripts := record.Scripts{Files: files, Base: "/srv/scripts"}
	s.recorder.Begin(s.engine.Now(), s.engine.State(), scripts)
	s.recorder.Input(record.Input{Kind: record.InputRestore, Time: s.engine.Now(), Records: []engine.Record{{Consumed: &engine.Consumed{File: "/var/lib/once", Line: "9001,9002"}}}})
	s.engine.Restore(s.engine.Now(), []engine.Record{{Consumed: &engine.Consumed{File: "/var/lib/once", Line: "9001,9002"}}})
	s.says(2, "203.0.113.9 tcp/8001 seq=3").says(3, "203.0.113.9 tcp/1001 seq=4").says(4, "203.0.113.9 tcp/1002 seq=5")
	whole, without := s.file(), withheld(t, s.recorder)
	for _, line := range strings.Fields(once) {
		if !bytes.Contains(whole, []byte(line)) || bytes.Contains(without, []byte(line)) {
			t.Errorf("%s: in the recording %t, without secrets %t", line, bytes.Contains(whole, []byte(line)), bytes.Contains(without, []byte(line)))
		}
	}

	t.Log("# the machine has the file as it was")
	same := func(string) ([]byte, error) { return []byte(once), nil }
	_, want := again(t, Config{}, whole)
	report, got := again(t, Config{find: same}, without)
	if diff := cmp.Diff(want, got); diff != "" || !report.Exact {
		t.Errorf("(-whole +withheld) %s", diff)
	}

	t.Log("# it has another one, or none")
	for _, find := range []func(string) ([]byte, error){nowhere, func(string) ([]byte, error) { return []byte("#" + once[1:]), nil }} {
		report, got = again(t, Config{find: find}, without)
		if report.Exact || report.Opens != 1 || strings.Contains(got, `"door":"once"`) || !strings.Contains(got, `"door":"two"`) || len(report.Incomplete) > 0 {
			t.Errorf("%+v\n%s", report, got)
		}
	}
	if _, err := Comments(bytes.NewReader(without)); !errors.Is(err, ErrWithheld) {
		t.Errorf("comments: %v", err)
	}

	t.Log("# other scripts with the same door")
	set, err := load(scripts, false, false)
	must(t, err)
	defer set.Close()
	report, err = Run(t.Context(), Config{Captures: []string{writeBytes(t, without)}, Set: set.Engine, Writer: &useWriter{}})
	if must(t, err); len(report.Used) != 1 || !strings.Contains(report.Used[0], "is not known, since the recording leaves out /var/lib/once") {
		t.Errorf("%q", report.Used)
	}
}

// TestDoorsWithoutTheirSequences removes attempts in such doors from a state, first-stage ones too.
func TestDoorsWithoutTheirSequences(t *testing.T) {
	files := func(once string) []wire.File {
		return []wire.File{
			{Path: "a.lua", Source: []byte(`sesame.door "once" { one_time_sequences = "/once" } sesame.door "two" { sequence = { 1001, 1002, 1003 } }`)},
			{Path: "/once", Source: []byte(once), OneTime: true},
		}
	}
	s := hosting(t, files("7001,7002,7003\n")...)
	for i := range 3 { // attempts at the first stage and the second, of both doors
		s.says(i, fmt.Sprintf("203.0.113.%d tcp/7001 seq=%d", i, i+1)).says(i, fmt.Sprintf("203.0.113.%d tcp/1001 seq=%d", 10+i, i+1))
	}
	s.says(4, "203.0.113.1 tcp/7002 seq=9").says(4, "203.0.113.11 tcp/1002 seq=9")
	state := s.engine.State()
	set, err := load(record.Scripts{Files: files("")}, false, false)
	must(t, err)
	defer set.Close()
	withoutAttempts(state, set, []string{"/once"})
	e, err := engine.Resume(engine.Config{}, state, set.Engine)
	must(t, err)
	if again := e.State(); len(state.Runs) != 1 || len(again.FirstStage) != len(state.FirstStage) || len(again.FirstStage) == 0 {
		t.Errorf("%d attempts at later stages, and %d bytes of others, before %d", len(state.Runs), len(again.FirstStage), len(state.FirstStage))
	}
}
