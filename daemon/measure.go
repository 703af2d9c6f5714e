package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"sesame/daemon/control"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/packet"
	"sesame/daemon/reach"
	"sesame/daemon/split"
)

const (
	// blockedFor is how long a chain in which a granted packet ended is called wrong.
	blockedFor = time.Hour
	// maxPlaces bounds the chains and rules that were warned of. Beyond that there is no warning.
	maxPlaces = 64
)

// A measurement is what was logged of granted connections. Only the goroutine of measure uses it.
// The guard holds the results.
type measurement struct {
	answers *rate.Limiter // of lines about connections: clients decide how many there are
	warned  []blockedAt   // chains and rules that a warning names
}

// A blockedAt is where packets ended.
type blockedAt struct {
	table, chain string
	handle       uint64
}

// measure follows what becomes of granted packets, and logs what is new. When that fails it starts
// again after a second. It ends with ctx.
func (d *daemon) measure(ctx context.Context) error {
	guard, ours := d.firewall.(*firewall.Guard)
	if !ours {
		return nil
	}
	d.measurement.answers = rate.NewLimiter(1, 20)
	for ctx.Err() == nil {
		err := d.measureOnce(ctx, guard)
		if err != nil && d.troubles.set(unmeasured, err) {
			d.config.Log.Warn("what becomes of granted packets is not measured", "error", err)
		}
		select {
		case <-after(time.Second):
		case <-ctx.Done():
		}
	}
	return nil
}

// measureOnce measures until that fails. After two seconds it counts as done well.
func (d *daemon) measureOnce(ctx context.Context, guard *firewall.Guard) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-after(2 * time.Second):
			d.troubles.set(unmeasured, nil)
		case <-ctx.Done():
		}
	}()
	return guard.Measure(ctx, d.loop.clock.now, d.logReached)
}

// logReached logs a result that is new: a warning for each chain and rule that stops packets, once,
// and lines about connections, which are bounded.
func (d *daemon) logReached(r reach.Result) {
	log, who := d.config.Log, []any{"source", r.Source.String(), "port", r.Port.String()}
	switch {
	case r.Outcome == reach.Dropped || r.Outcome == reach.Rejected:
		var at blockedAt
		if b := r.Blocker; b != nil {
			at = blockedAt{b.Table, b.Chain, b.Handle}
		}
		if slices.Contains(d.measurement.warned, at) || len(d.measurement.warned) == maxPlaces {
			log.Debug("another chain stopped what a grant let in", who...)
			return
		}
		d.measurement.warned = append(d.measurement.warned, at)
		log.Warn("another chain stopped what a grant let in", append(who, "table", at.table, "chain", at.chain, "rule", ruleOf(r.Blocker),
			"outcome", string(r.Outcome), "add", strings.Join(r.Lines, " ; "))...)
	case !d.measurement.answers.AllowN(d.loop.clock.now(), 1):
	case r.Outcome == reach.Answered && r.Closed:
		log.Info("a granted connection was refused by this host: no program listens", who...)
	case r.Outcome == reach.Answered:
		log.Info("a granted connection was answered", who...)
	case r.Outcome == reach.Unanswered:
		log.Info("a granted connection was not answered", who...)
	}
}

// ruleOf returns the text of what stopped packets, or "policy".
func ruleOf(b *reach.Blocker) string {
	switch {
	case b == nil:
		return ""
	case b.Policy:
		return "policy"
	}
	return b.Rule
}

// reachedOf returns what is known of a grant since it was given or extended last; nil when nothing
// is measured, or when that may have been before the start. The results are those of the guard.
func reachedOf(results []reach.Result, g *control.Grant, offset time.Duration, start time.Time) *control.Reached {
	if g.Observed || g.Argv != nil || g.Port.Port == (packet.Port{}) {
		return nil
	}
	given := g.End.Add(-time.Duration(g.TTL) - offset)
	result := reach.Of(results, g.Source.Prefix, g.Port.Port, given)
	if result.Outcome == reach.Unused && given.Before(start) {
		return nil
	}
	r := control.ReachedOf(result, offset)
	return &r
}

// addMeasured adds to a status what the firewall knows of packets: what became of granted ones, and
// who was refused.
func (d *daemon) addMeasured(ctx context.Context, kernel *firewallLook, s *control.Status) {
	guard, ours := d.firewall.(*firewall.Guard)
	if !ours {
		return
	}
	offset := time.Duration(s.Offset)
	results := d.outdated.with(guard.Reached())
	s.Stopped, s.Refused = stoppedList(kernel.stopped, s.Now), stoppedList(kernel.refused, s.Now)
	s.RefusedUnlisted = kernel.unlisted
	s.Reached = reachedList(results, offset)
	s.Firewall.Measured = s.Firewall.Unmeasured == ""
	s.Firewall.Conflicts = blocking(s.Reached, s.Firewall.Conflicts, s.Now)
	var given []split.Opening
	d.loop.do(ctx, func() {
		s.SplitKnocks = splitKnocks(d.loop.openings.knocks.Knocks(), offset)
		given = d.loop.openings.list()
	})
	if s.Firewall.Measured {
		s.TurnedAway = turnedAway(given, results, kernel.refused, kernel.asked, offset)
	}
}

// reachedList returns the latest results, for the status.
func reachedList(results []reach.Result, offset time.Duration) (all []control.Measured) {
	for _, r := range results[:min(len(results), control.MaxReached)] {
		all = append(all, control.Measured{Source: r.Source, Port: control.Port{Port: r.Port}, Reached: control.ReachedOf(r, offset)})
	}
	return all
}

// blocking returns the chains in which granted packets ended in the last hour, the latest first,
// each with its latest packet, and then those of others that only may stop one.
func blocking(measured []control.Measured, others []control.Conflict, now time.Time) (all []control.Conflict) {
	for i := range measured {
		m := &measured[i]
		known := slices.ContainsFunc(all, func(c control.Conflict) bool {
			return c.Table == m.Table && c.Chain == m.Chain && c.Seen.Handle == m.Handle
		})
		if m.Blocked() && !m.Changed && now.Sub(m.Last) <= blockedFor && !known {
			all = append(all, control.Conflict{Table: m.Table, Chain: m.Chain, Lines: m.Lines, Seen: m})
		}
	}
	for _, o := range others {
		known := slices.ContainsFunc(all, func(c control.Conflict) bool { return c.Table == o.Table && c.Chain == o.Chain })
		if !known {
			all = append(all, o)
		}
	}
	return all
}

// maxStopped bounds the sources in a status that guards refused, or would have stopped.
const maxStopped = 50

// stoppedList returns sources that a guard stopped, or would have, for a status of this time.
func stoppedList(all []firewall.Stopped, now time.Time) (list []control.Stopped) {
	for _, one := range all[:min(len(all), maxStopped)] {
		list = append(list, control.Stopped{
			Source: control.Source{Prefix: netip.PrefixFrom(one.Source, one.Source.BitLen())}, Port: control.Port{Port: one.Port}, Packets: one.Packets, Last: now.Add(-one.Ago),
		})
	}
	return list
}
