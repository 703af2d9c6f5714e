package effect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/engine"
)

// A command is a program that runs once, without a shell. It has a session of
// its own and so no terminal, / as its directory, nothing to read, and no more
// of our environment than env.
//
// When its time is over, SIGTERM goes to its whole process group, and soon after
// that SIGKILL. What has left the group by then, as a daemon does, goes on and
// nobody waits for it. So does what a program that ended by itself left in the
// background; whoever leaves something there redirects its output, since nobody
// reads it any more.
type command struct {
	argv    []string // first an absolute path
	env     []string
	timeout time.Duration
}

const (
	termDelay = 2 * time.Second        // from SIGTERM to SIGKILL
	killDelay = 5 * time.Second        // from SIGKILL until nobody waits any more
	pipeDelay = 250 * time.Millisecond // for output that children left behind hold open
)

var errStopped = errors.New("the daemon stops")

// run runs the command, which is killed when ctx ends. It calls answer once, and
// returns when the process is no more. That is the same time, except for a
// process that not even SIGKILL ends, since it hangs in the kernel: then answer
// comes first. The error is a [*engine.CommandError] when the program ran.
func (c command) run(ctx context.Context, answer func(output, error)) {
	if !filepath.IsAbs(c.argv[0]) {
		answer(output{}, fmt.Errorf("running %s: expected an absolute path", c.argv[0]))
		return
	}
	kept := &keeper{}
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", c.env, kept, kept
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = pipeDelay
	if err := cmd.Start(); err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		if failed, ok := errors.AsType[*exec.Error](err); ok {
			err = failed.Err
		}
		answer(output{}, fmt.Errorf("%s%w", runningPrefix(c.argv), err))
		return
	}
	exited := make(chan struct{})
	go func() {
		awaitExit(cmd.Process.Pid)
		close(exited)
	}()
	ended, why := c.watch(ctx, cmd.Process.Pid, exited)
	if !ended {
		answer(output{}, c.failed(-1, fmt.Errorf("%w, and hangs even after SIGKILL", why)))
		<-exited
		_ = cmd.Wait() // it was answered for
		return
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; what it left behind holds its output open
	}
	status := cmd.ProcessState.ExitCode()
	if why != nil {
		status, err = -1, why
	}
	if err != nil {
		err = c.failed(status, err)
	}
	answer(kept.output(), err)
}

// failed says that a command ran. One that was ended since the daemon stops has
// not done what it was for, whatever it was to exit with.
func (c command) failed(status int, err error) error {
	err = fmt.Errorf("%s%w", runningPrefix(c.argv), err)
	if errors.Is(err, errStopped) {
		return err
	}
	return &engine.CommandError{Status: status, Text: err.Error()}
}

// watch waits until the process has exited, and sees to it that it does in time.
// It returns why it was not left to end by itself, and false when it has not
// ended at all. Until Wait is called the process keeps its number even when
// it is dead, so no signal can reach a stranger.
func (c command) watch(ctx context.Context, pid int, exited <-chan struct{}) (ended bool, why error) {
	timer := newTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-exited:
		return true, nil
	case <-ctx.Done():
		why = errStopped
	case <-timer.C:
		why = fmt.Errorf("it still ran after %v", c.timeout)
		_ = unix.Kill(-pid, unix.SIGTERM) // there may be nobody left
		timer.Reset(termDelay)
		select {
		case <-exited:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	timer.Reset(killDelay)
	select {
	case <-exited:
		return true, why
	case <-timer.C:
		return false, why
	}
}

// awaitExit returns when a child has exited, and leaves it to be waited for.
func awaitExit(pid int) {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
