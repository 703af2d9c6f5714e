//go:build linux

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"sesame/daemon"
	"sesame/daemon/account"
	"sesame/daemon/audit"
	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/knockdlog"
	"sesame/daemon/logfile"
	"sesame/daemon/privileged"
	"sesame/daemon/transcript"
)

// handPatience is how long the start waits for the disk of the state directory here.
const handPatience = 5 * time.Second

// leaveRoot makes this process, when it is root, the user of the configuration. First that user
// gets what root made and the daemon uses. When it stays root, it takes back what a user had. When
// ctx ends it gives up, with the error of ctx.
func leaveRoot(ctx context.Context, d *daemon.Config, flags *pflag.FlagSet) error {
	if os.Geteuid() != 0 {
		return nil
	}
	to, why, err := userFor(d.User)
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return err
	}
	to, reason, err := handOver(ctx, d, to)
	if err != nil {
		return err
	}
	why = cmp.Or(reason, why)
	if d.Root = why; to.ID == 0 {
		level := hclog.Warn
		if d.User.Text == to.Name {
			level = hclog.Info // as it was asked for
		}
		d.Log.Log(level, "it runs as root, since "+why)
		return nil
	}
	if d.Helper, err = startHelper(d.State, flags); err != nil {
		return err
	}
	if err := daemon.Become(to); err != nil {
		return errors.Join(err, d.Helper.Close())
	}
	d.Log.Info("root is given up", "user", to.Name)
	return nil
}

// userFor returns the user to become. When that is root, why is the end of a sentence about it. A
// user that the configuration names is no wish but an order: it is an error when the process
// cannot become it.
func userFor(wanted config.Value) (to account.User, why string, err error) {
	if wanted.Text == "root" {
		return account.Root(), `the configuration has user = "root"`, nil
	}
	to, err = account.Find(wanted.Text)
	if errors.Is(err, account.ErrUnknown) {
		err = fmt.Errorf("there is no user %s: make it (useradd --system %s), and start Sesame again", wanted.Text, wanted.Text)
	} else if err != nil {
		return to, "", fmt.Errorf("becoming another user than root: %w", err)
	} else {
		err = daemon.MayBecome()
	}
	switch {
	case err == nil:
		return to, "", nil
	case wanted.From != "":
		return to, "", fmt.Errorf("%s: user: %w", wanted.From, err)
	}
	return account.Root(), err.Error(), nil
}

// handOver lets all that a daemon keeps belong to the user that it is going to be, and returns that
// user. It is root all the same when something cannot be given, for the reason why: a daemon that
// root can start starts. One whose configuration names the user does so only while undo commands
// are pending.
func handOver(ctx context.Context, d *daemon.Config, to account.User) (user account.User, why string, err error) {
	if err := control.Hand(d.Socket, to); err != nil {
		if to.ID == 0 || d.User.From != "" {
			return to, "", err
		}
		to, why = account.Root(), err.Error()
		result, err := prepareState(ctx, d, to)
		if err == nil {
			tellOfState(d, result)
		}
		return to, why, err
	}
	result, err := prepareState(ctx, d, to)
	switch {
	case err != nil:
		return to, "", err
	case result.Helpless != "":
		why = fmt.Sprintf("there can be no helper, which would do what takes root: %s; in a unit, let it write %s (ReadWritePaths=)", result.Helpless, helperDir(d.State))
	case result.Pending > 0:
		why = fmt.Sprintf("a daemon that was root left %s, which only root can run: the first start after that becomes user %s", transcript.Count(result.Pending, "undo command"), to.Name)
	}
	if result.Helpless != "" && d.User.From != "" {
		return to, "", fmt.Errorf("%s: user: %s", d.User.From, why)
	}
	if why != "" {
		to = account.Root()
		if err := control.Hand(d.Socket, to); err != nil {
			return to, "", err
		}
		if result, err = prepareState(ctx, d, to); err != nil {
			return to, "", err
		}
	}
	tellOfState(d, result)
	if to.ID != 0 {
		giveLogs(d.Config.Log, to)
	}
	return to, why, nil
}

// giveLogs gives the log files of a configuration that are outside the state directory.
func giveLogs(logs config.Log, to account.User) {
	if logs.Knockd.Text != "" {
		logfile.Give(logs.Knockd.Text, knockdlog.FileMode, to)
	}
	if logs.Audit.Text != "" {
		logfile.Give(logs.Audit.Text, audit.FileMode, to)
	}
}

