package resolve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/spelling"
)

// maxAddresses bounds the addresses that are kept of a name, for each version of IP. Whoever
// answers for a name may send thousands.
const maxAddresses = 64

// A host is a name with what is known of it.
type host struct {
	Name
	versions [2]version // IPv4, IPv6
	asking   bool
	due      time.Time // when it is asked for again
	failures int       // since both versions were answered
}

// A version is what is known of the addresses of one version of IP.
type version struct {
	addresses []netip.Addr // never changed in place
	ignored   int          // addresses of the same answer that are not used
	answered  time.Time    // the last time; zero: never
	failure   string       // of the last question; "": it was answered
}

// pause returns the time until the name is asked for again.
func (h *host) pause(failed bool) time.Duration {
	if !failed {
		h.failures = 0
		return h.Every
	}
	pause := retry << min(h.failures, 16)
	h.failures++
	return min(pause, h.Every)
}

// counts reports whether the last answer for a version still counts.
func (h *host) counts(v *version, now time.Time) bool {
	return !v.answered.IsZero() && now.Sub(v.answered) <= h.Keep
}

// addresses returns those that count.
func (h *host) addresses(now time.Time) (all []netip.Addr) {
	for i := range h.versions {
		if v := &h.versions[i]; h.counts(v, now) {
			all = append(all, v.addresses...)
		}
	}
	return all
}

// unknown returns why the addresses are not all known, as a clause; "" when they are.
func (h *host) unknown(now time.Time) string {
	ignored := 0
	for i, kind := range []string{"IPv4", "IPv6"} {
		v := &h.versions[i]
		switch {
		case h.counts(v, now):
			ignored += v.ignored
		case v.answered.IsZero() && v.failure == "":
			return "it was not asked for yet"
		default:
			return fmt.Sprintf("its %s addresses are not known: %s", kind, v.failure)
		}
	}
	switch {
	case len(h.addresses(now)) > 0:
		return ""
	case ignored > 0:
		return "none of its addresses can be the source of a packet from elsewhere"
	}
	return "it has no addresses"
}

// maxCause bounds, in bytes, what is shown of a text that a server may have written.
const maxCause = 200

// cause returns why a question failed, as a clause; "" when it was answered.
func cause(err error) string {
	e, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case err == nil, isDNS && e.IsNotFound:
		return ""
	case isDNS && e.IsTimeout:
		return "no answer in time"
	case isDNS:
		return spelling.Shortened(e.Err, maxCause)
	}
	return spelling.Shortened(err.Error(), maxCause)
}

// usable returns the addresses that packets from elsewhere can have, each once, sorted. An answer
// of 127.0.0.1 or 0.0.0.0, as filters of advertisements give it, must not open a door.
func usable(addresses []netip.Addr) []netip.Addr {
	var kept []netip.Addr
	for _, a := range addresses {
		a = a.Unmap().WithZone("")
		if a.IsGlobalUnicast() {
			kept = append(kept, a)
		}
	}
	slices.SortFunc(kept, netip.Addr.Compare)
	kept = slices.Compact(kept)
	return slices.Clip(kept[:min(len(kept), maxAddresses)])
}

// A Status is what is known of a name.
type Status struct {
	Name
	Addresses []netip.Addr
	Known     bool
	Why       string        // when it is not known: a clause
	Age       time.Duration // of the older of the answers for IPv4 and IPv6; -1: one was never answered
	Failure   string        // of the last questions; "": they were answered
	Ignored   int           // addresses of the last answers that are not used: too many, or never a source
}

// Names returns what is known of each name, by name.
func (r *Resolver) Names() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := now()
	all := make([]Status, 0, len(r.hosts))
	for _, h := range r.hosts {
		s := Status{Name: h.Name, Addresses: h.addresses(t), Why: h.unknown(t)}
		s.Known = s.Why == ""
		for i := range h.versions {
			v := &h.versions[i]
			s.Ignored += v.ignored
			if v.failure != "" {
				s.Failure = v.failure
			}
			switch {
			case v.answered.IsZero():
				s.Age = -1
			case s.Age >= 0:
				s.Age = max(s.Age, t.Sub(v.answered))
			}
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Name.Name, b.Name.Name) })
	return all
}
