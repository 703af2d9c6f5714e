package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"
)

// A Client asks a daemon. It keeps no connection open between two calls.
//
// Its errors are for people. One that is a [Refusal] is the daemon's answer no;
// [ErrNoDaemon] is in those that say that nobody answers.
type Client struct{ socket string }

// ErrNoDaemon says that nobody answers at a socket.
var ErrNoDaemon = errors.New("no daemon answers")

// Dial returns a client of the daemon at a socket. It connects when it is asked
// something.
func Dial(socket string) *Client { return &Client{socket} }

// Status asks what the daemon is doing.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	err = c.ask(ctx, forAnswer, http.MethodGet, "status", nil, &s)
	return s, err
}

// Grants returns the live grants, by id.
func (c *Client) Grants(ctx context.Context) (g []Grant, err error) {
	err = c.ask(ctx, forAnswer, http.MethodGet, "grants", nil, &g)
	return g, err
}

// Grant gives access that no knock opened.
func (c *Client) Grant(ctx context.Context, r GrantRequest) (g Grant, err error) {
	err = c.ask(ctx, forAnswer, http.MethodPost, "grant", r, &g)
	return g, err
}

// Revoke ends grants, and returns them as they were.
func (c *Client) Revoke(ctx context.Context, r RevokeRequest) (g []Grant, err error) {
	err = c.ask(ctx, forAnswer, http.MethodPost, "revoke", r, &g)
	return g, err
}

// Reload returns when the outcome is known.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (o Outcome, err error) {
	err = c.ask(ctx, forReload, http.MethodPost, "reload", r, &o)
	return o, err
}

// Record writes the recording to w. After an error what was written is no
// recording.
func (c *Client) Record(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, forRecording, "recording", w)
}

// Events writes the events to w, each as soon as it is known. Who follows them
// does so until the context or the daemon ends; the latter is no error.
func (c *Client) Events(ctx context.Context, r EventsRequest, w io.Writer) error {
	return c.stream(ctx, forAnswer, "events?"+r.query(), w)
}

// maxAnswer bounds an answer that is kept in memory: 65,536 grants are far less.
const maxAnswer = 256 << 20

func (c *Client) ask(ctx context.Context, limit time.Duration, method, path string, request, into any) error {
	response, err := c.do(ctx, limit, method, path, request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

func (c *Client) stream(ctx context.Context, limit time.Duration, path string, w io.Writer) error {
	response, err := c.do(ctx, limit, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out := &errorKeeper{w: w}
	if _, err := io.Copy(out, response.Body); out.err != nil {
		return out.err
	} else if err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// An errorKeeper tells whether it was the reader's side that failed.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	if err != nil {
		k.err = err
	}
	return n, err
}

// broken is for a connection that ends before the answer does.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the daemon at %s ended in the middle of its answer: %w", c.socket, err)
}

// do sends one request, and waits for limit until its answer begins. The
// answer's body is the caller's to close.
func (c *Client) do(ctx context.Context, limit time.Duration, method, path string, request any) (*http.Response, error) {
	if err := checkPath(c.socket); err != nil {
		return nil, err
	}
	var body io.Reader = http.NoBody
	if request != nil {
		text, err := json.Marshal(request)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://sesame/v1/"+path, body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	if request != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.socket)
		},
		DisableKeepAlives:     true,
		DisableCompression:    true,
		ResponseHeaderTimeout: limit,
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, c.unanswered(ctx, err, limit)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.failed(response)
}

// unanswered says why there is no answer at all, and what to do about it.
func (c *Client) unanswered(ctx context.Context, err error, limit time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	timeout, _ := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf(`%w at %s: is "sesame run" running? Name its socket with --socket`, ErrNoDaemon, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("may not open %s: only root, and the user that the daemon runs as, may; try sudo", c.socket)
	case timeout != nil && timeout.Timeout():
		return fmt.Errorf("the daemon at %s did not answer within %s: is it stopped?", c.socket, Duration(limit))
	}
	return fmt.Errorf("asking the daemon at %s: %w", c.socket, err)
}

// failed reads why an answer is none.
func (c *Client) failed(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	var told failure
	if err != nil || json.Unmarshal(text, &told) != nil || told.Error == "" {
		return fmt.Errorf("the daemon at %s answered %q: is it of another version?", c.socket, response.Status)
	}
	switch response.StatusCode {
	case http.StatusConflict:
		return Refusal(told.Error)
	case http.StatusForbidden:
		return fmt.Errorf("%s; try sudo", told.Error)
	}
	return errors.New(told.Error)
}