// tellOfState logs what was done with the state directory.
func tellOfState(d *daemon.Config, result handed) {
	if result.Err != "" {
		d.Log.Warn("the state directory was not prepared", "error", result.Err)
	}
	if result.From != 0 {
		d.Log.Warn("the state directory is root's again: commands and scripts that its user left there are not run", "user", result.From)
	}
	for _, argv := range result.Undos {
		d.Log.Warn("an undo command was pending for the user, and root does not run it: where a helper ran the command, it runs at the next start with one; else run it by hand if it is right", "command", strings.Join(quoted(argv), " "))
	}
	for _, file := range result.OneTime {
		d.Log.Warn("one-time sequences that were used may not be commented out: look at the file", "file", file)
	}
	for _, text := range result.Damaged {
		d.Log.Warn("the journal was damaged", "error", text)
	}
}

// prepareState lets the state directory belong to a user, in a process of its own: its disk may
// hang, and the threads of this one must take part when it becomes another user. A process that
// hangs is left to end when the disk answers. Then the daemon finds its directory. An error is that
// of ctx, and nothing is known of the directory.
func prepareState(ctx context.Context, d *daemon.Config, to account.User) (result handed, err error) {
	out, in, err := os.Pipe()
	if err != nil {
		return handed{Err: err.Error()}, nil
	}
	argv := append([]string{"/proc/self/exe", probeName, d.State}, ownerFlags(to)...)
	process, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Files: []*os.File{nil, in, os.Stderr}})
	if err := errors.Join(err, in.Close()); err != nil {
		return handed{Err: errors.Join(err, out.Close()).Error()}, nil
	}
	answered := make(chan handed, 1)
	go func() {
		var answer handed
		if err := json.NewDecoder(out).Decode(&answer); err != nil {
			answer.Err = "no answer: " + err.Error()
		}
		if ended, err := process.Wait(); err == nil {
			status, ok := ended.Sys().(syscall.WaitStatus)
			answer.killed = ok && status.Signaled()
		}
		_ = out.Close() // it was only read
		answered <- answer
	}()
	result, err = awaitHanded(ctx, answered)
	if to.ID == 0 && result.Err == "" {
		d.Probe = nil // the disk has answered
	}
	return result, err
}

// awaitHanded waits for the answer about a state directory until ctx ends. A signal that ended the
// process was most likely for all of the group, as Ctrl-C is. Then that for this process comes now.
func awaitHanded(ctx context.Context, answered <-chan handed) (result handed, err error) {
	patience, cancel := context.WithTimeout(ctx, handPatience)
	defer cancel()
	select {
	case result = <-answered:
		if result.killed {
			<-patience.Done()
		}
	case <-patience.Done():
		result.Err = "the disk does not answer"
	}
	return result, ctx.Err()
}

// startHelper starts a helper, which stays root, with the settings of this process, and returns its
// connection. It ends with the connection: at once, when the daemon finds that it needs none.
func startHelper(state string, flags *pflag.FlagSet) (*os.File, error) {
	ours, its, err := privileged.Pair()
	if err != nil {
		return nil, err
	}
	state, err = filepath.Abs(state)
	if err == nil {
		argv := append([]string{"/proc/self/exe", helperName, "--inherited", "--directory", helperDir(state)}, sameFlags(flags)...)
		var process *os.Process
		process, err = os.StartProcess(argv[0], argv, &os.ProcAttr{
			Files: []*os.File{nil, os.Stdout, os.Stderr, its},
			Sys:   &syscall.SysProcAttr{Credential: &syscall.Credential{}}, // root, and none of the caller's groups
		})
		if err == nil {
			go func() { _, _ = process.Wait() }() // the daemon notices its end by the connection
		}
	}
	if err = errors.Join(err, its.Close()); err != nil {
		return nil, fmt.Errorf("starting the helper: %w", errors.Join(err, ours.Close()))
	}
	return ours, nil
}

// sameFlags returns the flags that were given and that the helper has, too.
func sameFlags(flags *pflag.FlagSet) (argv []string) {
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if f.Name != pprofFlag {
				argv = append(argv, "--"+f.Name+"="+value)
			}
		}
	})
	return argv
}

func quoted(argv []string) []string {
	all := make([]string, len(argv))
	for i, word := range argv {
		all[i] = fmt.Sprintf("%q", word)
	}
	return all
}
