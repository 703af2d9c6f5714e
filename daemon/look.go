package daemon

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/effect/firewall"
	"sesame/daemon/metrics"
	"sesame/daemon/writable"
	"sesame/scripting"
)

// A look examines something outside the daemon that may hang: files on a disk or a network, the
// kernel's firewall. At most one examination runs at a time, in a goroutine of its own. The zero
// value is ready.
type look[T any] struct {
	mu      sync.Mutex
	running chan struct{} // closed when the examination is over; nil: none runs
	last    T             // what the latest one found
}

// lookLimit is how long the status waits for what it looks at.
const lookLimit = time.Second

// get returns what an examination finds. After limit, or when ctx ends, it returns what the one
// before found, and that it is not fresh; the zero value when there was none. An examination that
// runs already is waited for instead of a second one.
func (l *look[T]) get(ctx context.Context, limit time.Duration, examine func() T) (found T, fresh bool) {
	l.mu.Lock()
	if l.running == nil {
		l.running = make(chan struct{})
		go l.examine(examine)
	}
	over := l.running
	l.mu.Unlock()
	late := newTimer(limit)
	defer late.Stop()
	select {
	case <-over:
		fresh = true
	case <-late.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, fresh
}

func (l *look[T]) examine(examine func() T) {
	found := examine()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = found
	close(l.running)
	l.running = nil
}

// looks are what the status looks at, and what reads the status for metrics.
type looks struct {
	files    look[fileState]
	firewall look[firewallLook]
	metrics  look[metrics.Snapshot]
}

// latest returns what the latest examination found.
func (l *look[T]) latest() T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// A fileState is the state of the script files on the disk.
type fileState struct {
	at         time.Time          // engine time
	drift      bool               // they differ from those that run
	unreadable string             // why they cannot be read
	writable   []writable.Finding // what others can change
	held       string             // that, as the helper sees it

	unrunnable      []control.Unrunnable // commands that the machine cannot run, at most maxUnrunnable
	unrunnableCount int
}

// lookAtFiles examines the files of the scripts. It waits for the disk, but for at most lookLimit.
func (d *daemon) lookAtFiles(ctx context.Context) (fileState, bool) {
	running := context.WithoutCancel(ctx) // the caller may be gone before the disk answers
	return d.looks.files.get(ctx, lookLimit, func() (s fileState) {
		s.at = d.loop.clock.now()
		s.drift, s.unreadable = d.drift(running)
		var set *scripting.Set
		if d.loop.do(running, func() { set = d.loop.set }) {
			s.writable = d.writableFiles(set)
			if d.helper != nil {
				s.held = d.helper.held()
			}
			s.unrunnable, s.unrunnableCount = unrunnable(set, d.helper != nil)
		}
		return s
	})
}

// A firewallLook is what the status reads from the kernel.
type firewallLook struct {
	at       time.Time          // engine time
	stopped  []firewall.Stopped // whom observing guards would have stopped
	refused  []firewall.Stopped // whom guards refused
	asked    time.Time          // engine time, just after refused was read: their Ago is from then
	unlisted uint64             // packets of others whom they refused
	tracked  control.Conntrack
	full     []control.FullSet // sets of the user without room
	err      error
}

// lookAtFirewall examines the kernel's firewall. It waits for at most lookLimit.
func (d *daemon) lookAtFirewall(ctx context.Context) (firewallLook, bool) {
	running := context.WithoutCancel(ctx)
	return d.looks.firewall.get(ctx, lookLimit, func() (f firewallLook) {
		f.at = d.loop.clock.now()
		d.findConflicts(running) // adding an accept rule sends no event about a chain
		f.tracked = conntrack()
		var observed bool
		d.loop.do(running, func() { observed = d.mode() == control.Observe || len(d.loop.guards.Count) > 0 })
		guard, ours := d.firewall.(*firewall.Guard)
		if !ours {
			f.full = fullSets(d.firewall)
			return f
		}
		f.refused, f.err = guard.Refused()
		f.asked = d.loop.clock.now()
		if f.err == nil {
			f.unlisted, f.err = guard.Unlisted()
		}
		if observed && f.err == nil {
			f.stopped, f.err = guard.Stopped()
		}
		return f
	})
}

// conntrack returns how many flows the kernel tracks, and for how many it has room. Without
// tracking the result is zero.
func conntrack() control.Conntrack {
	read := func(name string) int {
		text, _ := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_" + name)
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return n
	}
	return control.Conntrack{Flows: read("count"), Room: read("max")}
}

// fullSets returns the sets of the user that have no room for a grant.
func fullSets(of monitoredFirewall) (all []control.FullSet) {
	if sets, ok := of.(*firewall.Sets); ok {
		for _, f := range sets.Full() {
			all = append(all, control.FullSet{Set: f.Set, Table: f.Table, Elements: f.Elements, Size: f.Size, Raise: f.Raise})
		}
	}
	return all
}

// lookNow looks at the firewall and at the files, because both may have changed since the last
// look. It does not wait for what hangs: then it returns what the last look found, and the status
// says so.
func (d *daemon) lookNow(ctx context.Context) (firewallLook, fileState) {
	kernel, kernelAnswers := d.lookAtFirewall(ctx)
	files, diskAnswers := d.lookAtFiles(ctx)
	d.noteSlow(diskAnswers, kernelAnswers)
	return kernel, files
}

// noteSlow notes which of the looks took too long.
func (d *daemon) noteSlow(files, firewall bool) {
	var err error
	switch {
	case !files:
		err = fmt.Errorf("the files at %s were not read within %s", d.config.Scripts, lookLimit)
	case !firewall:
		err = fmt.Errorf("the kernel's firewall did not answer within %s", lookLimit)
	}
	if d.troubles.set(lookSlow, err) {
		d.config.Log.Warn("the status is of an earlier moment, since something does not answer", "error", err)
	}
}
