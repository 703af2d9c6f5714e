//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
	"sesame/daemon/packet"
)

// TestRealLiveEqualsSimulated lets people, strangers and time do what they like to
// live daemons, and replays what those recorded: the transcripts must be the same
// to the byte. SESAME_LIVE_RUNS is the number of daemons (default 12), and
// SESAME_LIVE_SEED with which seed the first runs.
func TestRealLiveEqualsSimulated(t *testing.T) {
	runs, first := fromEnvironment(t, "SESAME_LIVE_RUNS", 12), fromEnvironment(t, "SESAME_LIVE_SEED", 1)
	var all tally
	t.Run("worlds", func(t *testing.T) {
		for world := range min(runs, liveWorlds) {
			t.Run(strconv.Itoa(world), func(t *testing.T) {
				w := newWorld(t, nil)
				for seed := first + world; seed < first+runs; seed += liveWorlds {
					all.add(w.randomRun(uint64(seed)))
					if t.Failed() {
						t.Fatalf("seed %d; once more: SESAME_LIVE_RUNS=1 SESAME_LIVE_SEED=%[1]d go test -run %s", seed, t.Name())
					}
				}
			})
		}
	})
	t.Logf("%d runs, %d lines, of them %s", runs, all.lines, &all)
	for _, kind := range kinds {
		if runs >= 100 && all.kinds[kind] == 0 {
			t.Errorf("no line has %s", kind)
		}
	}
}

// liveWorlds is how many worlds they live in, side by side.
const liveWorlds = 4

// kinds are parts of lines of which a long test must have some of each.
var kinds = []string{`"event":"open"`, `"event":"miss"`, `"event":"refuse"`, `"event":"error"`, `"event":"failed"`, `"event":"close"`, `"effect":"exec"`, `"effect":"undo"`,
	`"effect":"log"`, `"reason":"reload"`, `"reason":"expired"`, `"reason":"revoked"`, `"reason":"closed_by_door"`, `"reason":"replaced"`, `"reason":"limit"`,
	`"reason":"step_timeout"`, `"reason":"total_timeout"`, `"reason":"wrong_port"`}

// A tally counts what transcripts hold.
type tally struct {
	mu    sync.Mutex
	lines int
	kinds map[string]int
}

func (a *tally) add(transcript string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kinds == nil {
		a.kinds = map[string]int{}
	}
	a.lines += strings.Count(transcript, "\n")
	for _, kind := range kinds {
		a.kinds[kind] += strings.Count(transcript, kind)
	}
}

func (a *tally) String() string {
	var parts []string
	for _, kind := range kinds {
		_, name, _ := strings.Cut(strings.ReplaceAll(kind, `"`, ""), ":")
		parts = append(parts, fmt.Sprintf("%s %d", name, a.kinds[kind]))
	}
	return strings.Join(parts, ", ")
}

func fromEnvironment(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s: expected a number above zero", name, text)
	}
	return n
}

// randomRun is the life of a daemon. It returns its transcript.
func (w *world) randomRun(seed uint64) string {
	w.Helper()
	r := rand.New(rand.NewPCG(seed, 0))
	w.write("house.lua", house(r))
	w.write("garden.lua", garden(r))
	w.start()
	w.randomDays(r)
	live, recording := w.recorded()
	replayed := w.answerOffline("simulate", "--format", "jsonl", recording)
	if diff := cmp.Diff(strings.Split(live, "\n"), strings.Split(withoutSummary(replayed), "\n")); diff != "" {
		w.Errorf("seed %d: the transcripts differ (-live +replayed):\n%s", seed, diff)
		w.keep(recording)
	}
	if r.IntN(3) == 0 { // and the next continues from what is left
		w.kill()
		return live
	}
	if status := w.stop(); status != done {
		w.Errorf("exit status %d", status)
	}
	if r.IntN(2) == 0 { // else the next continues from what a clean stop leaves
		w.state = w.path(fmt.Sprintf("state%d", seed))
	}
	return live
}

