package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// An API is what the daemon does for who asks. Every function is required; each
// is called from many goroutines, and returns when its context ends. An error
// that is a [Refusal] is the answer no; every other says that the daemon could
// not do it.
type API struct {
	Status func(context.Context) (Status, error)
	// Grants returns the live grants, by id.
	Grants func(context.Context) ([]Grant, error)
	// Grant returns when the access is given.
	Grant func(context.Context, GrantRequest) (Grant, error)
	// Revoke ends what overlaps the request and returns it as it was.
	Revoke func(context.Context, RevokeRequest) ([]Grant, error)
	// Reload returns when the outcome is known; a rejected or held set is an
	// outcome, and no error. It may take minutes.
	Reload func(context.Context, ReloadRequest) (Outcome, error)
	// Record writes the flight recorder's recording, a pcapng file.
	Record func(context.Context, io.Writer) error
	// Events are those that can be followed.
	Events *Tail
	// Profiles answers GET requests below /debug/pprof/; nil: there are none.
	Profiles http.Handler
}

// A Refusal is the answer no, with its reason for people.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// A Grant is a live grant.
type Grant struct {
	ID     uint64     `json:"id"`
	Door   string     `json:"door,omitempty"` // left out: a person gave it
	By     netip.Addr `json:"by,omitzero"`    // who knocked; left out: nobody did
	Source Source     `json:"source"`
	Port   Port       `json:"port,omitzero"`  // left out for a command
	Argv   []string   `json:"argv,omitempty"` // that was run, and is owed its undo
	TTL    Duration   `json:"ttl"`            // as it was given, or prolonged, last
	End    time.Time  `json:"end"`            // by the wall clock
	// Remaining is the time until End, when this was answered.
	Remaining Duration `json:"remaining"`
	// Observed says that the door is only observed: nothing was done.
	Observed bool `json:"observed,omitempty"`
	// Unguarded says, of a grant that was just given, that no door guards the
	// port: it is as open to everybody else, for all that Sesame does.
	Unguarded bool `json:"unguarded,omitempty"`
}

// GrantOf returns an engine's grant as it is at now, both in engine time. The
// offset is how far the wall clock is from engine time.
func GrantOf(g *engine.Grant, now time.Time, offset time.Duration) Grant {
	return Grant{
		ID: g.ID, Door: g.Door, By: g.By, Source: Source{g.Source}, Port: Port{g.Port}, Argv: g.Argv, Observed: g.Observed,
		TTL: Duration(g.TTL), End: g.End.Add(offset).UTC(), Remaining: Duration(max(0, g.End.Sub(now))),
	}
}

// A GrantRequest asks for access that no knock opens.
type GrantRequest struct {
	Source Source   `json:"source"`
	Port   Port     `json:"port"`
	TTL    Duration `json:"ttl"` // above zero, at most 36,500 days, as in scripts
}

// maxTTL keeps every sum of a time and a duration far from overflow.
const maxTTL = Duration(36500 * 24 * time.Hour)

var errNoSource = errors.New(`no source: expected an address such as "203.0.113.9", or a network such as "203.0.113.0/24"`)

func (r *GrantRequest) check() error {
	switch {
	case !r.Source.IsValid():
		return errNoSource
	case r.Port.Port == packet.Port{}:
		return errors.New(`no port: expected one such as "tcp/22"`)
	case r.TTL <= 0 || r.TTL > maxTTL:
		return fmt.Errorf(`ttl %s: expected a time above zero and up to 36,500 days, such as "10m"`, r.TTL)
	}
	return nil
}

// A RevokeRequest asks for the end of the grants whose source overlaps Source.
type RevokeRequest struct {
	Source Source `json:"source"`
	Port   Port   `json:"port,omitzero"` // left out: on all ports, and of commands
}

func (r *RevokeRequest) check() error {
	if !r.Source.IsValid() {
		return errNoSource
	}
	return nil
}

// A ReloadRequest asks the daemon to look at its scripts again.
type ReloadRequest struct {
	// Unguard lists the guards that the new scripts may drop, or leave without
	// a door that opens them.
	Unguard []Port `json:"unguard,omitempty"`
}

// maxUnguard is more than scripts can guard in earnest.
const maxUnguard = 1024

func (r *ReloadRequest) check() error {
	if len(r.Unguard) > maxUnguard {
		return fmt.Errorf("%d ports to unguard: expected at most %d", len(r.Unguard), maxUnguard)
	}
	return nil
}

// An Outcome is what came of a reload.
type Outcome struct {
	Outcome    ReloadOutcome `json:"outcome"`
	Generation int           `json:"generation"` // of the scripts that run now
	Doors      int           `json:"doors"`      // of them
	// Error says why scripts were rejected, or held: lines that begin with
	// FILE:LINE where there is one.
	Error string `json:"error,omitempty"`
	// Held are the guards that a held set would drop, or leave without a door.
	Held []string `json:"held,omitempty"`
}

// A ReloadOutcome is one of the outcomes of a reload.
type ReloadOutcome string

// The outcomes. After Rejected and Held the scripts before go on running.
const (
	Applied   ReloadOutcome = "applied"
	Unchanged ReloadOutcome = "unchanged" // every file is as it was
	Rejected  ReloadOutcome = "rejected"  // the scripts are wrong
	Held      ReloadOutcome = "held"      // they are right, and would lock somebody out or let everybody in
)

// ParseSource reads an address or a network, as [packet.ParseNetwork] does. An address may have a
// zone, which is dropped: packets carry none.
func ParseSource(text string) (Source, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		text = address.WithZone("").String()
	}
	network, err := packet.ParseNetwork(text)
	if err != nil {
		return Source{}, fmt.Errorf("source %w", err)
	}
	return Source{network}, nil
}
