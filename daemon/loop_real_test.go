package daemon

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/capture"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/filter"
	"sesame/daemon/livetest"
	"sesame/daemon/packet"
)

// TestRealUpkeep gives a loop always something else to do: what it does now and
// then, such as telling what the kernel lost, it does nevertheless.
func TestRealUpkeep(t *testing.T) {
	var source *capture.Source
	err := livetest.New(t).Server.Do(func() (err error) {
		source, err = capture.Open(capture.Config{Links: capture.NewLinks(nil, nil)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	l := &loop{
		clock: c, engine: engine.New(engine.Config{}, c.now()), source: source, filter: filter.New(filter.Interest{}), decoder: packet.NewDecoder(),
		runner: effect.New(effect.Config{Now: c.now}), log: hclog.NewNullLogger(), upkeep: 20 * time.Millisecond, report: newReporter(nil, nil, nil, hclog.NewNullLogger()),
		alive: func() {}, stepped: func() {}, calls: make(chan func()), ended: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	go l.run(ctx, 0)
	kept := map[time.Time]bool{}
	for began := c.now(); len(kept) < 5 && c.now().Sub(began) < 5*time.Second; {
		if !l.do(ctx, func() { kept[l.nextUpkeep] = true }) {
			t.Fatal("the loop has ended")
		}
	}
	cancel()
	<-l.ended
	if len(kept) < 5 {
		t.Errorf("in five seconds it looked after things %d times", len(kept))
	}
}
