package daemon

import (
	"sync"
	"time"

	"sesame/daemon/audit"
	"sesame/daemon/control"
)

// deniedEvery is the shortest time between two entries about users who may not ask.
const deniedEvery = time.Minute

// A denials counts requests of users who may not ask. They set its pace, so there is one entry a
// minute, with the number of them and the last one. Its methods may be called from any goroutine.
type denials struct {
	mu    sync.Mutex
	count int
	next  time.Time // engine time; no entry before this
}

// add counts a request, and returns how many there were since the last entry; 0: no entry is due.
func (d *denials) add(now time.Time) (count int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if now.Before(d.next) {
		return 0
	}
	count, d.count, d.next = d.count, 0, now.Add(deniedEvery)
	return count
}

// denied notes a request of a user who may not ask. What the client claims is left out.
func (d *daemon) denied(c control.Caller) {
	count := d.denials.add(d.clock.now())
	if count == 0 {
		return
	}
	e := audit.Entry{Action: audit.Denied, Outcome: audit.Refused, Count: count, Time: d.wallNow()}
	NoteCaller(&e, &control.Caller{UID: c.UID, GID: c.GID, PID: c.PID})
	d.audit.Add(e)
}
