package perturb

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/repeat"
)

// TestLossOnEachKnock loses a tenth of the packets. A door with k knocks opens in 0.9^k of all.
// SESAME_RUNS=10000 makes more runs.
func TestLossOnEachKnock(t *testing.T) {
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("SESAME_RUNS"), "600"))
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= 6; k++ {
		ports := []int{1, -2, 3, -4, 5, -6}[:k]
		r := build(t, knocks("203.0.113.9", ports...), door("ssh", ports...)).run(t, Network{Loss: 0.1}, runs)
		if got, want := r.Doors[0].Chances, math.Pow(0.9, float64(k)); !got.Has(want) || got.All != runs {
			t.Errorf("%d knocks: opened %v, want %.1f %%", k, got, 100*want)
		}
	}
}

// everything is a network with all faults.
var everything = Network{Loss: 0.1, Duplicate: 0.2, Reorder: 0.1, Jitter: 600 * time.Millisecond, Retransmit: true, Addresses: 2}

// crowd has three sources and two doors. One source knocks in the wrong order, and one twice.
func crowd(t testing.TB) *world {
	lines := knocks("203.0.113.9", 1, -2, 3) + knocks("2001:db8::9", 1, -2, 3) + knocks("203.0.113.77", 5, 4) + `
20s 203.0.113.9 tcp/4
20300ms 203.0.113.9 tcp/5
40s 203.0.113.9 tcp/4
40300ms 203.0.113.9 tcp/5
`
	return build(t, lines, door("ssh", 1, -2, 3), door("web", 4, 5))
}

func TestOneSeedOneReport(t *testing.T) {
	w := crowd(t)
	plan := w.plan(t, everything)
	var want *Report
	for _, workers := range []int{1, 2, 8} {
		// Engines of one set can run at once, as no function of it is Lua.
		got, err := plan.Run(t.Context(), repeat.Plan{Seed: 7, Runs: 400, Workers: workers}, Choice{}, w.machine)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d workers: %+v, want %+v", workers, got, want)
		}
	}
	if len(want.Doors) != 2 || len(want.Doors[0].Reasons) < 3 || len(want.Only) == 0 {
		t.Errorf("it proves little: %+v", want)
	}
}

