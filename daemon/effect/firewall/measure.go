package firewall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"sesame/daemon/reach"
)

const (
	// Other programs may trace packets, too, as many as they like, and the kernel sends the
	// messages to all listeners. After maxForeign of them in a row Measure rests for a while.
	// Messages that are lost in the meantime are noticed.
	maxForeign = 2000
	foreignNap = 100 * time.Millisecond
	// idle is how long Measure waits when nothing is due. Then it looks again whether traces may
	// be made.
	idle = 5 * time.Second
)

// Measure finds out what becomes of the packets that grants let in, until ctx is done; then it
// returns nil. The kernel traces the first packets of a grant, at most one new connection of a
// source to a port in a second after the first five. Measure follows them through the chains of
// all programs, and then asks connection tracking whether an answer went out. Of a source that was
// stopped it also asks whether a later connection was answered, see beyond.go.
//
// It calls changed for each result that differs from the one before for the same source and port.
// now returns the current time. Packets cannot be followed through tables that are not those of
// nftables, such as those of iptables-legacy: what these drop is [reach.Unanswered]. Where they
// would write each traced packet into the kernel's log, nothing is traced, see quiet.go.
func (g *Guard) Measure(ctx context.Context, now func() time.Time, changed func(reach.Result)) error {
	conn, err := listenTo(unix.NFNLGRP_NFTRACE)
	if err != nil {
		return fmt.Errorf("listening to traces of the firewall: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // which ends a Receive
	defer stop()
	m := measurement{guard: g, begun: map[reach.Flow]bool{}, follower: reach.NewFollower(traceNames), now: now, changed: changed, known: map[string]ruleKnown{},
		stops: noStops()}
	m.follow()
	for {
		err := m.step(ctx, conn)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listening to traces of the firewall: %w", err)
		}
	}
}

// Reached returns the latest result of each source at each port, the latest first; at most 1,024.
// It may be called from any goroutine.
func (g *Guard) Reached() []reach.Result { return g.reached.Results() }

// A measurement is the state of one [Guard.Measure].
type measurement struct {
	guard    *Guard
	follower *reach.Follower
	now      func() time.Time
	changed  func(reach.Result)
	foreign  int // messages in a row of traces that are not ours
	known    map[string]ruleKnown
	quiet    quiet
	checked  time.Time           // when quiet was read
	begun    map[reach.Flow]bool // that were listed when the sets were read last
	stops    stops
}

// step waits for messages until something is due, and handles both.
func (m *measurement) step(ctx context.Context, conn *netlink.Conn) error {
	wait := idle
	if m.quiet != (quiet{}) {
		wait = quietWait
	}
	wait = min(wait, m.stops.wait(m.now()))
	if next := m.follower.Next(); !next.IsZero() {
		wait = min(wait, max(0, next.Sub(m.now())))
	}
	if err := conn.SetReadDeadline(deadline(wait)); err != nil {
		return err
	}
	messages, err := conn.Receive()
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		m.take(ctx, messages)
	case errors.Is(err, unix.ENOBUFS): // messages were dropped
		m.follower.Lost()
	case errors.Is(err, unix.EINTR), errors.As(err, &timeout) && timeout.Timeout():
	default:
		return err
	}
	m.follow()
	for _, e := range m.follower.Look(m.now(), m.connection) {
		m.record(ctx, e)
	}
	m.lookBeyond()
	return nil
}

func (m *measurement) take(ctx context.Context, messages []netlink.Message) {
	for _, one := range messages {
		message, ok := traceMessage(one)
		if !ok {
			continue
		}
		ended, ours := m.follower.Add(message, m.now())
		if m.foreign++; ours {
			m.foreign = 0
		}
		if ended != nil {
			m.record(ctx, *ended)
		}
	}
	if m.foreign >= maxForeign {
		m.foreign = 0
		select {
		case <-pause(foreignNap):
		case <-ctx.Done():
		}
	}
}

func (m *measurement) connection(f reach.Flow) (reach.Conn, bool) {
	found, err := m.guard.socket.connection(f)
	return found, err == nil
}

// record stores a result, with what is known of its cause.
func (m *measurement) record(ctx context.Context, e reach.Ending) {
	result := reach.Result{Source: e.Flow.Source.Addr(), Port: e.Flow.Port(), Outcome: e.Outcome, Closed: e.Closed, Blocker: e.Blocker}
	m.explain(ctx, &result, e)
	result, changed := m.guard.reached.Put(result, e.Came)
	if changed {
		m.changed(result)
	}
	m.stops.note(result)
}
