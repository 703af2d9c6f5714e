//go:build linux

package e2e

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"sesame/daemon/livetest"
)

// crowdDoor is a door at which a crowd knocks once. Its first port is in no sequence of others.
const crowdDoor = `sesame.door "crowd" { sequence = { "tcp/20011", "udp/20477", "tcp/21903" }, within = "1s", guards = "tcp/443", ttl = "10m", tripwires = 0 }`

// A crowd knocks once from each of many sources, over and over, at 20,000 knocks a second at most.
// It stops when the daemon is crowdAhead packets behind. So a busy machine takes longer, and loses
// nothing: the ring of a capture has room for more.
type crowd struct {
	w       *world
	packets atomic.Int64 // that the daemon must have received, of the crowd and of others
	knocks  atomic.Int64 // the same of knocks
	batches atomic.Int64 // that the crowd has sent
	began   time.Time
	cancel  context.CancelFunc
	done    chan error // capacity 1
}

const (
	crowdBatch = 1_000
	crowdRate  = 20_000
	crowdAhead = 6_000
	// crowdPatience is the number of batches for one edit, on average: 50 seconds of knocks.
	crowdPatience = 1_000
)

// crowd starts one, for so many edits.
func (w *world) crowd(edits int) *crowd {
	w.Helper()
	sender, err := w.net.Client.OpenSender()
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.Cleanup(cancel)
	c := &crowd{w: w, began: time.Now(), cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer sender.Close()
		c.done <- c.run(ctx, sender, edits*crowdPatience)
	}()
	return c
}

func (c *crowd) run(ctx context.Context, sender *livetest.Sender, most int) error {
	for batch := range most {
		if ctx.Err() != nil {
			return nil
		}
		// The batch is sent as a whole, so that its number is known.
		sent, _, err := sender.Send(context.Background(), crowdKnocks(batch), crowdRate)
		c.knocks.Add(int64(sent))
		total := c.packets.Add(int64(sent))
		if err != nil {
			return err
		}
		err = eventually(func() (bool, string) {
			s, err := c.w.client().Status(context.Background())
			return ctx.Err() != nil || err == nil && int64(s.Counts.Packets) >= total-crowdAhead,
				fmt.Sprintf("%d packets are judged", total-crowdAhead)
		})
		if err != nil {
			return err
		}
		c.batches.Add(1)
	}
	return fmt.Errorf("the crowd has sent %d batches, and the edits have not ended", most)
}

func crowdKnocks(batch int) iter.Seq[livetest.Knock] {
	source := func(i int) netip.Addr { return livetest.Source4((batch*crowdBatch + i) % livetest.MaxSource4) }
	return livetest.Flood(crowdBatch, source, crowdBatch, "tcp/20011")
}

// waitForBatch waits until the crowd has sent one more batch.
func (c *crowd) waitForBatch() {
	c.w.Helper()
	before := c.batches.Load()
	c.w.eventually("the crowd goes on", func() bool {
		select {
		case err := <-c.done:
			c.w.Fatalf("the crowd has ended: %v", err)
		default:
		}
		return c.batches.Load() > before
	})
}

// send sends knocks of a person beside the crowd. The daemon receives those on ports it hears.
func (c *crowd) send(source netip.Addr, heard, knocks []string) {
	c.w.Helper()
	c.w.send(source, knocks...)
	for _, knock := range knocks {
		if slices.Contains(heard, knock) {
			c.knocks.Add(1)
			c.packets.Add(1)
		}
	}
}

// end ends the crowd, after the batch that is on its way, and returns how many knocks it sent in a
// second on average.
func (c *crowd) end() (rate int) {
	c.w.Helper()
	c.cancel()
	if err := <-c.done; err != nil {
		c.w.Fatal(err)
	}
	return int(float64(c.batches.Load()*crowdBatch) / time.Since(c.began).Seconds())
}
