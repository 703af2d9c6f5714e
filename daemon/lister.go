package daemon

import (
	"context"
	"sync/atomic"

	"sesame/daemon/effect/listing"
)

// A lister is where the texts of other firewalls' rules come from, for people who ask why a packet
// was dropped: from the programs that print them, or, in a process that may start no program, from
// a process that was started before.
type lister struct {
	client  atomic.Pointer[listing.Client]
	started chan *listing.Client // capacity 1
}

func newLister() lister { return lister{started: make(chan *listing.Client, 1)} }

// startLister starts the process that lists rules, when the daemon will not be able to start
// programs and may be asked for rules. It must still have its privileges: the process is one of
// another user. Without it texts are missing, and nothing else is.
func (d *daemon) startLister(commands bool) {
	if !d.config.Confine || commands || d.config.Firewall.Mode == "set" || len(d.config.Lister) == 0 || !listing.Possible() {
		return
	}
	client, err := listing.Start(d.config.Lister)
	if err != nil {
		d.noteLister(err)
		return
	}
	d.lister.client.Store(client)
	d.lister.started <- client
}

// followLister takes the answers of the process that lists rules, if there is one.
func (d *daemon) followLister(ctx context.Context) error {
	select {
	case client := <-d.lister.started:
		if err := client.Run(ctx); err != nil {
			d.noteLister(err)
		}
	case <-ctx.Done():
	}
	return nil
}

// noteLister notes why the texts of rules are missing from now on.
func (d *daemon) noteLister(err error) {
	if d.troubles.set(rulesUnread, err) {
		d.config.Log.Warn("rules of other firewalls are named by their numbers alone, since their text cannot be read", "error", err)
	}
}

// text returns the text of a rule; "": it is not known.
func (l *lister) text(ctx context.Context, r listing.Rule) (string, error) {
	if client := l.client.Load(); client != nil {
		return client.Text(ctx, r)
	}
	return listing.Text(ctx, r)
}

// close ends the process that lists rules.
func (l *lister) close() {
	if client := l.client.Load(); client != nil {
		client.Close()
	}
}
