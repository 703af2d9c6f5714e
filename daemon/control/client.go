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

// A Client sends requests to a daemon, each on a connection of its own.
//
// Its errors are for people. A [Refusal] means that the daemon refused the request. An error
// that wraps [ErrNoDaemon] means that no daemon answers.
type Client struct {
	// Waiting is called when the daemon has not answered a request within a second; limit is when
	// the request is given up. It is called at most once for each request, from another goroutine.
	// nil: nothing is called.
	Waiting func(limit time.Duration)
	// Claims are sent with each request.
	Claims Claims

	socket string
}

// silence is how long a client waits before it calls Waiting.
const silence = time.Second

// ErrNoDaemon means that no daemon answers at a socket.
var ErrNoDaemon = errors.New("no daemon answers")

// Dial returns a client for the daemon at a socket. It connects at the first request.
func Dial(socket string) *Client { return &Client{socket: socket} }

// Status returns the status of the daemon. A daemon that is too old to tell its health gets a
// verdict here, which is never [OK].
func (c *Client) Status(ctx context.Context) (Status, error) {
	s, err := request[Status](ctx, c, forAnswer, http.MethodGet, statusPath, nil)
	if err == nil {
		s.withHealth()
	}
	return s, err
}

// Grants returns the live grants, by id.
func (c *Client) Grants(ctx context.Context) ([]Grant, error) {
	return request[[]Grant](ctx, c, forAnswer, http.MethodGet, "grants", nil)
}

// Grant gives access without a knock.
func (c *Client) Grant(ctx context.Context, r GrantRequest) (Grant, error) {
	return request[Grant](ctx, c, forAnswer, http.MethodPost, "grant", r)
}

// Revoke ends grants and returns them as they were.
func (c *Client) Revoke(ctx context.Context, r RevokeRequest) ([]Grant, error) {
	return request[[]Grant](ctx, c, forAnswer, http.MethodPost, "revoke", r)
}

// Stored returns a page of stored values.
func (c *Client) Stored(ctx context.Context, r StoredRequest) (Stored, error) {
	return request[Stored](ctx, c, forAnswer, http.MethodPost, "stored", r)
}

// Forget makes stored values be forgotten.
func (c *Client) Forget(ctx context.Context, r ForgetRequest) (Forgotten, error) {
	return request[Forgotten](ctx, c, forAnswer, http.MethodPost, "forget", r)
}

// Reload makes the daemon read its scripts again, and returns the outcome.
func (c *Client) Reload(ctx context.Context, r ReloadRequest) (Outcome, error) {
	return request[Outcome](ctx, c, forReload, http.MethodPost, "reload", r)
}

// Confirm keeps the set of a trial that runs.
func (c *Client) Confirm(ctx context.Context, r ConfirmRequest) (Outcome, error) {
	return request[Outcome](ctx, c, forAnswer, http.MethodPost, "confirm", r)
}

// Record writes a recording to w. After an error w has only a part of it.
func (c *Client) Record(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, forRecording, "recording", w)
}

// RecordWithheld is [Client.Record] without the one-time sequences. A daemon of an earlier version
// cannot leave them out, and answers with an error.
func (c *Client) RecordWithheld(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, forRecording, "recording/withheld", w)
}

// Metrics writes the metrics of the daemon to w, as Prometheus reads them.
func (c *Client) Metrics(ctx context.Context, w io.Writer) error {
	return c.stream(ctx, forAnswer, "metrics", w)
}

// Events writes events to w. A request that follows ends with the context, or without an error
// when the daemon ends.
func (c *Client) Events(ctx context.Context, r EventsRequest, w io.Writer) error {
	return c.stream(ctx, forAnswer, "events?"+r.query(), w)
}

// maxAnswer bounds an answer that is read into memory, in bytes. 65,536 grants take far less.
const maxAnswer = 256 << 20

// request sends a request, and decodes its answer.
func request[T any](ctx context.Context, c *Client, limit time.Duration, method, path string, body any) (answer T, err error) {
	response, err := c.do(ctx, limit, method, path, body)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	late := afterFunc(limit, func() { _ = response.Body.Close() }) // a daemon may stop in the middle
	defer late.Stop()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&answer); err != nil {
		return answer, c.broken(ctx, err)
	}
	return answer, nil
}

func (c *Client) stream(ctx context.Context, limit time.Duration, path string, w io.Writer) error {
	response, err := c.do(ctx, limit, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out := &errorWriter{w: w}
	if _, err := io.Copy(out, response.Body); out.err != nil {
		return out.err
	} else if err != nil {
		return c.broken(ctx, err)
	}
	return nil
}

// An errorWriter holds the error of its writer, to distinguish it from an error of the connection.
type errorWriter struct {
	w   io.Writer
	err error
}

func (k *errorWriter) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	if err != nil {
		k.err = err
	}
	return n, err
}

// broken returns the error for an answer that is not complete.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the daemon at %s ended in the middle of its answer: %w", c.socket, err)
}

// do sends a request, and waits at most limit for the header of the answer. The caller closes
// the body.
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
	r, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://sesame/v%d/%s", Version, path), body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	if request != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	c.Claims.write(r.Header)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.socket)
		},
		DisableKeepAlives:     true,
		DisableCompression:    true,
		ResponseHeaderTimeout: limit,
	}
	if c.Waiting != nil {
		defer afterFunc(silence, func() { c.Waiting(limit) }).Stop()
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return nil, c.unanswered(ctx, err, limit)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	return nil, c.failed(ctx, path, response)
}

// unanswered returns the error for a request without an answer, with a hint for the user.
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
	case errors.Is(err, syscall.EAGAIN): // its queue of connections is full
		return fmt.Errorf("the daemon at %s takes no more connections: it is stopped, or many ask it; try again", c.socket)
	case timeout != nil && timeout.Timeout():
		return fmt.Errorf("the daemon at %s did not answer within %s: is it stopped?", c.socket, Duration(limit))
	}
	return fmt.Errorf("asking the daemon at %s: %w", c.socket, err)
}

// failed returns the error of an answer with an error status.
func (c *Client) failed(ctx context.Context, path string, response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	var answer failure
	if err == nil && json.Unmarshal(text, &answer) != nil {
		answer.Error = ""
	}
	if older := c.olderError(ctx, response, path, answer.Error); older != nil {
		return older
	}
	if err != nil || answer.Error == "" {
		return fmt.Errorf("the daemon at %s answered %q: is it of another version?", c.socket, response.Status)
	}
	switch response.StatusCode {
	case http.StatusConflict:
		return Refusal(answer.Error)
	case http.StatusForbidden:
		return fmt.Errorf("%s; try sudo", answer.Error)
	}
	return errors.New(answer.Error)
}
