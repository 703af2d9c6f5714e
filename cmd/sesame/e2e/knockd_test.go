//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/knockd"
	"sesame/scripting/knockd/knockdtest"
	"sesame/scripting/source"
	"sesame/simulate"
)

const (
	// arenas is how many scenarios are played at a time. Playing one is waiting.
	arenas = 8
	// randomRuns is how many random ones there are, unless the environment says
	// otherwise, and randomSeed makes them.
	randomRuns, randomSeed = 25, 1
	// nearest is how near two packets may come to be a whole number of seconds
	// apart: otherwise the scenario is played again.
	nearest = 10 * time.Millisecond
	// maxTries is how often: on a machine with much else to do packets come late.
	maxTries = 8
	// tooMany is how many failures end the test: more say the same.
	tooMany = 10
)

// TestRealKnockdAgrees plays each scenario to the real knockd and to the daemon at
// once, with real packets on a link that both listen to. The model is given the
// packets as they came, so it does not matter when that was: with all of knockd's
// bugs it must say what knockd logs, and without them what Sesame tells, in its
// transcript and in its log of knockd's lines. Then the packets are replayed
// through the script that is imported from the file, and must tell the same.
func TestRealKnockdAgrees(t *testing.T) {
	program, err := exec.LookPath("knockd")
	if err != nil {
		t.Skip("needs knockd: apt-get install knockd")
	}
	t.Parallel()
	runs, seed := fromEnvironment(t, "SESAME_KNOCKD_RUNS", randomRuns), fromEnvironment(t, "SESAME_KNOCKD_SEED", randomSeed)
	all, began := scenarios(runs, seed), time.Now()
	s := playAll(t, program, all)
	t.Logf("%d scenarios (%d of them random, of seed %d), %d packets, %d lines of knockd and %d of Sesame, in %v",
		len(all), runs, seed, s.packets.Load(), s.knockdLines.Load(), s.sesameLines.Load(), time.Since(began).Round(time.Second/10))
	t.Logf("the real knockd and the model with its bugs differ in %d, Sesame and the model without them in %d; the two programs in %d, as they should; %d rounds were too near a whole second, and played again",
		s.knockdWrong.Load(), s.sesameWrong.Load(), s.differ.Load(), s.again.Load())
}

// scenarios returns those that have a story, and so many random ones.
func scenarios(runs, seed int) []knockdtest.Scenario {
	all := knockdtest.Scenarios()
	for i := range runs {
		name := fmt.Sprintf("random scenario %d of seed %d", i, seed)
		all = append(all, knockdtest.Random(rand.New(rand.NewPCG(uint64(seed), uint64(i))), name))
	}
	return all
}

// A score counts what came of scenarios.
type score struct {
	packets, knockdLines, sesameLines, knockdWrong, sesameWrong, differ, again, failed atomic.Int64
}

// playAll plays all scenarios, some at a time.
func playAll(t *testing.T, program string, scenarios []knockdtest.Scenario) *score {
	t.Helper()
	ctx := t.Context()
	var s score
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(arenas, len(scenarios)) {
		a := newArena(t, program)
		running.Go(func() {
			if err := a.start(ctx); err != nil {
				t.Errorf("starting the daemon: %v", err)
				return
			}
			for s.failed.Load() < tooMany {
				i := int(next.Add(1)) - 1
				if i >= len(scenarios) {
					return
				}
				if err := s.judge(ctx, a, scenarios[i]); err != nil {
					s.failed.Add(1)
					t.Errorf("%s: %v", scenarios[i].Name, err)
				}
			}
		})
	}
	running.Wait()
	return &s
}

// judge plays a scenario until no packet came where a limit is in doubt, and says
// what is not as it should be.
func (s *score) judge(ctx context.Context, a *arena, scenario knockdtest.Scenario) error {
	for tries := 1; ; tries++ {
		r, err := a.play(ctx, scenario)
		if err != nil {
			return err
		}
		if knockdtest.Margin(r.packets) >= nearest {
			return s.compare(ctx, r)
		}
		if tries == maxTries {
			return fmt.Errorf("played %d times, and each time two packets came within %v of a whole number of seconds", tries, nearest)
		}
		s.again.Add(1)
	}
}

