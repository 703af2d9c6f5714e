//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/writable"
)

// comment comments out a used sequence.
func (s *Server) comment(ctx context.Context, settings *Settings, q *message) message {
	s.readFirst(ctx, settings)
	err := s.catalog.mayComment(q.file, now())
	if err == nil {
		err = settings.commentOut(q.file, q.line)
	}
	if err != nil {
		return refused(err)
	}
	return message{outcome: outcomeDone}
}

// commentOut changes a file that the daemon's user can exchange with the rights of that user. As
// root it would follow a symbolic link in its place to any file, and write what the link leads to.
func (s *Settings) commentOut(file, line string) error {
	change := func() error { return effect.CommentOut(file, line) }
	target := writable.Target{Path: file}
	if len(writable.Find([]writable.Target{target})) == 0 {
		return change()
	}
	target.Owner, _ = s.daemonUser()
	if found := writable.Text(writable.Find([]writable.Target{target})); found != "" && !s.AllowWritable {
		return errors.New(heldText + found)
	}
	user, group := s.rights()
	return asUser(user, group, change)
}

// asUser calls a function that has the rights of a user and a group on files, and no others. The
// kernel takes the capabilities of root with them (capabilities(7), "Effect of user ID changes on
// capabilities").
func asUser(user, group uint32, do func() error) error {
	if os.Geteuid() != 0 {
		return do() // as in tests: this process has no more rights
	}
	done := make(chan error)
	go func() {
		// The thread is never given back, and ends with the goroutine: its rights are its own.
		runtime.LockOSThread()
		// Of this thread alone, unlike with syscall.Setgroups.
		_, _, failed := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		var err error
		if failed != 0 {
			err = os.NewSyscallError("setgroups", failed)
		}
		err = errors.Join(err, unix.Setfsgid(int(group)), unix.Setfsuid(int(user)))
		if now, failed := unix.SetfsuidRetUid(-1); err == nil && (failed != nil || now != int(user)) {
			err = fmt.Errorf("becoming user %d: the kernel left it at %d", user, now)
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}
