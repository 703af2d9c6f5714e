//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/watch"
)

// maxRequests bounds the requests of a session that are not answered yet, commands that run among
// them.
const maxRequests = 4096

// sendPatience is how long a daemon may leave an answer in the socket.
const sendPatience = 10 * time.Second

// maxSessionClaims bounds the undos that a daemon claims, in all of its messages.
const maxSessionClaims = 1 << 17

// A session is one connection of a daemon.
type session struct {
	server  *Server
	number  uint64
	conn    *net.UnixConn
	set     Settings
	unset   error // why there are none; nil: there are
	tasks   sync.WaitGroup
	claims  map[hash]int
	claimed int
	settled bool
	noted   chan struct{} // closed when it is noted which set runs; nil: the daemon did not say
	gone    chan struct{} // closed when the connection has ended
	named   chan []string // capacity 1: the files that the set names, for the watcher

	mu      sync.Mutex // guards the next two
	reading bool
	cancels map[uint64]context.CancelFunc

	writing sync.Mutex
	opening sync.Mutex // one descriptor at a time is on its way
}

// errProtocol begins the errors of messages that no daemon of this version sends.
var errProtocol = errors.New("the daemon broke the protocol")

// Serve serves one connection until it ends or ctx does. The error says why, and is nil when the
// daemon closed the connection, or ctx ended. Commands that run for it go on until they end, as
// those of a daemon do that was killed; when ctx ends they are killed. Serve waits for them.
func (s *Server) Serve(ctx context.Context, conn *net.UnixConn) error {
	return s.serveUntil(ctx, conn, func() {})
}

