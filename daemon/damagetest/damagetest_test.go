package damagetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Each change leaves a file that is another one most often, and no longer than it may be.
func TestChanges(t *testing.T) {
	file := []byte("12 knocks of 203.0.113.9, at ports 7000 and 8000")
	for i, change := range changes {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			changed := 0
			for range 200 {
				got := change(r, bytes.Clone(file))
				if !bytes.Equal(got, file) {
					changed++
				}
				if len(got) > len(file)+grows {
					t.Errorf("%d bytes became %d", len(file), len(got))
				}
			}
			if changed < 150 {
				t.Errorf("of 200 files %d were changed", changed)
			}
		})
	}
}

// Whoever finds a fault tells the seed, and others get the same file.
func TestTheSameSeedGivesTheSameFile(t *testing.T) {
	file := bytes.Repeat([]byte("packet 5;"), 100)
	different := map[string]bool{}
	for seed := range uint64(300) {
		one := File(seed, file)
		if !bytes.Equal(one, File(seed, file)) {
			t.Fatalf("seed %d gives two files", seed)
		}
		different[string(one)] = true
	}
	if len(different) < 250 {
		t.Errorf("300 seeds give %d files", len(different))
	}
	if got := File(1, nil); len(got) != 0 {
		t.Errorf("an empty file became %q", got)
	}
}

func TestShare(t *testing.T) {
	for _, tt := range []struct {
		mutants     string
		whole, want int
	}{{"", 3_000, 300}, {"", 60, 6}, {"", 3, 1}, {"3000", 300, 300}, {"6000", 300, 600}, {"0", 300, 1}} {
		t.Setenv(Mutants, tt.mutants)
		if got := Share(t, tt.whole); got != tt.want {
			t.Errorf("%s=%s: %d of %d, want %d", Mutants, tt.mutants, got, tt.whole, tt.want)
		}
	}
}