// compare reports where knockd or Sesame differs from the model.
func (s *score) compare(ctx context.Context, r *round) error {
	file, err := knockd.Parse(r.path, []byte(r.scenario.Conf))
	if err != nil {
		return err
	}
	replayed, err := r.replay(ctx)
	if err != nil {
		return err
	}
	buggy := knockdtest.Run(file, knockdtest.Local(), knockdtest.Knockd(), r.packets)
	right := knockdtest.Reported(knockdtest.Run(file, knockdtest.Local(), knockdtest.Bugs{}, r.packets))
	wantKnockd, wantSesame := lines(knockdtest.Logged(buggy)), lines(right)
	var problems []error
	differs := func(who string, want, got []string, count *atomic.Int64) {
		if diff := cmp.Diff(want, got); diff != "" {
			if count.Add(1); len(problems) == 0 {
				problems = append(problems, errors.New(knockdtest.Story(r.scenario.Conf, r.packets)))
			}
			problems = append(problems, fmt.Errorf("%s (-model +real):\n%s", who, diff))
		}
	}
	var none atomic.Int64 // of differences that count as another's
	differs("knockd's log", wantKnockd, r.knockdLog, &s.knockdWrong)
	differs("the packets that knockd hears", heard(file, r), r.knockdHeard, &none)
	differs("Sesame's transcript", wantSesame, r.transcript, &s.sesameWrong)
	differs("Sesame's log of knockd's lines", lines(knockdtest.Logged(right)), r.sesameLog, &none)
	differs("the replay with the imported script", wantSesame, replayed, &none)

	s.packets.Add(int64(len(r.packets)))
	s.knockdLines.Add(int64(len(r.knockdLog)))
	s.sesameLines.Add(int64(len(r.transcript)))
	if !slices.Equal(lines(knockdtest.Reported(buggy)), wantSesame) {
		s.differ.Add(1)
	}
	return errors.Join(problems...)
}