// keep keeps a file beyond the test, with go test -artifacts.
func (w *world) keep(file string) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(w.ArtifactDir(), filepath.Base(file)), data, 0o600)
	}
	if err != nil {
		w.Error(err)
	}
}

// recorded returns the daemon's transcript and the recording that it was made
// with: no event came between the two.
func (w *world) recorded() (transcript, recording string) {
	w.Helper()
	recording = w.path(fmt.Sprintf("recording%d.pcapng", w.starts))
	w.eventually("the daemon has nothing to say for a moment", func() bool {
		if w.status().Effects.Queued > 0 {
			return false
		}
		transcript = w.transcript()
		var file bytes.Buffer
		err := w.client().Record(w.Context(), &file)
		if err = errors.Join(err, os.WriteFile(recording, file.Bytes(), 0o600)); err != nil {
			w.Fatal(err)
		}
		return w.transcript() == transcript
	})
	return transcript, recording
}

// withoutSummary returns a transcript without its last line.
func withoutSummary(transcript string) string {
	lines := strings.SplitAfter(transcript, "\n")
	return strings.Join(lines[:max(0, len(lines)-2)], "")
}

// randomDays lets things happen for about half a second.
func (w *world) randomDays(r *rand.Rand) {
	w.Helper()
	sources := []netip.Addr{w.net.Client.IPv4.Addr(), w.net.Client.IPv6.Addr(), livetest.Source4(1), livetest.Source4(2), livetest.Source4(300), livetest.Source6(1), livetest.Source6(2)}
	for range 60 {
		source := sources[r.IntN(len(sources))]
		rate := []int{0, 0, 300, 60}[r.IntN(4)]
		if _, _, err := w.sender.Send(context.Background(), livetest.Knocks(source, randomKnocks(r)...), rate); err != nil {
			w.Fatal(err)
		}
		if r.IntN(6) == 0 {
			w.randomWill(r, sources)
		}
		if r.IntN(4) == 0 {
			w.pass(time.Duration(r.IntN(20)) * time.Millisecond)
		}
	}
}

// randomWill is what a person does, for whom the answer no is an answer too.
func (w *world) randomWill(r *rand.Rand, sources []netip.Addr) {
	w.Helper()
	address := sources[r.IntN(len(sources))]
	source := control.Source{Prefix: netip.PrefixFrom(address, address.BitLen())}
	if r.IntN(2) == 0 {
		source.Prefix, _ = address.Prefix(address.BitLen() / 4 * (2 + r.IntN(2))) // an IPv4 /16 or /24, or an IPv6 /64 or /96
	}
	port := control.Port{Port: packet.Port{Proto: packet.TCP, Number: []uint16{22, 80}[r.IntN(2)]}}
	var err error
	switch r.IntN(7) {
	case 0, 1, 2:
		ttl := control.Duration(time.Duration(1+r.IntN(400)) * time.Millisecond)
		_, err = w.client().Grant(w.Context(), control.GrantRequest{Source: source, Port: port, TTL: ttl})
	case 3, 4:
		_, err = w.client().Revoke(w.Context(), control.RevokeRequest{Source: source, Port: port})
	case 5, 6:
		w.write([]string{"house.lua", "garden.lua"}[r.IntN(2)], []string{house(r), garden(r)}[r.IntN(2)])
		_, err = w.client().Reload(w.Context(), control.ReloadRequest{})
	}
	if _, refused := err.(control.Refusal); err != nil && !refused {
		w.Error(err)
	}
}

