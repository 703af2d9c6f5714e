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

// A Program runs once, without a shell. It has a session of its own
// (setsid(2)) and so no terminal, / as its directory, an empty standard input, and no
// environment variables but Env.
//
// After Timeout its whole process group gets SIGTERM. The group gets SIGKILL when the
// program has exited, or after two seconds. When ctx ends, the group gets SIGKILL at once. A
// process that has left the group by then, as a daemon does, continues, and nobody
// waits for it. The same holds for background processes of a program that ended by itself.
// Such a process must redirect its output: nobody reads it any more.
type Program struct {
	Argv    []string // first an absolute path
	Env     []string
	Timeout time.Duration
}

const (
	termDelay = 2 * time.Second        // from SIGTERM to SIGKILL, at most
	killDelay = 5 * time.Second        // from SIGKILL until the command is answered in any case
	pipeDelay = 250 * time.Millisecond // for output that is held open by processes left behind
)

// ErrStopped is why a program was killed, or did not begin, when its context had ended.
var ErrStopped = errors.New("the daemon stops")

// Run runs the program, and kills it when ctx ends. It calls answer once, and returns when
// the process is gone. Both happen at the same time, except for a process that hangs in
// the kernel (state D), which not even SIGKILL ends: that is answered first. The error is
// a [*engine.CommandError] when the program ran.
func (c Program) Run(ctx context.Context, answer func(Output, error)) {
	if !filepath.IsAbs(c.Argv[0]) {
		answer(Output{}, fmt.Errorf("running %s: expected an absolute path", c.Argv[0]))
		return
	}
	written := &beginning{}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = "/", c.Env, written, written
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.WaitDelay = pipeDelay
	if err := cmd.Start(); err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err
		}
		if failed, ok := errors.AsType[*exec.Error](err); ok {
			err = failed.Err
		}
		answer(Output{}, fmt.Errorf("%s%w", runningPrefix(c.Argv), err))
		return
	}
	exited := make(chan struct{})
	go func() {
		awaitExit(cmd.Process.Pid)
		close(exited)
	}()
	ended, why := c.wait(ctx, cmd.Process.Pid, exited)
	if !ended {
		answer(Output{}, c.failed(-1, fmt.Errorf("%w, and hangs even after SIGKILL", why)))
		<-exited
		_ = cmd.Wait() // its result was answered already
		return
	}
	err := cmd.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; a process that it left behind holds its output open
	}
	status := cmd.ProcessState.ExitCode()
	if why != nil {
		status, err = -1, why
	}
	if err != nil {
		err = c.failed(status, err)
	}
	answer(written.output(), err)
}

// failed returns the error of a command that ran. One that was killed because the daemon
// stops counts as not run: it has not done what it was for.
func (c Program) failed(status int, err error) error {
	err = fmt.Errorf("%s%w", runningPrefix(c.Argv), err)
	if errors.Is(err, ErrStopped) {
		return err
	}
	failure := &engine.CommandError{Status: status, Text: err.Error()}
	if _, hung := errors.AsType[timeoutError](err); hung {
		return HungError{failure}
	}
	return failure
}

// A HungError is the failure of a command that was killed after its time limit.
type HungError struct{ Failure *engine.CommandError }

// Error returns the text of the failure.
func (e HungError) Error() string { return e.Failure.Error() }

// Unwrap returns the failure.
func (e HungError) Unwrap() error { return e.Failure }

// A timeoutError is why such a command was killed.
type timeoutError time.Duration

func (e timeoutError) Error() string { return fmt.Sprintf("it still ran after %v", time.Duration(e)) }

// wait waits until the process has exited, and kills it after the timeout or when ctx ends.
// It returns why it killed the process, and false when the process has not exited all the
// same. Until cmd.Wait is called a dead process keeps its number as a zombie, so no
// signal can reach another process.
func (c Program) wait(ctx context.Context, pid int, exited <-chan struct{}) (ended bool, why error) {
	timer := newTimer(c.Timeout)
	defer timer.Stop()
	select {
	case <-exited:
		return true, nil
	case <-ctx.Done():
		why = ErrStopped
	case <-timer.C:
		why = timeoutError(c.Timeout)
		_ = unix.Kill(-pid, unix.SIGTERM) // fails when the group is empty
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

// awaitExit returns when a child has exited, and leaves it a zombie (WNOWAIT).
func awaitExit(pid int) {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
