package effect

import (
	"context"
	"testing"
	"time"

	"sesame/daemon/engine"
)

// A noFirewall carries out everything at once.
type noFirewall struct{}

func (noFirewall) Apply([]Element) []error         { return nil }
func (noFirewall) Install(Guards, []Element) error { return nil }
func (noFirewall) Elements() ([]Element, error)    { return nil, nil }
func (noFirewall) Whole() (bool, error)            { return false, nil }

// BenchmarkAllow measures what the runner adds to an allow: from Enqueue to its
// result, of one at a time and of 64 at once.
func BenchmarkAllow(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(map[int]string{1: "one", 64: "of64"}[n], func(b *testing.B) {
			r := New(Config{Firewall: noFirewall{}, Persist: func([]engine.Record) error { return nil }, Now: time.Now})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- r.Run(ctx) }()
			record := &engine.Record{Grant: &engine.Grant{ID: 1}}
			var events []engine.Event
			for i := range uint64(n) {
				events = append(events,
					engine.Event{Kind: engine.EventEffect, Effect: engine.EffectPersist, Persist: record},
					engine.Event{Kind: engine.EventEffect, Effect: engine.EffectAllow, ID: i + 1, Decision: i + 1, Source: alice, Port: ssh, Until: time.Now().Add(time.Hour)})
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Enqueue(events)
				for got := 0; got < n; got += len(r.Results()) {
					<-r.Ready()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/allow")
			cancel()
			if err := <-ended; err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkEnqueueNothing measures what a packet costs that requests no effect.
func BenchmarkEnqueueNothing(b *testing.B) {
	r := New(Config{})
	events := []engine.Event{{Kind: engine.EventStage}}
	for b.Loop() {
		r.Enqueue(events)
	}
}
