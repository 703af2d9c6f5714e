package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"weak"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/privileged"
	"sesame/scripting/source"
)

// Between two tries to connect to a helper that is gone, the first after it was lost.
const (
	helperRetry    = time.Second
	maxHelperRetry = 10 * time.Second
	// undoPatience is how long an undo, and the end of a one-time sequence, wait for a helper that
	// is started again. A command does not wait: who knocks should know.
	undoPatience = 10 * time.Second
)

// A helper is what the daemon has of the process that does what needs root: see package privileged.
// It is an [effect.Privileged]. Its methods may be called from any goroutine.
type helper struct {
	dial   func() (*privileged.Client, error) // nil: the connection was inherited, and there is no other
	now    func() time.Time                   // engine time
	log    hclog.Logger
	hints  chan struct{} // capacity 1: the scripts may have changed
	closed chan struct{} // closed when nobody needs it any more
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	reading chan struct{} // capacity 1: a helper reads for one request at a time

	patience time.Duration // undoPatience; tests have more of it, since the machine may be busy

	mu       sync.Mutex                                      // guards the rest
	client   *privileged.Client                              // nil: it is gone
	changed  chan struct{}                                   // closed when client changes, and replaced
	why      error                                           // why it is gone
	since    time.Time                                       // engine time
	settle   func(context.Context, *privileged.Client) error // nil: the pending undos are not known yet
	told     *privileged.Client                              // who was told of them last
	forget   func([]engine.Record)                           // writes to the journal
	lost     []lostUndo
	failed   []failedUndo
	running  int                                                // commands whose answer is not passed on yet
	verdicts map[weak.Pointer[source.Files]]*privileged.Reading // whether commands of files may run
	latest   string                                             // what others can change of the files that were read last
}

// newHelper returns a helper that is gone, for the reason why.
func newHelper(dial func() (*privileged.Client, error), why error, now func() time.Time, log hclog.Logger) *helper {
	return &helper{
		dial: dial, now: now, log: log, why: why, since: now(), patience: undoPatience,
		hints: make(chan struct{}, 1), closed: make(chan struct{}), reading: make(chan struct{}, 1), changed: make(chan struct{}), verdicts: map[weak.Pointer[source.Files]]*privileged.Reading{},
	}
}