// randomKnocks returns some that belong together, most often.
func randomKnocks(r *rand.Rand) []string {
	sequences := [][]string{
		{"tcp/7001", "udp/7002", "tcp/7003"}, {"tcp/7001", "udp/7004"}, {"tcp/7003", "udp/7002"}, {"udp/7005"}, {"udp/7005", "udp/7005", "udp/7005"},
		{"tcp/7006", "tcp/7007"}, {"tcp/7007", "tcp/7008", "tcp/7009"}, {"tcp/7009"},
	}
	knocks := append([]string(nil), sequences[r.IntN(len(sequences))]...)
	switch r.IntN(6) {
	case 0:
		knocks = knocks[:max(1, len(knocks)-1)]
	case 1:
		knocks[r.IntN(len(knocks))] = fmt.Sprintf("tcp/%d", 7000+r.IntN(12))
	case 2:
		knocks = append(knocks, fmt.Sprintf("udp/%d", 7000+r.IntN(12)), "tcp/22")
	}
	return knocks
}

// house is a script with doors that anybody might write.
func house(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	return fmt.Sprintf(`
local sign = sesame.command { "/bin/sh", "-c", "exit {status}", choices = { status = { "0", "3" } }, undo = { "/bin/sh", "-c", "echo bye" }, timeout = "5s" }
local hang = sesame.command { "/bin/sleep", "7", timeout = "20ms" }

sesame.door "ssh" {
  sequence = { "tcp/7001", "udp/7002", "tcp/7003" },
  within = %q, step_timeout = %q, guards = "tcp/22", ttl = %q, %s
}

sesame.door "guest" {
  sequence = { "tcp/7001", "udp/7004" },
  guards   = { "tcp/22", "tcp/80" },
  ttl      = %q,
  on_wrong = %q,
  on_open  = function(attempt)
    local n = attempt.store:incr("opens", 1, "10s")
    if n %% 5 == 4 then error("the fifth") end
    attempt:allow { port = "tcp/80" }
    attempt:exec(sign, { status = math.random() < 0.5 and "0" or "3" })
    if n %% 3 == 0 then attempt:exec(hang) end
    attempt:log("guest", n, attempt.source)
  end,
  on_miss  = function(attempt) attempt:log("missed at", attempt.stage, attempt.reason) end,
  on_close = function(grant) grant:log("left", grant.reason) end,
}

sesame.door "close" {
  sequence = { "tcp/7003", "udp/7002" },
  on_open  = function(attempt) attempt:close "ssh" attempt:close "guest" end,
}
`, pick("60ms", "200ms", "2s"), pick("20ms", "40ms", "1s"), pick("30ms", "100ms", "1s"), pick(`strict = true`, `duplicates = "wrong"`, `limit = "2/s per source"`), pick("50ms", "200ms"), pick("reset", "ignore"))
}

// garden is another, of doors that a single packet can open.
func garden(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	return fmt.Sprintf(`
sesame.handler("later", function(timer) timer:log("later", timer.value, timer.source) end)

sesame.listen "beacon" {
  on = { "udp/7005", "tcp/7009" }, limit = %q, guards = "tcp/80", ttl = %q,
  on_knock = function(knock)
    local n = knock.store:incr("beacons")
    if n %% 3 == 0 then knock:allow { prefix4 = 24, prefix6 = 56 } end
    if n %% 3 == 1 then return false, "not yet" end
    if sesame.store:once(knock.source, "30ms") then knock:after("1s", "later", n) end
    if n %% 7 == 6 then local x = nil; x.y = 1 end
    knock:allow()
  end,
}

sesame.door "seen" {
  sequence = { "tcp/7006", "tcp/7007" }, mode = %q, guards = "tcp/80", ttl = "100ms",
  when = function(attempt) return attempt.time %% 2 < 1.5, "an odd moment" end,
}

sesame.door "long" {
  sequence = { "tcp/7007", "tcp/7008", "tcp/7009" }, within = "30ms", guards = "tcp/22", limit = "3/s",
  on_stage = function(attempt) if math.random(10) == 1 then return false, "no luck" end end,
}
`, pick("20/s", "3/s per source"), pick("20ms", "300ms"), pick("enforce", "observe"))
}
