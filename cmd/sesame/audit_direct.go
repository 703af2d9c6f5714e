//go:build linux

package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/audit"
	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/journald"
)

// auditDirectly adds an entry of what this process did without a daemon, or could not do: to the
// file of the daemon that may come, and to the journal where there is one. What was done is done:
// a failure to write is told.
func (p *program) auditDirectly(c *cobra.Command, settings *config.Config, e audit.Entry, failed error) {
	if os.Geteuid() != 0 {
		return // who may not do it did nothing
	}
	e.Time, e.Direct, e.Outcome = now().UTC().Truncate(time.Microsecond), true, audit.Done
	if failed != nil {
		e.Outcome, e.Detail = audit.Failed, failed.Error()
	}
	caller := control.Caller{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: os.Getpid(), Claims: claims(c)}
	caller.Claims.Login = "" // this process may see its own
	daemon.NoteCaller(&e, &caller)
	if journal, err := journald.Open(journald.Socket, io.Discard); err == nil {
		journald.NewLogger(journal, hclog.Info).Info("audit", e.Pairs()...)
	}
	path := daemon.AuditPath(settings)
	if path == "" {
		return
	}
	// Without a state directory no daemon has ever run.
	if err := audit.Append(path, e); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.warn("this is not in the audit log: %v", err)
	}
}
