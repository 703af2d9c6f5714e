package main

import (
	"math"
	"runtime"
	"testing"
)

func TestHowMuchMayBeGarbage(t *testing.T) {
	for _, tt := range []struct {
		held uint64
		want int // percent
	}{
		{0, 50}, {30 << 20, 50}, {64 << 20, 50}, {80 << 20, 40}, {160 << 20, 20}, {320 << 20, 10}, {4 << 30, 10},
	} {
		if got := garbagePercent(tt.held); got != tt.want {
			t.Errorf("%d bytes are held: %d %%, want %d %%", tt.held, got, tt.want)
		}
	}
}

func TestTheLimitIsAboveWhatIsHeld(t *testing.T) {
	for _, tt := range []struct {
		held uint64
		most int64
		want int64
	}{
		{0, math.MaxInt64, 224 << 20},
		{192 << 20, math.MaxInt64, 224 << 20},
		{200 << 20, math.MaxInt64, 225 << 20},
		{800 << 20, math.MaxInt64, 900 << 20},
		{800 << 20, 850 << 20, 850 << 20},
		{0, 64 << 20, 64 << 20},
	} {
		if got := memoryLimit(tt.held, tt.most); got != tt.want {
			t.Errorf("%d bytes are held, the environment has %d: %d, want %d", tt.held, tt.most, got, tt.want)
		}
	}
}

// Each collection says how much is held, and not only the first.
func TestCollectionsAreFollowed(t *testing.T) {
	held := make(chan uint64)
	end := make(chan struct{})
	defer close(end)
	afterCollections(func(bytes uint64) {
		select {
		case held <- bytes:
		case <-end:
		}
	})
	ballast := make([]byte, 64<<20)
	for range 3 {
		runtime.GC()
		if got := <-held; got < 64<<20 {
			t.Errorf("%d bytes are held", got)
		}
	}
	runtime.KeepAlive(ballast)
}
