package suite

import (
	"math/bits"
	"os"
	"slices"

	"sesame/scripting/spec"
)

// A class of cost has tests that send less than costUnit packets, less than twice as many, and so
// on. Within one, tests stay in their order: those of one file mostly share a set.
const (
	costUnit = 1_000
	// frameBytes is the size of a frame of a capture with its header, about.
	frameBytes = 64
)

// cheapestFirst returns the indexes of results in the order of what their tests cost, so that a
// limited time is enough for as many as can be.
func cheapestFirst(results []Result, path func(string) string) []int {
	classes := make([]int, len(results))
	order := make([]int, len(results))
	for i := range results {
		order[i], classes[i] = i, bits.Len(uint(packetsOf(results[i].Test, path)/costUnit))
	}
	slices.SortStableFunc(order, func(a, b int) int { return classes[a] - classes[b] })
	return order
}

// packetsOf returns about how many packets a test sends.
func packetsOf(test *spec.Test, path func(string) string) (packets int64) {
	for i := range test.Steps {
		s := &test.Steps[i]
		switch s.Action {
		case spec.Knock:
			packets += int64(max(len(s.Knocks), 1))
		case spec.Scan:
			for _, r := range s.Ports {
				packets += (int64(r.Last-r.First) + 1) * int64(max(s.Times, 1))
			}
		case spec.Replay:
			if info, err := os.Stat(path(s.Capture)); err == nil { // a missing one is skipped at once
				packets += info.Size() / frameBytes
			}
		case spec.NoAction:
		}
	}
	return packets
}
