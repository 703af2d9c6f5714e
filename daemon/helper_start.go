package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/daemon/privileged"
	"sesame/scripting"
	"sesame/scripting/source"
)

// helperNeed returns why a start needs the helper; "": it does not. Of the sets some may be nil,
// and err is why the files on the disk do not load.
func helperNeed(err error, sets []*scripting.Set, found stateFound) string {
	if err != nil && strings.Contains(err.Error(), fs.ErrPermission.Error()) {
		return "this process cannot read the scripts"
	}
	for _, set := range sets {
		switch {
		case set == nil:
		case len(set.Commands) > 0:
			return "scripts have commands"
		case slices.ContainsFunc(set.Files, func(f source.File) bool { return f.OneTime }):
			return "scripts have one-time sequences"
		}
	}
	if pendingUndos(found) > 0 {
		return "an undo is pending"
	}
	if found.err != nil {
		return "it is not known whether an undo is pending"
	}
	return ""
}

// pendingUndos returns how many grants of a journal have an undo that is pending.
func pendingUndos(found stateFound) (n int) {
	for _, r := range found.recovered.Records {
		if r.Grant != nil && !r.Ended && r.Grant.Undo != nil {
			n++
		}
	}
	return n
}

// openHelper connects to the helper when there is one and it is needed, and reports whether it is
// used. One that does not answer is used all the same: it may come back, and until then no command
// runs.
func (d *daemon) openHelper(ctx context.Context, need string) bool {
	inherited, path := d.config.Helper, d.config.Config.Helper
	if inherited != nil && need == "" {
		d.unused.Go(func() { settleUnused(ctx, inherited, d.config.Log) })
	}
	switch {
	case need == "":
		d.unhelped = "no script has a command or one-time sequences"
		return false
	case inherited != nil:
		var client *privileged.Client
		conn, err := privileged.Conn(inherited)
		if err == nil {
			client, err = privileged.NewClient(conn)
		}
		d.useHelper(ctx, nil, client, err)
		return true
	}
	if d.unhelped = noHelper(path, os.Geteuid()); d.unhelped != "" {
		return false
	}
	dial := func() (*privileged.Client, error) { return privileged.Dial(path) }
	client, err := dial()
	d.useHelper(ctx, dial, client, err)
	return true
}

// settleUnused lets a helper that is not needed run what it has pending, and end. This daemon knows
// of no undo: the helper would be needed. It has one only when the state of a daemon was lost.
// The signal that ends ctx may have ended the helper too, and then nothing is said.
func settleUnused(ctx context.Context, inherited *os.File, log hclog.Logger) {
	var client *privileged.Client
	conn, err := privileged.Conn(inherited)
	if err == nil {
		client, err = privileged.NewClient(conn)
	}
	if err == nil {
		err = client.Settle(nil)
		client.Finish()
	}
	if err != nil && ctx.Err() == nil {
		log.Warn("the helper, which is not needed, was not asked whether undos are pending", "error", err)
	}
}

// noHelper returns why a user has no helper at a path; "": one is there.
func noHelper(path string, user int) string {
	if path == "" {
		return `the configuration has helper = ""`
	}
	if user == 0 {
		return "this process is root itself"
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && unix.Access(path, unix.W_OK) != nil:
		return "this user may not connect to " + path + " (SocketUser= in sesame-helper.socket says who may)"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no socket " + path
	case err != nil:
		return err.Error()
	case info.Mode().Type() != fs.ModeSocket:
		return path + " is no socket"
	}
	return ""
}

// useHelper lets the helper do what takes root. Err is why client is nil. After the end of ctx that
// is not told: the same signal may have ended a helper that had just been started.
func (d *daemon) useHelper(ctx context.Context, dial func() (*privileged.Client, error), client *privileged.Client, err error) {
	if err != nil && ctx.Err() == nil {
		d.config.Log.Error("the helper does not answer: commands are refused until it does, and ports open and close", "error", err)
	}
	d.helper = newHelper(dial, err, d.clock.now, d.config.Log)
	d.helper.begin(client)
}

// privileged returns what runs commands; nil: this process.
func (d *daemon) privileged() effect.Privileged {
	if d.helper == nil {
		return nil
	}
	return d.helper
}

// dropTo drops privileges, and keeps those for commands when this process runs them.
func (d *daemon) dropTo(commands bool) (privileges string, err error) {
	privileges, err = dropPrivileges(commands)
	if err == nil && d.helper != nil {
		privileges = naming(needed) + ", to capture knocks and open ports; commands are run by the helper as root"
	}
	return d.asRoot(privileges), err
}

// referencedByHelper returns what reads referenced files for the last good set. The helper has
// those that the files on the disk name.
func (d *daemon) referencedByHelper(ctx context.Context) func(path string) ([]byte, error) {
	texts := map[string]source.Stored{}
	files, err := d.readByHelper(ctx, "", nil)
	if err == nil {
		for _, f := range files.Stored() {
			texts[f.Path] = f
		}
	}
	return func(path string) ([]byte, error) {
		f, found := texts[path]
		switch {
		case err != nil:
			return nil, err
		case !found:
			return source.ReadReferenced(path)
		case f.Failed != "":
			return nil, fmt.Errorf("reading %s: %s", path, f.Failed)
		}
		return f.Source, nil
	}
}

// beginSettling tells the helper which undos are known, once the journal is read, and each later
// helper. Until then it runs none of those that it owes.
func (d *daemon) beginSettling(found stateFound) {
	h := d.helper
	if h == nil || found.err != nil {
		return
	}
	h.mu.Lock()
	client := h.client
	h.settle, h.forget, h.told = d.settle, d.loop.runner.Record, client
	h.mu.Unlock()
	if client == nil {
		return
	}
	if err := client.Settle(d.loop.engine.PendingUndos()); err != nil {
		h.log.Warn("the helper does not know which undos are pending", "error", err)
	}
}

// settle tells another helper which undos the engine knows of.
func (d *daemon) settle(ctx context.Context, client *privileged.Client) error {
	select {
	case <-d.loop.runner.Published(): // of commands that the earlier helper took with it
	case <-ctx.Done():
		return errStopping
	}
	var pending [][]string
	if !d.loop.do(ctx, func() {
		d.loop.results()
		pending = d.loop.engine.PendingUndos()
	}) {
		return errStopping
	}
	return client.Settle(pending)
}
