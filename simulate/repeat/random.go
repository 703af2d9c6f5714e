package repeat

import (
	"hash/fnv"
	"math/rand/v2"
)

// Random returns the random numbers of a run for one purpose. Each purpose has its own, so that
// whoever draws more for one does not change what is drawn for another. The same seed and purpose
// give the same numbers in each version and on each machine.
func Random(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(purpose)) // it never fails
	first := mix(seed + mix(h.Sum64()))
	return rand.New(rand.NewPCG(first, mix(first)))
}

// mix is the step of SplitMix64 (Steele, Lea and Flood, 2014). The seeds of runs follow one
// another, and generators that are begun with neighbours would begin alike.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
