package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// keepInterval is the time from one look to the next at what sends no event when it breaks.
const keepInterval = time.Second

// keep looks after the control socket, the file descriptors and the state directory until ctx ends.
// It may wait for a disk, so it is no part of the loop's upkeep.
func (d *daemon) keep(ctx context.Context) error {
	for {
		d.keepSocket()
		d.keepDescriptors()
		d.keepNameServers()
		d.loop.runner.WriteJournal() // which finds out that somebody deleted the state directory
		select {
		case <-after(keepInterval):
		case <-ctx.Done():
			return nil
		}
	}
}

// keepSocket makes a control socket that was deleted again.
func (d *daemon) keepSocket() {
	renewed, err := d.socket.Renew()
	if err = d.confinement.Load().explainSocket(err); d.troubles.set(socketGone, err) {
		d.config.Log.Warn("the control socket was deleted and cannot be made again; that is tried each second", "socket", d.config.Socket, "error", err)
		d.noteManager(d.notifier.status(fmt.Sprintf("the control socket is gone: %v", err))) // sesame status cannot say it
	}
	if renewed {
		d.noteManager(d.notifier.status("the control socket is there again"))
		d.config.Log.Warn("the control socket was deleted by somebody else, and is made again", "socket", d.config.Socket)
	}
}

// keepDescriptors finds out whether the process can open files. Whoever needs a descriptor tries
// again by itself; this is the one line in the log about it.
func (d *daemon) keepDescriptors() {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd) // nothing was written
	}
	before := d.troubles.text(noDescriptors) != ""
	began := d.troubles.set(noDescriptors, err)
	switch {
	case began:
		d.config.Log.Warn("no file can be opened: grants work, commands and reloads fail; raise LimitNOFILE", "error", err)
	case before && err == nil:
		d.config.Log.Info("files can be opened again")
	}
}

// nameFiles say which servers are asked for names, and have names themselves.
var nameFiles = []string{"/etc/resolv.conf", "/etc/hosts"}

// keepNameServers finds out whether the files of names can be read. A confined process may not read
// one that took another's place, and then asks a server on this machine, which is rarely there.
func (d *daemon) keepNameServers() {
	var unread error
	if c := d.confinement.Load(); c != nil && c.held && d.loop.facts.resolver.Asks() {
		for _, path := range nameFiles {
			file, err := os.Open(path)
			if err == nil {
				_ = file.Close() // nothing was written
			} else if errors.Is(err, fs.ErrPermission) {
				unread = err
			}
		}
	}
	if d.troubles.set(namesUnread, unread) {
		d.config.Log.Warn("names are not asked for at the right servers: a file took the place of one that this process may read; restart Sesame", "error", unread)
	}
}
