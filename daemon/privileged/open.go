//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sesame/daemon/openfile"
)

// maxOpened is the size of the largest file that is opened for the daemon, in bytes. A test that
// replays a capture of more takes too many steps.
const maxOpened = 1 << 30

// errOutside is of a path that does not lie below the directory of the scripts.
var errOutside = errors.New("it is not below the directory of the scripts")

// sendFile opens a file and sends its descriptor. The message that it returns was sent already, or
// is an error.
func (c *session) sendFile(ctx context.Context, q *message) message {
	c.opening.Lock()
	defer c.opening.Unlock()
	err := c.unset
	var file *os.File
	if err == nil {
		file, err = c.server.openFor(ctx, &c.set, q.file)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return message{outcome: outcomeMissing, status: -1}
	case err != nil:
		return refused(err)
	}
	defer file.Close() // it is only read
	c.send(message{kind: kindFile, id: q.id}, file)
	return message{kind: kindFile}
}

// openFor opens a file that a test may name. What the daemon may read so is what lies beside the
// scripts, which are root's work: while others can change these, it is nothing.
func (s *Server) openFor(ctx context.Context, settings *Settings, path string) (*os.File, error) {
	s.readFirst(ctx, settings)
	select {
	case s.reading <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	held := s.main.last == nil || strings.HasPrefix(s.main.last.trouble, heldText)
	<-s.reading
	if held {
		return nil, errors.New("the scripts cannot be read, or others can change them")
	}
	return settings.openBelow(path)
}

// openBelow opens a file below the directory of the scripts. What others than root can exchange is
// opened with the rights of the daemon's user: see readAsUser.
func (s *Settings) openBelow(path string) (file *os.File, err error) {
	if !filepath.IsLocal(path) {
		return nil, errOutside
	}
	root, err := os.OpenRoot(s.Scripts)
	if err != nil {
		return nil, withoutPath(err) // a single script has no directory of its own
	}
	defer root.Close() // it is only read
	open := func() (err error) {
		file, err = openBounded(root, path)
		return err
	}
	user, group := s.rights()
	if s.exchangeable(filepath.Join(s.Scripts, path), user) {
		err = asUser(user, group, open)
	} else {
		err = open()
	}
	return file, err
}

func openBounded(root *os.Root, path string) (*os.File, error) {
	file, info, err := openfile.RegularBelow(root, path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if info.Size() > maxOpened {
		return nil, errors.Join(fmt.Errorf("it has more than %d MiB", maxOpened>>20), file.Close())
	}
	return file, nil
}

// Open opens a file for reading, by its path below the directory of the scripts, which no link
// leads out of. The caller closes it. When ctx ends Open waits no longer: the disk may hang.
func (c *Client) Open(ctx context.Context, path string) (*os.File, error) {
	m := message{kind: kindOpen, file: path}
	wait, err := c.request(&m)
	if err != nil {
		return nil, err
	}
	select {
	case a, open := <-wait:
		if !open {
			return nil, ErrGone
		}
		return a.opened()
	case <-ctx.Done():
		c.abandon(m.id)
		select {
		case a := <-wait: // it came at that moment
			if a.file != nil {
				_ = a.file.Close() // nobody wants it any more
			}
		default:
		}
		return nil, ctx.Err()
	}
}

// opened returns the file of an answer.
func (a *answer) opened() (*os.File, error) {
	switch {
	case a.kind == kindFile && a.file != nil:
		return a.file, nil
	case a.file != nil:
		_ = a.file.Close() // of another kind of answer
	case a.outcome == outcomeMissing:
		return nil, unix.ENOENT
	}
	if _, err := a.result(); a.kind == kindDone && err != nil {
		return nil, err
	}
	return nil, errors.New("the helper sent no file")
}
