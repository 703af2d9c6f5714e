// Package resolve turns names of hosts into their addresses. It asks for them in the
// background, at an interval, and answers from memory: no knock causes a question, and none
// waits for one.
//
// A daemon makes one [Resolver] with [New] and [System], calls Run in a goroutine, and gives it
// the names of each script set with Set before that set runs. Answer is for the goroutine that
// owns the engine. Names is for a status.
//
// Nothing is stored on disk. After a start a name is not known until its first answer, which
// takes as long as DNS does.
package resolve

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
)

const (
	// maxQuestions bounds the names that are asked for at the same time.
	maxQuestions = 4
	// timeout ends a question. A resolver of the system gives up sooner, unless it has many
	// servers.
	timeout = 10 * time.Second
	// retry is the time until a name is asked again whose question failed. It doubles up to the
	// interval of the name.
	retry = 5 * time.Second
)

// A Name is a name that scripts use.
type Name struct {
	Name  string        // in lower case, without a dot at its end
	Every time.Duration // from one question to the next
	Keep  time.Duration // how long an answer counts while questions fail
}

// A Lookup asks for the addresses of a name: network is "ip4" or "ip6". It ends when ctx does. An
// error with IsNotFound of [net.DNSError] says that there are none.
type Lookup func(ctx context.Context, network, name string) ([]netip.Addr, error)

// System returns a lookup that asks the resolver of the system as Go does: /etc/hosts, then the
// servers of /etc/resolv.conf. It never appends a search domain, since a name would then lead to
// other hosts in other networks.
func System() Lookup {
	resolver := &net.Resolver{PreferGo: true}
	return func(ctx context.Context, network, name string) ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, network, name+".")
	}
}

// A Resolver keeps the addresses of names. Its methods may be called from any goroutine.
type Resolver struct {
	lookup  Lookup
	log     hclog.Logger
	changed chan struct{} // capacity 1: there are other names

	mu    sync.Mutex
	hosts map[string]*host
}

// New returns a resolver without names.
func New(lookup Lookup, log hclog.Logger) *Resolver {
	return &Resolver{lookup: lookup, log: log, changed: make(chan struct{}, 1), hosts: map[string]*host{}}
}

// Set replaces the names. A name that stays keeps its addresses. Of a name that stands twice the
// shorter times count.
func (r *Resolver) Set(names []Name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.hosts
	r.hosts = make(map[string]*host, len(names))
	for _, n := range names {
		h := r.hosts[n.Name]
		switch {
		case h != nil:
			n.Every, n.Keep = min(n.Every, h.Every), min(n.Keep, h.Keep)
		case before[n.Name] != nil:
			h = before[n.Name]
		default:
			h = &host{due: now()}
		}
		h.Name = n
		if soon := now().Add(n.Every); h.due.After(soon) {
			h.due = soon
		}
		r.hosts[n.Name] = h
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// Asks reports whether there is a name to ask for.
func (r *Resolver) Asks() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.hosts) > 0
}

// Run asks until ctx ends, and returns nil then.
func (r *Resolver) Run(ctx context.Context) error {
	var questions sync.WaitGroup
	defer questions.Wait()
	answered := make(chan struct{}, maxQuestions)
	for free := maxQuestions; ; {
		due, wait := r.next(free)
		for _, name := range due {
			free--
			questions.Go(func() {
				r.ask(ctx, name)
				answered <- struct{}{} // there is room for all
			})
		}
		var later <-chan time.Time
		if wait > 0 {
			later = after(wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.changed:
		case <-answered:
			free++
		case <-later:
		}
	}
}

// next returns the names to ask for now, at most free, the most overdue first. Wait is the time
// until the next is due; 0 when an answer comes before that.
func (r *Resolver) next(free int) (due []string, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := now()
	var idle []*host
	for _, h := range r.hosts {
		if !h.asking {
			idle = append(idle, h)
		}
	}
	slices.SortFunc(idle, func(a, b *host) int { return a.due.Compare(b.due) })
	for _, h := range idle {
		switch {
		case len(due) == free:
			return due, 0
		case h.due.After(t):
			return due, h.due.Sub(t)
		}
		h.asking = true
		due = append(due, h.Name.Name)
	}
	return due, 0
}

// ask asks for both versions of IP, one after the other.
func (r *Resolver) ask(ctx context.Context, name string) {
	failed := false
	for version, network := range []string{"ip4", "ip6"} {
		limited, cancel := context.WithTimeout(ctx, timeout)
		addresses, err := r.lookup(limited, network, name)
		cancel()
		if ctx.Err() != nil {
			return // the daemon is stopping
		}
		failed = r.note(name, version, addresses, err) || failed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[name]
	if h == nil {
		return // nobody uses it any more
	}
	h.asking = false
	h.due = now().Add(h.pause(failed))
}

// note notes an answer, and reports whether the question failed. That a name does not exist is an
// answer too.
func (r *Resolver) note(name string, version int, addresses []netip.Addr, err error) (failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[name]
	if h == nil {
		return false
	}
	why := cause(err)
	v := &h.versions[version]
	switch {
	case why == "":
		if kept := usable(addresses); !slices.Equal(kept, v.addresses) {
			v.addresses = kept
			r.log.Debug("a name has other addresses", "name", name, "addresses", kept)
		}
		v.answered, v.ignored = now(), len(addresses)-len(v.addresses)
	case h.versions[0].failure == "" && h.versions[1].failure == "":
		r.log.Warn("a name cannot be resolved", "name", name, "error", why)
	default:
		r.log.Debug("a name still cannot be resolved", "name", name, "error", why)
	}
	v.failure = why
	return why != ""
}

// Answer answers a question for the addresses of a name. See [engine.Facts]. When the addresses of
// one version of IP are not known, the answer has those of the other, and it is not known.
func (r *Resolver) Answer(q engine.Question) engine.Answer {
	if q.Kind != engine.FactHost {
		return engine.Answer{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	a := engine.Answer{From: "DNS"}
	h := r.hosts[q.Name]
	if h == nil {
		a.Why = "it was not asked for yet"
		return a
	}
	t := now()
	a.Addresses, a.Why = h.addresses(t), h.unknown(t)
	a.Known = a.Why == ""
	return a
}
