//go:build linux

package privileged

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
	"sesame/scripting/source"
)

// ErrGone means that the helper has ended, or was never there.
var ErrGone = errors.New("the helper that runs commands does not answer")

// helloPatience is how long a helper may take to say hello: it may just be starting, or its disk
// may hang.
const helloPatience = 5 * time.Second

// A Client asks a helper for what the daemon may not do itself. It is an [effect.Privileged]. Its
// methods may be called from any goroutine, while [Client.Receive] runs.
type Client struct {
	conn    *net.UnixConn
	changed chan struct{}   // capacity 1
	failed  chan FailedUndo // capacity maxFailed

	mu      sync.Mutex
	waiting map[uint64]chan answer // capacity 1; nil: the helper has ended
	last    uint64                 // id of the latest request

	writing sync.Mutex
}

// An answer is a message of the helper, with the descriptor that came with it; nil: none did.
type answer struct {
	message
	file *os.File
}

// NewClient says hello on a connection to a helper, which it owns from then on. The error tells
// when the helper is of another version.
func NewClient(conn *net.UnixConn) (*Client, error) {
	c := &Client{conn: conn, changed: make(chan struct{}, 1), failed: make(chan FailedUndo, maxFailed), waiting: map[uint64]chan answer{}}
	err := conn.SetReadDeadline(now().Add(helloPatience))
	if err == nil {
		err = c.send(message{kind: kindHello, version: ProtocolVersion})
	}
	var a answer
	if err == nil {
		a, err = c.receive()
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	switch {
	case err != nil:
	case a.kind != kindWelcome:
		err = fmt.Errorf("the helper did not say its version first")
	case a.version != ProtocolVersion:
		err = fmt.Errorf("the helper speaks version %d of the protocol, and this daemon version %d: restart both", a.version, ProtocolVersion)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("greeting the helper: %w", err), conn.Close())
	}
	return c, nil
}

// Receive takes what the helper sends until ctx ends or the helper does. Then what waits for an
// answer gets [ErrGone], and so do later requests.
func (c *Client) Receive(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = c.conn.Close() })()
	for {
		a, err := c.receive()
		if err != nil {
			c.end()
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		c.take(a)
	}
}

func (c *Client) take(a answer) {
	if a.kind == kindChanged {
		select {
		case c.changed <- struct{}{}:
		default:
		}
		return
	}
	if a.kind == kindFailed {
		select {
		case c.failed <- FailedUndo{Door: a.door, Command: a.line, Reason: a.text}:
		default: // the log of the helper has it
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait := c.waiting[a.id]; wait != nil && (a.kind == kindDone || a.kind == kindSet || a.kind == kindFile) {
		delete(c.waiting, a.id)
		wait <- a
	} else if a.file != nil {
		_ = a.file.Close() // nobody asked for it
	}
}

func (c *Client) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, wait := range c.waiting {
		close(wait)
	}
	c.waiting = nil
	_ = c.conn.Close() // it is of no use any more
}

func (c *Client) receive() (a answer, err error) {
	b, rights := make([]byte, maxMessage+1), make([]byte, unix.CmsgSpace(4))
	n, n2, flags, _, err := c.conn.ReadMsgUnix(b, rights)
	switch {
	case err != nil || n == 0:
		return answer{}, ErrGone
	case n > maxMessage || flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		return answer{}, errors.New("the helper sent a message that is too long")
	}
	a.file = received(rights[:n2])
	if a.message, err = decodeMessage(b[:n]); err != nil && a.file != nil {
		_ = a.file.Close()
	}
	return a, err
}

// received returns the descriptor that came with a message; nil: none did.
func received(rights []byte) *os.File {
	parts, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(parts) != 1 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&parts[0])
	if err != nil || len(fds) != 1 {
		return nil
	}
	return os.NewFile(uintptr(fds[0]), "file of the helper")
}

func (c *Client) send(m message) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	err = c.conn.SetWriteDeadline(now().Add(sendPatience))
	if err == nil {
		_, _, err = c.conn.WriteMsgUnix(b, nil, nil)
	}
	if err != nil {
		_ = c.conn.Close() // which ends [Client.Receive], and all that waits for an answer
		return ErrGone
	}
	return nil
}

const (
	// hangPatience is how much longer than the time limit of a command its answer may take.
	hangPatience = 30 * time.Second
	// undoPatience is the same for an undo, which waits for its command, and for a helper of before
	// that waits for its last command, of at most ten minutes each.
	undoPatience = 30 * time.Minute
)

// ask sends a request and waits for the answer. When ctx ends it cancels the request, and still
// waits. A helper that does not answer within limit counts as gone; 0: it may take any time.
func (c *Client) ask(ctx context.Context, m message, limit time.Duration) (answer, error) {
	var late <-chan time.Time
	if limit > 0 {
		late = after(limit)
	}
	wait, err := c.request(&m)
	if err != nil {
		return answer{}, err
	}
	canceled := ctx.Done()
	for {
		select {
		case a, open := <-wait:
			if !open {
				return answer{}, ErrGone
			}
			return a, nil
		case <-late:
			_ = c.conn.Close() // which ends [Client.Receive]
			return answer{}, ErrGone
		case <-canceled:
			canceled = nil
			if err := c.send(message{kind: kindCancel, id: m.id}); err != nil {
				return answer{}, err
			}
		}
	}
}

