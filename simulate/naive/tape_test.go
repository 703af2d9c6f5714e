package naive_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/transcript"
	"sesame/simulate"
	"sesame/simulate/perturb"
)

// TestATapeIsItsCaptures plays tapes of random captures without faults. The transcript is that of
// the captures, byte for byte.
func TestATapeIsItsCaptures(t *testing.T) {
	dir, opens := t.TempDir(), 0
	for i := range max(*runs/50, 1) {
		s := newScenario(rand.New(rand.NewPCG(*seed+uint64(i), 0)))
		config := simulate.Config{Set: s.set, Local: s.local, Until: time.Hour}
		for i, data := range s.files() {
			path := filepath.Join(dir, fmt.Sprint(i, ".pcap"))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			config.Captures = append(config.Captures, path)
		}
		want, got := transcribe(t, config), playTape(t, config)
		if got != want {
			t.Fatalf("seed %d (-captures +tape):\n%s\n%v", *seed+uint64(i), cmp.Diff(want, got), s)
		}
		opens += bytes.Count([]byte(want), []byte(`"event":"open"`))
	}
	if *runs >= 1000 && opens < *runs/100 {
		t.Errorf("%d openings prove little", opens)
	}
}

func transcribe(t *testing.T, config simulate.Config) string {
	var out bytes.Buffer
	config.Writer = transcript.NewJSON(&out)
	if _, err := simulate.Run(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func playTape(t *testing.T, config simulate.Config) string {
	tape, err := simulate.ReadTape(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	machine := perturb.Machine{Set: config.Set}
	plan, err := perturb.NewPlan(t.Context(), tape, perturb.Network{}, machine)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := plan.Show(t.Context(), 1, machine, perturb.View{Writer: transcript.NewJSON(&out)}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
