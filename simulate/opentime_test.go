package simulate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A replay of a recording ends with the ports open that the daemon had open: also those that were
// open when the recording began, and those that a start restored.
func TestOpenTimesOfARecording(t *testing.T) {
	longer, open := 0, 0
	for seed := range uint64(20) {
		f := takeOff(t, seed, []int{1 << 20, 1 << 16}[seed%2])
		for range 300 + f.random.IntN(500) {
			f.step()
		}
		recording, _ := f.land()
		report, _ := again(t, Config{Account: true}, recording)
		var got, want []string
		for _, s := range report.Open.Sources {
			if s.Last.IsZero() {
				got = append(got, fmt.Sprint(s.Source, s.Port))
			}
			if s.Grants > s.Periods {
				longer++
			}
			if s.Open < 0 || s.First.IsZero() {
				t.Errorf("flight %d: %+v", seed, s)
			}
		}
		now := f.engine.Now()
		for _, g := range f.engine.Grants() {
			if g.Port != (packet.Port{}) && !g.Observed && g.End.After(now) {
				want = append(want, fmt.Sprint(g.Source, g.Port))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(slices.Compact(want), got); diff != "" {
			t.Errorf("flight %d: open at the end (-lived +replayed):\n%s", seed, diff)
		}
		open += len(got)
		f.set.Close()
	}
	if open < 20 || longer < 20 {
		t.Errorf("%d ports were open at an end, %d had more grants than periods: the flights prove little", open, longer)
	}
}

// Nothing is collected that nobody asked for.
func TestOpenTimesNeedAnAccount(t *testing.T) {
	o := newOutput(Config{Writer: transcript.NewJSON(nil)}, false)
	if o.times != nil {
		t.Error("times are collected without an account")
	}
}
