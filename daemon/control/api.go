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
	"sesame/daemon/writable"
)

// An API has the functions of the daemon behind the requests. Every function is required but the
// last two. Each is called from many goroutines, and returns when its context ends. The context has
// the [Caller]. An error that is a [Refusal] means that the request was refused. Any other error
// means that the daemon failed.
type API struct {
	Status func(context.Context) (Status, error)
	// Grants returns the live grants, by id.
	Grants func(context.Context) ([]Grant, error)
	// Grant returns when the firewall lets the source in.
	Grant func(context.Context, GrantRequest) (Grant, error)
	// Revoke ends the grants that overlap the request, and returns them as they were.
	Revoke func(context.Context, RevokeRequest) ([]Grant, error)
	// Stored returns a page of stored values.
	Stored func(context.Context, StoredRequest) (Stored, error)
	// Forget returns when the disk has it that the values are gone, or cannot have it now.
	Forget func(context.Context, ForgetRequest) (Forgotten, error)
	// Reload returns when the outcome is known. A rejected or held set is an outcome, not an
	// error. It may take minutes.
	Reload func(context.Context, ReloadRequest) (Outcome, error)
	// Confirm keeps the set of a trial that runs.
	Confirm func(context.Context, ConfirmRequest) (Outcome, error)
	// Record writes the latest inputs as a recording, a pcapng file.
	Record func(context.Context, io.Writer) error
	// RecordWithheld is Record without the one-time sequences.
	RecordWithheld func(context.Context, io.Writer) error
	// Events has the latest events.
	Events *Tail
	// Refused is told of a request of a user who may not ask; nil: nobody is. It may be called
	// often, by any user who can open the socket.
	Refused func(Caller)
	// Profiles answers GET requests below /debug/pprof/; nil: there are none.
	Profiles http.Handler
	// Metrics answers with the metrics of the daemon; nil: there are none.
	Metrics http.Handler
}

// A Refusal is the reason why a request is refused, for people.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// A Grant is a live grant.
type Grant struct {
	ID     uint64     `json:"id"`
	Door   string     `json:"door,omitempty"` // left out: the grant of a request
	By     netip.Addr `json:"by,omitzero"`    // the address that knocked; left out: a request
	Source Source     `json:"source"`
	Port   Port       `json:"port,omitzero"`  // left out for a command
	Argv   []string   `json:"argv,omitempty"` // the command that was run; its undo is pending
	TTL    Duration   `json:"ttl"`            // as it was given, or extended, last
	End    time.Time  `json:"end"`            // by the wall clock
	// Remaining is the time until End, at the time of the answer.
	Remaining Duration `json:"remaining"`
	// Observed means that the door is only observed: nothing was changed.
	Observed bool `json:"observed,omitempty"`
	// Unguarded is set in the answer to a GrantRequest when no door guards the port. Sesame does
	// not close it to other sources then.
	Unguarded bool `json:"unguarded,omitempty"`
	// Cut means that sessions end with the grant; in the answer to a RevokeRequest, that they were
	// ended. There it may stand in an entry without an ID: no grant ended, but sessions that an
	// earlier one let in.
	Cut bool `json:"cut,omitempty"`
	// SharedBy is how many grants hold the run of a shared command, this one included. Its undo
	// runs when the last of them ends. It is left out for a command that is not shared.
	SharedBy int `json:"shared_by,omitempty"`
	// Failure is why the command failed. The grant stands all the same, since the command may have
	// any exit status. It is left out when the command did not fail, has not ended, or ran before
	// the start of the daemon.
	Failure *CommandFailure `json:"failure,omitempty"`
	// Reached is what the kernel showed since the grant was given, or extended last. It is left
	// out where nothing is measured: of a command, of an observed grant, and in set mode. So it
	// is for a grant from before the start of the daemon that was not used since.
	Reached *Reached `json:"reached,omitempty"`
}

// A CommandFailure is how a command failed that ran.
type CommandFailure struct {
	Status int    `json:"status"` // with which it exited; below zero when it did not exit by itself
	Error  string `json:"error"`  // "running /bin/false: exit status 1"
}

// FailureOf returns the failure of a command; nil: it did not fail.
func FailureOf(failed *engine.CommandError) *CommandFailure {
	if failed == nil {
		return nil
	}
	return &CommandFailure{Status: failed.Status, Error: failed.Text}
}

