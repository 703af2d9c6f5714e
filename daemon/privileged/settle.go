//go:build linux

package privileged

import (
	"context"
	"strings"
	"sync"

	"sesame/daemon/wire"
)

// settle runs undos of earlier sessions that the daemon does not know of. Those with the same
// arguments run one after another, and no others wait for each other, but for a free slot: each is
// an access that should be over.
func (c *session) settle(ctx context.Context, unclaimed []*owed) {
	var order []hash
	groups := map[hash][]*owed{}
	for _, o := range unclaimed {
		if groups[o.hash] == nil {
			order = append(order, o.hash)
		}
		groups[o.hash] = append(groups[o.hash], o)
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	for _, h := range order {
		run := func() {
			for _, o := range groups[h] {
				c.settleOne(ctx, o)
			}
		}
		if o := groups[h][0]; o.ended != nil { // its command may run for minutes, without a slot of ours
			tasks.Go(func() {
				select {
				case <-o.ended:
				case <-ctx.Done():
				}
				c.server.slots <- struct{}{}
				defer func() { <-c.server.slots }()
				run()
			})
			continue
		}
		c.server.slots <- struct{}{}
		tasks.Go(func() {
			defer func() { <-c.server.slots }()
			run()
		})
	}
}

// settleOne runs an undo that was taken, and tells the daemon when it did not run: nobody tries it
// again before another session.
func (c *session) settleOne(ctx context.Context, o *owed) {
	s := c.server
	if ctx.Err() != nil {
		s.journal.putBack(o)
		return
	}
	command := strings.Join(wire.Convert[string](o.Argv), " ")
	s.cfg.Log.Info("an undo was pending that no daemon knows of: it runs now", "door", string(o.Door), "command", command)
	answer := s.undoTaken(ctx, &c.set, o)
	if answer.counts(o.AnyStatus) || answer.outcome == outcomeStopped {
		return
	}
	s.cfg.Log.Warn("the undo failed: it is tried again after the next start of the daemon", "door", string(o.Door), "command", command, "error", answer.text)
	if c.conn == nil {
		return // no daemon runs: see [Server.Settle]
	}
	c.send(message{kind: kindFailed, door: string(o.Door), line: cut(command, maxLine), text: answer.text}, nil)
}
