//go:build linux

package listing

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// answerPatience is how long a client waits for an answer: as long as the program for it and
	// that for the question before may take that hang. So no more than two questions wait in the
	// pipe, which has room for them.
	answerPatience = 4 * patience
	// endPatience is how long the end waits for the process.
	endPatience = time.Second
	// maxAnswer is the longest line of an answer, in bytes. JSON writes a byte as six at most.
	maxAnswer = 8 * maxText
)

// errSlow means that a program takes too long to list a chain.
var errSlow = errors.New("the rules of other firewalls were not listed in time")

// ErrEnded means that the process that lists is not there any more.
var ErrEnded = errors.New("the process that lists rules of other firewalls has ended")

// A Client asks a process that runs [Serve].
type Client struct {
	process *os.Process
	in      *os.File // what it reads
	out     *os.File // what it writes
	answers chan answer
	ended   chan struct{} // closed by Run

	asking sync.Mutex // for one question and its answer
	asked  uint64     // questions
}

// Start starts a process: a program with arguments that calls [Serve] with its standard input and
// output. It ends when its input does, so also when this process is killed. It is in a session of
// its own, since what a terminal sends to the daemon is not for it. People see it as sesame.
func Start(argv []string) (*Client, error) {
	questions, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a process that lists rules: %w", err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting a process that lists rules: %w", errors.Join(err, questions.Close(), in.Close()))
	}
	process, err := os.StartProcess(argv[0], append([]string{"sesame"}, argv[1:]...), &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=" + os.Getenv("PATH"), "GOTRACEBACK=none", "GOMAXPROCS=1"}, Files: []*os.File{questions, answers, nil},
		Sys: &syscall.SysProcAttr{Setsid: true, AmbientCaps: []uintptr{unix.CAP_NET_ADMIN}},
	})
	_, _ = questions.Close(), answers.Close() // the process has its own
	if err != nil {
		return nil, fmt.Errorf("starting a process that lists rules: %w", errors.Join(err, in.Close(), out.Close()))
	}
	return &Client{process: process, in: in, out: out, answers: make(chan answer), ended: make(chan struct{})}, nil
}

// Run takes the answers of the process until ctx is done, ends it, and returns nil. When the
// process ends before that, it returns [ErrEnded]. It must be called once.
func (c *Client) Run(ctx context.Context) error {
	defer close(c.ended)
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	lines := bufio.NewReaderSize(c.out, maxAnswer)
	for {
		line, err := lines.ReadSlice('\n')
		var a answer
		if err == nil {
			err = json.Unmarshal(line, &a)
		}
		if err != nil {
			c.hangUp()
			c.reap()
			if ctx.Err() != nil {
				return nil
			}
			return ErrEnded
		}
		select {
		case c.answers <- a:
		case <-after(answerPatience): // nobody asked
		case <-ctx.Done():
		}
	}
}

// Close ends the process. It is for a client whose Run was never called.
func (c *Client) Close() { c.hangUp() }

// hangUp closes both pipes, which ends the process.
func (c *Client) hangUp() { _, _ = c.in.Close(), c.out.Close() }

// reap waits for the process, but not for one that does not end. A confined daemon cannot kill it.
func (c *Client) reap() {
	done := make(chan struct{})
	go func() {
		_, _ = c.process.Wait() // how it ended is of no use
		close(done)
	}()
	select {
	case <-done:
	case <-after(endPatience):
	}
}

// Text asks the process for the text of a rule; "": the rule is not there. Run must be running.
func (c *Client) Text(ctx context.Context, r Rule) (string, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if _, err := r.argv(); err != nil {
		return "", err // the process would refuse it
	}
	c.asked++
	line, err := json.Marshal(question{c.asked, r})
	if err != nil {
		return "", err
	}
	late := after(answerPatience)
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return "", ErrEnded
	}
	for {
		select {
		case a := <-c.answers:
			switch {
			case a.Question != c.asked: // nobody waits for it any more
			case a.Error != "":
				return "", errors.New(a.Error)
			default:
				return a.Text, nil
			}
		case <-c.ended:
			return "", ErrEnded
		case <-ctx.Done():
			return "", ctx.Err()
		case <-late:
			return "", errSlow
		}
	}
}