// GrantOf returns an engine's grant as it is at now, in engine time. The offset is the wall
// clock minus engine time.
func GrantOf(g *engine.Grant, now time.Time, offset time.Duration) Grant {
	return Grant{
		ID: g.ID, Door: g.Door, By: g.By, Source: Source{g.Source}, Port: Port{g.Port}, Argv: g.Argv, Observed: g.Observed, Cut: g.Cut,
		TTL: Duration(g.TTL), End: g.End.Add(offset).UTC(), Remaining: Duration(max(0, g.End.Sub(now))),
	}
}

// A GrantRequest requests access without a knock.
type GrantRequest struct {
	Source Source   `json:"source"`
	Port   Port     `json:"port"`
	TTL    Duration `json:"ttl"` // above zero, at most 36,500 days, as in scripts
}

// maxTTL is small enough that no sum of a time and a duration overflows.
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

// A RevokeRequest ends the grants whose source overlaps Source. UDP flows end with them.
type RevokeRequest struct {
	Source Source `json:"source"`
	Port   Port   `json:"port,omitzero"` // left out: all ports, and commands
	// Cut ends TCP sessions, too: those that the grants let in, and those of Source to the guarded
	// ports that earlier grants let in.
	Cut bool `json:"cut,omitempty"`
}

func (r *RevokeRequest) check() error {
	if !r.Source.IsValid() {
		return errNoSource
	}
	return nil
}

// A ReloadRequest asks the daemon to read its scripts again.
type ReloadRequest struct {
	// Unguard lists the guarded ports that the new scripts may leave unguarded, or guarded
	// without a door that opens them.
	Unguard []Port `json:"unguard,omitempty"`
	// SkipTests means that the scripts are applied without their tests. It is logged.
	SkipTests bool `json:"skip_tests,omitempty"`
	// From is the absolute path of a directory of scripts, or of a script, that is read instead of
	// that of the configuration.
	From string `json:"from,omitempty"`
	// Trial is how long the scripts are in force unless they are confirmed: see [Trial]; 0: always.
	Trial Duration `json:"trial,omitempty"`
	// Return ends a trial, and goes with nothing else: the set before is in force again.
	Return bool `json:"return,omitempty"`
}

// maxUnguard is more ports than any useful script set guards.
const maxUnguard = 1024

func (r *ReloadRequest) check() error {
	if len(r.Unguard) > maxUnguard {
		return fmt.Errorf("%d ports to unguard: expected at most %d", len(r.Unguard), maxUnguard)
	}
	return r.checkTrial()
}

// An Outcome is the result of a reload.
type Outcome struct {
	Outcome    ReloadOutcome `json:"outcome"`
	Generation int           `json:"generation"` // of the scripts that run now
	Doors      int           `json:"doors"`      // in the scripts that run now
	// Error is the reason why scripts were rejected or held. Its lines begin with FILE:LINE
	// where there is one.
	Error string `json:"error,omitempty"`
	// Held are the guarded ports that a held set would leave unguarded, or without a door.
	Held []string `json:"held,omitempty"`
	// Writable is what users other than root can change, when that holds the scripts: the first 20.
	Writable []writable.Finding `json:"writable,omitempty"`
	// Changes are what applied scripts changed: the first 100. ChangesCount counts them all.
	Changes      []Change `json:"changes,omitempty"`
	ChangesCount int      `json:"changes_count,omitempty"`
	// Unread has a line for each name under which something is stored that no script reads.
	Unread []string `json:"unread,omitempty"`
	// Last is what became of files by themselves in the minute before, in the answer to a reload
	// that found nothing to do. It has no Last of its own.
	Last  *LastReload `json:"last,omitempty"`
	Tests *Tests      `json:"tests,omitempty"` // nil: the scripts have none, or they did not load
	// Trial is the trial that the reload began or ended; nil: none.
	Trial *Trial `json:"trial,omitempty"`
	// Hold is why scripts are held that have no fault.
	Hold Hold `json:"hold,omitempty"`
}

// A ReloadOutcome is one of the outcomes of a reload.
type ReloadOutcome string

// The outcomes. After Rejected and Held the former scripts run on.
const (
	Applied   ReloadOutcome = "applied"
	Unchanged ReloadOutcome = "unchanged" // no file has changed
	Rejected  ReloadOutcome = "rejected"  // the scripts have errors, or a test of them fails
	Held      ReloadOutcome = "held"      // they have none, but would lock somebody out or let everybody in, or others can change them
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