// TestKnockdReplayed replays the scenarios as they are written down, without a
// network: with the imported script they tell what the model without bugs says. Each tenth is
// replayed by the program too.
func TestKnockdReplayed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, s := range scenarios(randomRuns, randomSeed) {
		r := &round{scenario: s.WithEnd("end"), end: "end", path: filepath.Join(dir, fmt.Sprintf("knockd%d.conf", i))}
		for _, p := range r.scenario.Packets {
			ethernet := make([]byte, 12, 14)
			if ethernet = append(ethernet, 0x08, 0x00); p.Source.Is6() {
				ethernet = append(ethernet[:12], 0x86, 0xdd)
			}
			r.packets, r.frames = append(r.packets, p), append(r.frames, append(ethernet, knockdtest.Frame(&p)...))
		}
		if err := os.WriteFile(r.path, []byte(r.scenario.Conf), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := knockd.Parse(r.path, []byte(r.scenario.Conf))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.replay(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		if i%10 == 0 {
			byProgram, err := r.replayByProgram()
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			if diff := cmp.Diff(got, byProgram); diff != "" {
				t.Errorf("%s (-here +by the program):\n%s", s.Name, diff)
			}
		}
		want := lines(knockdtest.Reported(knockdtest.Run(file, knockdtest.Local(), knockdtest.Bugs{}, r.packets)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-model +replayed):\n%s\n%s", s.Name, diff, knockdtest.Story(r.scenario.Conf, r.packets))
		}
	}
}

func lines(all []knockdtest.Line) (texts []string) {
	for _, l := range all {
		texts = append(texts, l.String())
	}
	return texts
}

// heard returns the packets that knockd is given, as knockd writes them. Their
// times say that it stamps a packet as the model does.
func heard(file *knockd.File, r *round) (texts []string) {
	m := knockdtest.New(file, knockdtest.Local(), knockdtest.Knockd())
	for _, p := range r.packets {
		if m.Counts(&p) {
			texts = append(texts, fmt.Sprintf("%s: %s: %s:%d -> %s:%d", p.Time.Format(time.TimeOnly), p.Port.Proto, p.Source, p.SourcePort, p.Dest, p.Port.Number))
		}
	}
	return texts
}

// replay imports the knockd.conf as a script, and returns what a simulation with
// it and the packets tells. It starts no program: replayByProgram proves that programs do the same.
func (r *round) replay(ctx context.Context) ([]string, error) {
	conf, err := knockd.Parse(r.path, []byte(r.scenario.Conf))
	if err != nil {
		return nil, err
	}
	script, capture := r.path+".lua", r.path+".pcap"
	err = errors.Join(os.WriteFile(script, []byte(conf.Script(knockd.ScriptOptions{})), 0o600), os.WriteFile(capture, r.capture(), 0o600))
	if err != nil {
		return nil, err
	}
	files, err := source.Read(script)
	if err != nil {
		return nil, err
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		return nil, err
	}
	defer set.Close()
	var local []netip.Prefix
	for _, a := range knockdtest.Local() {
		local = append(local, netip.PrefixFrom(a, a.BitLen()))
	}
	var lines bytes.Buffer
	if _, err := simulate.Run(ctx, simulate.Config{
		Captures: []string{capture}, Set: set.Engine, Local: local, Until: time.Hour, Writer: transcript.NewJSON(&lines),
	}); err != nil {
		return nil, err
	}
	return told(lines.Bytes(), time.Time{}, r.end)
}

// replayByProgram does the same with sesame import and sesame simulate.
func (r *round) replayByProgram() ([]string, error) {
	dir := r.path + ".imported"
	script, err := offline("import", "knockd", r.path)
	if err == nil {
		err = errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "doors.lua"), script, 0o600),
			os.WriteFile(r.path+".pcap", r.capture(), 0o600))
	}
	if err != nil {
		return nil, err
	}
	args := []string{"simulate", "--format", "jsonl", "-s", dir, r.path + ".pcap"}
	for _, a := range knockdtest.Local() {
		args = append(args, "--local", a.String())
	}
	lines, err := offline(args...)
	if err != nil {
		return nil, err
	}
	return told(lines, time.Time{}, r.end)
}

// offline runs a part of the program that needs no daemon.
func offline(args ...string) ([]byte, error) {
	cmd := exec.Command("sesame", args...)
	cmd.Env = environment()
	out, err := cmd.Output()
	if exit, exited := errors.AsType[*exec.ExitError](err); exited {
		return nil, fmt.Errorf("sesame %s: exit status %d\n%s", strings.Join(args, " "), exit.ExitCode(), exit.Stderr)
	}
	return out, err
}

// told returns what a transcript tells of attempts from then on, until the door
// end opens. What was before, or ended with a reload, is of another scenario.
func told(transcript []byte, from time.Time, end string) (texts []string, err error) {
	for text := range bytes.Lines(transcript) {
		var e struct {
			Event, Door, Reason string
			Source              netip.Addr
			Stage               int
			Time                time.Time
		}
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", text, err)
		}
		l := knockdtest.Line{Source: e.Source, Door: e.Door, Stage: e.Stage, Reason: e.Reason}
		switch e.Event {
		case "stage":
			l.Kind = knockdtest.Stage
		case "open":
			l.Kind = knockdtest.Open
		case "miss":
			if l.Kind = knockdtest.Wrong; e.Reason == "total_timeout" {
				l.Kind = knockdtest.Timeout
			}
		default:
			continue
		}
		if !e.Time.Before(from) && e.Reason != "reload" {
			texts = append(texts, l.String())
		}
		if l.Kind == knockdtest.Open && l.Door == end {
			return texts, nil
		}
	}
	return nil, fmt.Errorf("the door %s did not open:\n%s", end, transcript)
}
