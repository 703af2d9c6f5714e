package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The memory that a collection leaves may grow by a part before the next one. Go's own rule is the
// whole. The daemon's is a half, at most maxGarbage, and at least a tenth, since each collection
// costs as much as there is in memory. Packets make no garbage, so a daemon at rest or in a flood
// needs the same with both. Scripts that fill the store make much.
//
// Memory that is free goes back to the kernel slowly, unless there is a limit. So there is one,
// an eighth above what is held: a limit that is lower makes the collector run all the time.
const (
	mostGarbage  = 50 // percent
	leastGarbage = 10
	maxGarbage   = 32 << 20
	leastLimit   = 224 << 20
)

// garbagePercent returns by how much memory of so many bytes may grow, in percent.
func garbagePercent(held uint64) int {
	percent := 100 * maxGarbage / float64(max(held, 1))
	return int(math.Round(min(max(percent, leastGarbage), mostGarbage)))
}

// memoryLimit returns the limit when so many bytes are held, at most the one of the environment.
func memoryLimit(held uint64, most int64) int64 {
	return min(max(leastLimit, int64(held+held/8)), most)
}

// boundGarbage applies the rule, unless the variable GOGC of the environment has another one.
func boundGarbage() {
	if os.Getenv("GOGC") != "" {
		return
	}
	most := debug.SetMemoryLimit(-1) // that of GOMEMLIMIT
	debug.SetGCPercent(mostGarbage)
	debug.SetMemoryLimit(memoryLimit(0, most))
	afterCollections(func(held uint64) {
		debug.SetGCPercent(garbagePercent(held))
		debug.SetMemoryLimit(memoryLimit(held, most))
	})
}

// afterCollections calls each after the next collection and all that follow, with the number of
// bytes that it found in use. It needs no goroutine: nothing holds the object, so that a collection
// runs its clean-up.
func afterCollections(each func(held uint64)) {
	runtime.AddCleanup(new([16]*byte), func(int) {
		held := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(held)
		afterCollections(each)
		each(held[0].Value.Uint64())
	}, 0)
}