// serveUntil is Serve, and calls disconnected when the connection has ended.
func (s *Server) serveUntil(ctx context.Context, conn *net.UnixConn, disconnected func()) error {
	c := &session{server: s, number: s.sessions.Add(1), conn: conn, claims: map[hash]int{}, named: make(chan []string, 1), gone: make(chan struct{}), cancels: map[uint64]context.CancelFunc{}}
	defer c.tasks.Wait()
	defer disconnected()
	defer close(c.gone)
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	err := c.welcome()
	if err == nil {
		c.set, c.unset = s.cfg.Settings()
		watching, stop := context.WithCancel(ctx)
		defer stop()
		c.tasks.Go(func() { c.watch(watching) })
		c.tasks.Go(func() { c.open(watching) })
	}
	for open := true; err == nil && open; {
		var q message
		if q, open, err = receive(conn); open && err == nil {
			err = c.handle(ctx, q)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// receive reads a message. False: the connection has ended.
func receive(conn *net.UnixConn) (m message, open bool, err error) {
	b := make([]byte, maxMessage+1)
	n, _, flags, _, err := conn.ReadMsgUnix(b, nil)
	switch {
	case err != nil || n == 0: // a packet of no bytes looks like the end, and is one
		return message{}, false, nil
	case n > maxMessage || flags&unix.MSG_TRUNC != 0:
		return message{}, false, fmt.Errorf("%w: a message of more than %d bytes", errProtocol, maxMessage)
	}
	if m, err = decodeMessage(b[:n]); err != nil {
		return message{}, false, fmt.Errorf("%w: %w", errProtocol, err)
	}
	return m, true, nil
}

// welcome answers the first message, which tells the version of the daemon.
func (c *session) welcome() error {
	hello, open, err := receive(c.conn)
	switch {
	case err != nil || !open:
		return err
	case hello.kind != kindHello:
		return fmt.Errorf("%w: it did not say its version first", errProtocol)
	}
	c.send(message{kind: kindWelcome, version: ProtocolVersion}, nil)
	if hello.version != ProtocolVersion {
		return fmt.Errorf("the daemon speaks version %d of the protocol, and this helper version %d: restart both", hello.version, ProtocolVersion)
	}
	return nil
}

// send sends a message, with a descriptor or none. When it fails, the connection ends, which is
// noticed by who reads from it.
func (c *session) send(m message, file *os.File) {
	b, err := m.encode()
	if err != nil {
		c.server.cfg.Log.Warn("an answer is not sent", "error", err)
		return
	}
	var rights []byte
	if file != nil {
		rights = unix.UnixRights(int(file.Fd()))
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	err = c.conn.SetWriteDeadline(now().Add(sendPatience))
	if err == nil {
		_, _, err = c.conn.WriteMsgUnix(b, rights, nil)
	}
	if err != nil {
		_ = c.conn.Close()
	}
}

// watch tells the daemon each time that the set may have changed.
func (c *session) watch(ctx context.Context) {
	if c.unset != nil {
		return
	}
	hints := make(chan struct{}, 1)
	c.tasks.Go(func() { _ = watch.New(c.set.Scripts, c.named, c.server.cfg.Log).Run(ctx, hints) })
	for {
		select {
		case <-ctx.Done():
			return
		case <-hints:
			c.send(message{kind: kindChanged}, nil)
		}
	}
}

// handle handles a request. It waits for nothing that takes long.
func (c *session) handle(ctx context.Context, q message) error {
	s := c.server
	switch q.kind {
	case kindRead:
		return c.perform(ctx, q, func(context.Context) message { return c.sendSet(q.id, "") })
	case kindReadAt:
		return c.perform(ctx, q, func(context.Context) message { return c.sendSet(q.id, q.file) })
	case kindRun:
		return c.perform(ctx, q, c.inSlot(func(ctx context.Context) message { return s.run(ctx, &c.set, c.number, &q) }))
	case kindUndo:
		return c.perform(ctx, q, c.whenOpen(c.inSlot(func(ctx context.Context) message { return s.undo(ctx, &c.set, q.hash) })))
	case kindComment:
		return c.perform(ctx, q, func(ctx context.Context) message { return s.comment(ctx, &c.set, &q) })
	case kindOpen:
		return c.perform(ctx, q, func(ctx context.Context) message { return c.sendFile(ctx, &q) })
	case kindCancel:
		c.mu.Lock()
		defer c.mu.Unlock()
		if cancel := c.cancels[q.id]; cancel != nil {
			cancel()
		}
		return nil
	case kindClaim:
		return c.claim(q.hashes)
	case kindSettle:
		if c.settled {
			return fmt.Errorf("%w: it settled its undos twice", errProtocol)
		}
		c.settled = true
		claims := c.claims
		settle := c.whenOpen(func(ctx context.Context) message {
			c.reportNewer()
			c.settle(ctx, s.journal.takeUnclaimed(maps.Clone(claims), c.number))
			return message{}
		})
		c.tasks.Go(func() { settle(ctx) })
		return nil
	case kindApplied, kindTried:
		c.note(ctx, q)
		return nil
	case kindHello, kindWelcome, kindSet, kindDone, kindChanged, kindFile, kindFailed:
	}
	return fmt.Errorf("%w: a message of kind %d", errProtocol, q.kind)
}

// note notes which set the daemon runs: not in order with what runs, which both sets declare, but
// in the order in which the daemon says so.
func (c *session) note(ctx context.Context, q message) {
	before, noted := c.noted, make(chan struct{})
	c.noted = noted
	change := c.server.applied
	if q.kind == kindTried {
		change = c.server.try
	}
	do := c.whenOpen(func(context.Context) message {
		change(q.hash)
		return message{}
	})
	c.tasks.Go(func() {
		defer close(noted)
		if before != nil {
			<-before
		}
		do(ctx)
	})
}

func (c *session) claim(hashes []hash) error {
	if c.claimed += len(hashes); c.claimed > maxSessionClaims || c.settled {
		return fmt.Errorf("%w: it claims %d undos, or after it settled them", errProtocol, c.claimed)
	}
	for _, h := range hashes {
		c.claims[h]++
	}
	return nil
}

// perform performs a request in a goroutine of its own, and sends the answer. Two requests with one
// id at the same time break the protocol, and so do too many.
func (c *session) perform(ctx context.Context, q message, do func(context.Context) message) error {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancels[q.id] != nil || len(c.cancels) >= maxRequests {
		cancel()
		return fmt.Errorf("%w: the id %d is in use, or %d requests wait", errProtocol, q.id, len(c.cancels))
	}
	c.cancels[q.id] = cancel
	start := c.tasks.Go
	if q.kind == kindRead || q.kind == kindReadAt || q.kind == kindComment { // the disk may hang, which must not hold up the end
		start = func(f func()) { go f() }
	}
	start(func() {
		defer cancel()
		answer := do(ctx)
		c.mu.Lock()
		delete(c.cancels, q.id)
		c.mu.Unlock()
		if answer.kind == 0 {
			answer.kind, answer.id = kindDone, q.id
			c.send(answer, nil)
		}
	})
	return nil
}

// inSlot limits how many commands run at once, of all sessions.
func (c *session) inSlot(do func(context.Context) message) func(context.Context) message {
	return func(ctx context.Context) message {
		select {
		case c.server.slots <- struct{}{}:
			defer func() { <-c.server.slots }()
			return do(ctx)
		case <-ctx.Done():
			return stopped()
		}
	}
}

// sendSet reads the set at a path and sends it; "": at that of the configuration. The message that
// it returns was sent already, or is an error. A session has one such request at a time, since each
// may load a set.
func (c *session) sendSet(id uint64, path string) message {
	s := c.server
	if !c.beginReading() {
		return refused(errors.New("the scripts are read already for an earlier request"))
	}
	s.reading <- struct{}{}
	defer func() { <-s.reading }()
	read, err := (*snapshot)(nil), c.unset
	switch {
	case err != nil:
	case path == "":
		read, err = s.read(&c.set, &s.main)
	default:
		read, err = s.readAt(&c.set, path)
	}
	c.endReading() // before the answer, which may bring the next request at once
	if err != nil {
		return refused(err)
	}
	c.send(message{kind: kindSet, id: id, hash: read.sum, text: read.trouble}, read.archive)
	if path != "" {
		return message{kind: kindSet}
	}
	select {
	case <-c.named: // an earlier list
	default:
	}
	select {
	case c.named <- s.main.referenced: // nobody changes it
	default:
	}
	return message{kind: kindSet}
}

func (c *session) beginReading() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading {
		return false
	}
	c.reading = true
	return true
}

func (c *session) endReading() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
}
