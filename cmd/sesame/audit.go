//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon"
	"sesame/daemon/audit"
	"sesame/daemon/terminal"
	"sesame/daemon/transcript"
)

// auditFlags are the flags of sesame audit.
type auditFlags struct {
	daemon configFlags
	lines  int
	action string
	json   bool
}

func (p *program) auditCommand() *cobra.Command {
	f := &auditFlags{}
	c := &cobra.Command{
		Use:   "audit [flags]",
		Short: "Show who granted, revoked, reloaded or recorded",
		Long: `Audit prints the last lines of the audit log: what people asked the daemon to
change, who they were, and what came of it. It reads the file of the configuration
(log.audit), and needs no daemon. What begins with claimed_ is what a client said
of itself.

The exit status is 1 when there is no such line.`,
		Example: `  sesame audit
  sesame audit -n 5 --action grant
  sesame audit --json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return p.audit(c, f) },
	}
	addConfigFile(c, &f.daemon.file)
	c.Flags().StringVar(&f.daemon.state, "state", "", "directory for what must survive a restart (default /var/lib/sesame)")
	c.Flags().IntVarP(&f.lines, "lines", "n", 20, "how many lines to print")
	c.Flags().StringVar(&f.action, "action", "", "only lines with this action, such as grant")
	c.Flags().BoolVar(&f.json, "json", false, "for programs: each line as JSON")
	completeFlag(c, "action", auditActions()...)
	completeFlag(c, "lines", "20", "50", "100")
	return c
}

func auditActions() (names []string) {
	for _, action := range audit.Actions() {
		names = append(names, string(action))
	}
	return names
}

// audit prints the last entries of the audit log.
func (p *program) audit(c *cobra.Command, f *auditFlags) error {
	if f.lines < 1 {
		return &usageError{c, "--lines: expected a number from 1"}
	}
	if f.action != "" {
		if err := oneOf(c, "action", f.action, auditActions()...); err != nil {
			return err
		}
	}
	settings, known, err := p.loadAnyway(c, &f.daemon)
	if err != nil {
		return err
	}
	path := daemon.AuditPath(&settings)
	if !known {
		p.warn("taken for the audit log: %s; log.audit is not known, since the configuration cannot be read", path)
	}
	if path == "" {
		return errors.New(`the configuration has log.audit = "": the lines are in the log alone (journalctl -u sesame EVENT=audit)`)
	}
	nothing := "no line fits what was asked for"
	entries, damaged, err := audit.Latest(path, f.lines, func(e *audit.Entry) bool { return f.action == "" || string(e.Action) == f.action })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		nothing = "there is no such file, since nobody has asked for a change yet; a daemon with another configuration or state directory writes elsewhere: name it by -c or --state"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; try sudo", err)
	case err != nil:
		return err
	}
	if damaged > 0 {
		p.warn("%s: %s cannot be read", path, transcript.Count(damaged, "line"))
	}
	if len(entries) == 0 {
		p.note("%s: %s", path, nothing)
		p.status = answerNo
	}
	for i := range entries {
		if err := p.printEntry(&entries[i], f.json); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) printEntry(e *audit.Entry, asJSON bool) error {
	if asJSON {
		return p.print("%s", e.Line())
	}
	return p.print("%s  %s\n", formatTime(e.Time), terminal.Printable(entryText(e)))
}

// entryText returns an entry as its values, without the names of the first ones.
func entryText(e *audit.Entry) string {
	text := string(e.Action)
	if e.Outcome != "" {
		text += " " + e.Outcome
	}
	if e.UID != nil {
		text += " by " + userText(e.User, *e.UID)
	}
	if e.LoginUID != nil {
		text += ", logged in as " + userText(e.LoginUser, *e.LoginUID)
	}
	named := *e
	named.Action, named.Outcome, named.UID, named.User, named.GID, named.LoginUID, named.LoginUser = "", "", nil, "", nil, nil, ""
	pairs := named.Pairs()
	for i := 0; i+1 < len(pairs); i += 2 {
		value := fmt.Sprint(pairs[i+1])
		if strings.ContainsAny(value, " \n\"=") {
			value = strconv.Quote(value)
		}
		text += fmt.Sprintf(" %v=%s", pairs[i], value)
	}
	return text
}

func userText(name string, uid uint32) string {
	if name == "" {
		return fmt.Sprintf("user %d", uid)
	}
	return name
}