// request sends a request, to which it gives an id, and returns what gets the answer.
func (c *Client) request(m *message) (wait chan answer, err error) {
	wait = make(chan answer, 1)
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		return nil, ErrGone
	}
	c.last++
	m.id = c.last
	c.waiting[m.id] = wait
	c.mu.Unlock()
	if err := c.send(*m); err != nil {
		c.abandon(m.id)
		return nil, err
	}
	return wait, nil
}

// abandon lets nobody wait for an answer any more.
func (c *Client) abandon(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// Close closes a connection of which nobody calls [Client.Receive].
func (c *Client) Close() { c.end() }

// Finish ends a connection of which nobody calls [Client.Receive], when the helper has taken all
// requests. One that is just closed may lose them.
func (c *Client) Finish() {
	err := c.conn.SetReadDeadline(now().Add(helloPatience))
	if err == nil && c.conn.CloseWrite() == nil {
		_ = c.Receive(context.Background()) // until the helper closes its side
	}
	c.end()
}

// Changed receives when the set may have changed.
func (c *Client) Changed() <-chan struct{} { return c.changed }

// maxFailed bounds how many failures of undos wait for [Client.Failed].
const maxFailed = 64

// A FailedUndo is an undo that the helper ran by itself, since the daemon did not know of it, and
// that failed, or could not run. It stays pending until another connection settles.
type FailedUndo struct {
	Door    string // "": of none
	Command string
	Reason  string
}

// Failed receives the undos that failed.
func (c *Client) Failed() <-chan FailedUndo { return c.failed }

// A Reading is a set that a helper read.
type Reading struct {
	// Files are what [source.Read] would return, and all files that the set names.
	Files *source.Files
	// Values and Lists are those of [Settings].
	Values map[string]string
	Lists  []string
	// Trouble says why the commands of the set cannot run; "": they can. Held is what other users
	// can change of what is run; "": nothing.
	Trouble, Held string

	sum hash
}

// Run does what [effect.Privileged] says. A command without an invocation is refused.
func (c *Client) Run(ctx context.Context, command effect.Command, respond func(effect.Output, error)) {
	m, err := requestFor(command)
	var a answer
	if err == nil {
		a, err = c.ask(ctx, m, patienceFor(&command))
	}
	if err != nil {
		respond(effect.Output{}, fmt.Errorf("running %s: %w", command.Argv[0], err))
		return
	}
	out, err := a.result()
	if a.outcome == outcomeRefused && !strings.HasPrefix(a.text, "running ") { // as of a command that did not start
		err = fmt.Errorf("running %s: %w", command.Argv[0], err)
	}
	respond(out, err)
}

// patienceFor returns how long the answer for a command may take.
func patienceFor(command *effect.Command) time.Duration {
	switch {
	case command.Undo:
		return max(command.Timeout, 0) + undoPatience
	case command.Timeout <= 0:
		return 0
	}
	return command.Timeout + hangPatience
}

// requestFor returns the request that a command is.
func requestFor(command effect.Command) (message, error) {
	how := command.Invocation
	switch {
	case command.Undo:
		return message{kind: kindUndo, hash: undoHash(command.Argv)}, nil
	case how == nil:
		return message{}, errUndeclared
	}
	m := message{
		kind: kindRun, hash: commandHash(how.Argv, how.Undo), door: command.Door, source: command.Source, grant: command.Grant,
		values: map[string]string{},
	}
	text := strings.Join(how.Argv, "") + strings.Join(how.Undo, "")
	for name, value := range how.Values {
		if strings.Contains(text, "{"+name+"}") {
			m.values[name] = value
		}
	}
	return m, nil
}

// CommentOut does what [effect.Privileged] says.
func (c *Client) CommentOut(file, line string) error {
	a, err := c.ask(context.Background(), message{kind: kindComment, file: file, line: line}, 0)
	if err != nil {
		return fmt.Errorf("commenting out a used sequence in %s: %w", file, err)
	}
	_, err = a.result()
	return err
}

// Settle tells the helper which undos the daemon knows of, by their arguments. It runs the others
// that are owed.
func (c *Client) Settle(undos [][]string) error {
	var hashes []hash
	for _, argv := range undos {
		hashes = append(hashes, undoHash(argv))
	}
	for len(hashes) > 0 {
		n := min(len(hashes), maxClaims)
		if err := c.send(message{kind: kindClaim, hashes: hashes[:n]}); err != nil {
			return err
		}
		hashes = hashes[n:]
	}
	return c.send(message{kind: kindSettle})
}