// begin follows the connection, and makes it again when it is lost, until close. A client of nil is
// one that is lost already.
func (h *helper) begin(client *privileged.Client) {
	if client != nil {
		h.set(client, nil)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.tasks.Go(func() { h.follow(ctx, client) })
}

// close ends the connection.
func (h *helper) close() {
	close(h.closed)
	h.stop()
	h.tasks.Wait()
}

func (h *helper) follow(ctx context.Context, client *privileged.Client) {
	for {
		if client != nil {
			err := h.receive(ctx, client)
			if ctx.Err() != nil {
				return
			}
			h.set(nil, err)
			h.log.Error("the helper is gone: commands are refused until it is back, and ports open and close as before", "error", err)
		}
		if client = h.reconnect(ctx); client == nil {
			return
		}
		if h.set(client, nil) { // the pending undos became known meanwhile
			if err := h.settled(ctx, client); err != nil {
				h.log.Warn("the helper does not know which undos are pending", "error", err)
			}
		}
		h.log.Info("the helper is back")
		h.hint() // the scripts may have changed in the meantime
	}
}

// receive takes what a helper sends until it is gone or ctx ends.
func (h *helper) receive(ctx context.Context, client *privileged.Client) error {
	ended := make(chan error, 1)
	go func() { ended <- client.Receive(ctx) }()
	for {
		select {
		case <-client.Changed():
			h.hint()
		case f := <-client.Failed():
			h.noteFailed(f)
		case err := <-ended:
			return err
		}
	}
}

func (h *helper) hint() {
	select {
	case h.hints <- struct{}{}:
	default:
	}
}

// reconnect returns another connection, with the undos settled; nil: there is none any more.
func (h *helper) reconnect(ctx context.Context) *privileged.Client {
	if h.dial == nil {
		return nil
	}
	for wait := helperRetry; ; wait = min(2*wait, maxHelperRetry) {
		select {
		case <-after(wait):
		case <-ctx.Done():
			return nil
		}
		if h.count(0) > 0 { // what became of them decides whether their undos are known
			continue
		}
		client, err := h.dial()
		if err == nil {
			if err = h.settled(ctx, client); err == nil {
				return client
			}
			client.Close()
		}
		h.mu.Lock()
		h.why = err
		h.mu.Unlock()
	}
}

// settled lets a new helper know which undos the daemon knows of, once that is known.
func (h *helper) settled(ctx context.Context, client *privileged.Client) error {
	h.mu.Lock()
	settle := h.settle
	if settle != nil {
		h.told = client
	}
	h.mu.Unlock()
	if settle == nil {
		return nil
	}
	return settle(ctx, client)
}

// set notes another connection, or that there is none. It reports whether the pending undos are
// known and the helper was not told of them.
func (h *helper) set(client *privileged.Client, why error) (untold bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.client, h.why = client, why; why != nil {
		h.since = h.now()
	}
	close(h.changed)
	h.changed = make(chan struct{})
	return client != nil && h.settle != nil && h.told != client
}

// current returns the connection. With patience it waits for one other than lost, while one may
// come.
func (h *helper) current(ctx context.Context, patience time.Duration, lost *privileged.Client) (*privileged.Client, error) {
	late := after(patience)
	for {
		h.mu.Lock()
		client, changed, why := h.client, h.changed, h.why
		h.mu.Unlock()
		switch {
		case client != nil && client != lost:
			return client, nil
		case client == nil && (h.dial == nil || patience == 0):
			return nil, why
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, effect.ErrStopped
		case <-late:
			return nil, privileged.ErrGone
		case <-h.closed:
			return nil, effect.ErrStopped
		}
	}
}

// Run runs a command or an undo, as [effect.Privileged] says. An undo waits for a helper that is
// started again, which knows whether it ran already.
func (h *helper) Run(ctx context.Context, c effect.Command, respond func(effect.Output, error)) {
	patience, lost := time.Duration(0), (*privileged.Client)(nil)
	if c.Undo {
		patience = h.patience
	}
	for {
		client, err := h.current(ctx, patience, lost)
		if err != nil {
			respond(effect.Output{}, fmt.Errorf("running %s: %w", c.Argv[0], err))
			return
		}
		if !c.Undo {
			h.count(1)
			client.Run(ctx, c, respond)
			h.count(-1)
			return
		}
		var out effect.Output
		client.Run(ctx, c, func(o effect.Output, e error) { out, err = o, e })
		if errors.Is(err, privileged.ErrGone) && ctx.Err() == nil {
			lost = client
			continue
		}
		if errors.Is(err, privileged.ErrNotOwed) {
			h.noteLost(c)
		}
		respond(out, err)
		return
	}
}

// count counts the commands that run, and returns how many do.
func (h *helper) count(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running += n
	return h.running
}

// CommentOut comments out a used one-time sequence, as [effect.Privileged] says.
func (h *helper) CommentOut(file, line string) error {
	for lost := (*privileged.Client)(nil); ; {
		client, err := h.current(context.Background(), h.patience, lost)
		if err != nil {
			return fmt.Errorf("commenting out a used sequence in %s: %w", file, err)
		}
		if err = client.CommentOut(file, line); !errors.Is(err, privileged.ErrGone) {
			return err
		}
		lost = client
	}
}

// noteVerdict keeps the verdict on files for as long as somebody has these.
func (h *helper) noteVerdict(read *privileged.Reading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for files := range h.verdicts {
		if files.Value() == nil {
			delete(h.verdicts, files)
		}
	}
	h.latest = read.Held
	kept := *read
	kept.Files = nil // else nobody would ever lose them
	h.verdicts[weak.Make(read.Files)] = &kept
}

// verdict returns what was found of files; nil: this helper did not read them.
func (h *helper) verdict(files *source.Files) *privileged.Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.verdicts[weak.Make(files)]
}

// held returns what others can change of the files that were read last; "": nothing.
func (h *helper) held() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.latest
}

// runs tells the helper that files run which it read: their commands may run for as long as they
// do. On trial, those of the files before may run again.
func (h *helper) runs(files *source.Files, onTrial bool) {
	read := h.verdict(files)
	client, err := h.current(context.Background(), 0, nil)
	if read == nil || err != nil { // one that is started again knows what it saved
		return
	}
	tell := client.Applied
	if onTrial {
		tell = client.Tried
	}
	if err := tell(read); err != nil {
		h.log.Debug("the helper does not know which set runs", "error", err)
	}
}