// TestARunIsRepeatedByItsSeed compares what many runs count with what each of them shows by itself.
func TestARunIsRepeatedByItsSeed(t *testing.T) {
	const runs = 60
	w := crowd(t)
	plan := w.plan(t, everything)
	all, err := plan.Run(t.Context(), repeat.Plan{Seed: 7, Runs: runs}, Choice{}, w.machine)
	if err != nil {
		t.Fatal(err)
	}
	opened, only, first := map[string]int{}, 0, uint64(0)
	for seed := uint64(7); seed < 7+runs; seed++ {
		one, err := plan.Run(t.Context(), repeat.Plan{Seed: seed, Runs: 1}, Choice{}, w.machine)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range one.Doors {
			opened[d.Name] += d.Chances.Of
			if d.Name == "ssh" && d.Chances.Of < d.Chances.All && first == 0 {
				first = seed
			}
		}
		only += len(one.Only)
		var text bytes.Buffer
		single, err := plan.Show(t.Context(), seed, Machine{Set: w.set}, View{Writer: transcript.NewJSON(&text)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(text.String(), `"event":"open","door":"ssh"`); got != one.Doors[0].Chances.Of {
			t.Errorf("seed %d: the transcript opens ssh %d times, the report %v", seed, got, one.Doors[0].Chances)
		}
		if len(single.Fates) == 0 || single.More < 0 {
			t.Errorf("seed %d: nothing happened", seed)
		}
	}
	extras := 0
	for _, o := range all.Only {
		extras += o.Runs.Of
	}
	for _, d := range all.Doors {
		if d.Chances.Of != opened[d.Name] {
			t.Errorf("%s opened %v, and %d times by single seeds", d.Name, d.Chances, opened[d.Name])
		}
	}
	if first != all.Doors[0].First || extras != only {
		t.Errorf("first %d, want %d; %d findings, want %d", all.Doors[0].First, first, extras, only)
	}
}

// TestWhyADoorDidNotOpen loses one packet of four, and looks at the reasons.
func TestWhyADoorDidNotOpen(t *testing.T) {
	r := build(t, knocks("203.0.113.9", 1, -2, 3), door("ssh", 1, -2, 3)).run(t, Network{Loss: 0.25}, 500)
	d := r.Doors[0]
	count, known := 0, map[string]bool{}
	for _, one := range d.Reasons {
		count += one.Count
		known[one.String()] = true
		if one.First < 1 || one.First > 500 || one.Text == "" && one.Result != Silent {
			t.Errorf("%+v", one)
		}
	}
	if count != d.Chances.All-d.Chances.Of {
		t.Errorf("%d reasons for %v", count, d.Chances)
	}
	for _, want := range []string{
		"nothing came", "never began, tcp/1 was awaited: missing",
		"stopped at 1 of 3, udp/2 was awaited: out of order", "stopped at 2 of 3, tcp/3 was awaited: end of capture",
	} {
		if !known[want] {
			t.Errorf("no %q among %v", want, known)
		}
	}
}

// TestOftenerThanOnce has a source that opens twice. Each time is a chance by itself.
func TestOftenerThanOnce(t *testing.T) {
	lines := "0s 203.0.113.9 tcp/1\n60s 203.0.113.9 tcp/1 seq=9\n0s 203.0.113.8 tcp/1"
	r := build(t, lines, door("ssh", 1)).run(t, Network{Loss: 0.2}, 500)
	d := r.Doors[0]
	if !d.Chances.Has(0.8) || d.Chances.All != 1500 || len(d.Sources) != 2 {
		t.Fatalf("%+v", d)
	}
	for _, s := range d.Sources {
		if want := map[string]int{"203.0.113.9": 1000, "203.0.113.8": 500}[s.Address]; s.Chances.All != want || !s.Chances.Has(0.8) {
			t.Errorf("%s: %v, want %d chances", s.Address, s.Chances, want)
		}
	}
	if first, second := d.Sources[0].Chances, d.Sources[1].Chances; first.Of*second.All > second.Of*first.All {
		t.Errorf("%v comes before %v", first, second)
	}
	if got := d.Reasons[0].String() + d.Reasons[1].String(); !strings.Contains(got, "opened, but less often") {
		t.Errorf("the reasons are %+v", d.Reasons)
	}
}

// TestWhatOpensWithFaultsAlone has knocks in the wrong order, which a network puts right.
func TestWhatOpensWithFaultsAlone(t *testing.T) {
	w := build(t, knocks("203.0.113.9", 2, 1, 9), door("ssh", 1, 2), door("other", 9))
	r := w.run(t, Network{Reorder: 0.3}, 500)
	if len(r.Only) != 1 || r.Only[0].Door != "ssh" || r.Only[0].Source != "203.0.113.9" || !r.Only[0].Runs.Has(0.3) || r.Only[0].First == 0 {
		t.Fatalf("%+v", r.Only)
	}
	if len(r.Doors) != 1 || r.Doors[0].Name != "other" || r.Doors[0].Chances.Of != 500 || r.Doors[0].First != 0 {
		t.Errorf("%+v", r.Doors)
	}
}

// TestAChoiceLimitsWhatIsTold chooses doors and sources. What happens is the same.
func TestAChoiceLimitsWhatIsTold(t *testing.T) {
	w := crowd(t)
	plan := w.plan(t, everything)
	run := func(c Choice) *Report {
		r, err := plan.Run(t.Context(), repeat.Plan{Runs: 100}, c, w.machine)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	all, ssh := run(Choice{}), run(Choice{Doors: []string{"ssh"}})
	if len(ssh.Doors) != 1 || !reflect.DeepEqual(ssh.Doors[0], all.Doors[0]) || len(ssh.Only) != 0 {
		t.Errorf("ssh alone: %+v, want %+v", ssh, all.Doors[0])
	}
	six := run(Choice{Sources: []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}})
	if len(six.Doors) != 1 || len(six.Doors[0].Sources) != 1 || six.Doors[0].Chances != six.Doors[0].Sources[0].Chances {
		t.Errorf("IPv6 alone: %+v", six)
	}
	count := 0
	for _, one := range six.Doors[0].Reasons {
		count += one.Count
	}
	if c := six.Doors[0].Chances; count != c.All-c.Of {
		t.Errorf("%d reasons for %v", count, c)
	}
}

// TestHowMuchLaterTheChosenAre has two sources. Both together are as late as each of them.
func TestHowMuchLaterTheChosenAre(t *testing.T) {
	lines := "0s 203.0.113.9 tcp/1\n0s 203.0.113.8 tcp/1\n500ms 203.0.113.9 udp/2\n500ms 203.0.113.8 udp/2"
	w := build(t, lines, door("ssh", 1, -2))
	plan := w.plan(t, Network{Jitter: 400 * time.Millisecond})
	run := func(sources ...string) Door {
		var c Choice
		for _, s := range sources {
			c.Sources = append(c.Sources, netip.MustParsePrefix(s))
		}
		r, err := plan.Run(t.Context(), repeat.Plan{Runs: 20}, c, w.machine)
		if err != nil {
			t.Fatal(err)
		}
		return r.Doors[0]
	}
	all, nine, eight := run(), run("203.0.113.9/32"), run("203.0.113.8/32")
	if nine.Mean == eight.Mean || (all.Mean-(nine.Mean+eight.Mean)/2).Abs() > 1 || all.Most != max(nine.Most, eight.Most) || nine.Most == eight.Most {
		t.Errorf("%v, %v at most; %v, %v; %v, %v", all.Mean, all.Most, nine.Mean, nine.Most, eight.Mean, eight.Most)
	}
}

// TestAnAttemptFromTwoAddresses has a source with two addresses. All its flows have the same one in
// 1 of 4 runs with three knocks.
func TestAnAttemptFromTwoAddresses(t *testing.T) {
	r := build(t, knocks("203.0.113.9", 1, -2, 3), door("ssh", 1, -2, 3)).run(t, Network{Addresses: 2}, 1000)
	d, two := r.Doors[0], false
	if !d.Chances.Has(0.25) || len(d.Sources) != 1 || d.Sources[0].Address != "203.0.113.9" {
		t.Errorf("%+v, want 25 %% from 203.0.113.9", d)
	}
	for _, one := range d.Reasons { // of the address that came furthest
		if two = two || one.Stage == 2; one.Result != account.ResultStopped {
			t.Errorf("%v", one)
		}
	}
	if !two {
		t.Errorf("no attempt had two knocks: %+v", d.Reasons)
	}
}

// TestHowMuchLater has jitter of at most 400 ms, which changes no order.
func TestHowMuchLater(t *testing.T) {
	r := build(t, knocks("203.0.113.9", 1, -2, 3), door("ssh", 1, -2, 3)).run(t, Network{Jitter: 400 * time.Millisecond}, 1000)
	d := r.Doors[0]
	if d.Chances.Of != 1000 || d.Mean < 190*time.Millisecond || d.Mean > 210*time.Millisecond || d.Most < 395*time.Millisecond || d.Most >= 400*time.Millisecond {
		t.Errorf("%v, %v later, %v at most", d.Chances, d.Mean, d.Most)
	}
}

// TestALaterKnockIsNotLate has a source that opens twice, hours apart, and one whose copy opens
// again.
func TestALaterKnockIsNotLate(t *testing.T) {
	r := build(t, "0s 203.0.113.9 tcp/1\n10h 203.0.113.9 tcp/1 seq=9", door("ssh", 1)).run(t, Network{Loss: 0.5}, 50)
	if d := r.Doors[0]; d.Mean != 0 || d.Most != 0 {
		t.Errorf("%v later, %v at most", d.Mean, d.Most)
	}
	r = build(t, "0s 203.0.113.9 udp/1", door("ssh", -1)).run(t, Network{Duplicate: 1}, 50)
	if d := r.Doors[0]; d.Mean != 0 || d.Most != 0 || d.Chances.Of != 50 {
		t.Errorf("%v later, %v at most, with a copy", d.Mean, d.Most)
	}
}

// TestRetransmitsHelp has knocks so slow that a SYN that is sent again comes before the next one.
func TestRetransmitsHelp(t *testing.T) {
	w := build(t, "0s 203.0.113.9 tcp/1\n10s 203.0.113.9 tcp/2\n20s 203.0.113.9 tcp/3", door("ssh", 1, 2, 3))
	without, with := w.run(t, Network{Loss: 0.4}, 1000), w.run(t, Network{Loss: 0.4, Retransmit: true}, 1000)
	if c := without.Doors[0].Chances; !c.Has(0.216) {
		t.Errorf("without: %v, want 21.6 %%", c)
	}
	if c, want := with.Doors[0].Chances, math.Pow(1-math.Pow(0.4, 4), 3); !c.Has(want) {
		t.Errorf("with: %v, want %.1f %%", c, 100*want)
	}
}

func TestTheEndOfTheContext(t *testing.T) {
	w := crowd(t)
	ctx, cancel := context.WithCancel(t.Context())
	plan := w.plan(t, everything)
	cancel()
	r, err := plan.Run(ctx, repeat.Plan{Runs: 100}, Choice{}, w.machine)
	if !errors.Is(err, context.Canceled) || r == nil || r.Runs > 100 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAMachineThatCannotBeMade(t *testing.T) {
	broken := errors.New("broken")
	_, err := crowd(t).plan(t, everything).Run(t.Context(), repeat.Plan{Runs: 100}, Choice{}, func() (Machine, error) { return Machine{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

func TestReasons(t *testing.T) {
	for want, r := range map[string]Reason{
		"nothing came":           {Result: Silent},
		"opened, but less often": {Result: Fewer},
		"refused: when":          {Result: account.ResultRefused, Stage: 4, Stages: 4, Reason: "when"},
		"never began":            {Result: account.ResultNeverBegan},
		"stopped at 2 of 4, tcp/3 was awaited: total timeout": {Result: account.ResultStopped, Stage: 2, Stages: 4, Awaited: "tcp/3", Reason: "total_timeout"},
	} {
		if got := r.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestWhatHappenedIsTold shows the fates of packets, with all faults. The seeds are such that each
// is there.
func TestWhatHappenedIsTold(t *testing.T) {
	w := build(t, knocks("203.0.113.9", 1, -2, 3), door("ssh", 1, -2, 3))
	var all strings.Builder
	for seed := range uint64(200) {
		single, err := w.plan(t, everything).Show(t.Context(), seed, Machine{Set: w.set}, View{Writer: transcript.NewJSON(&bytes.Buffer{})})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range single.Fates {
			if f.Packet < 1 || f.Packet > 3 || f.Source != "203.0.113.9" || !strings.HasPrefix(f.Text, fmt.Sprintf("packet %d, %s of 203.0.113.9: ", f.Packet, f.Port)) {
				t.Fatalf("%+v", f)
			}
			fmt.Fprintf(&all, "%s by=%s\n", f.Text, f.By)
		}
	}
	for _, want := range []string{
		": lost by=\n", ": its copy was lost by=\n", ": sent again after 1s by=1s\n", ": what was sent again after 1s was lost by=\n",
		": what was sent again after 1s was sent from 203.0.113.10 by=\n", ": sent from 203.0.113.10 by=\n", ": held back for 500ms, behind packet 2 by=500ms\n",
	} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("nothing is %q in\n%s", want, all.String()[:2000])
		}
	}
}

// BenchmarkRuns makes runs of four knocks.
func BenchmarkRuns(b *testing.B) {
	d := door("ssh", 7421, -9133, 2904, 6117)
	d.Tripwires = 64
	w := build(b, knocks("203.0.113.9", 7421, -9133, 2904, 6117), d)
	for b.Loop() {
		w.run(b, Network{Loss: 0.02, Jitter: 200 * time.Millisecond}, 1000)
	}
}
