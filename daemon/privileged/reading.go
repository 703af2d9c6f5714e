//go:build linux

package privileged

import (
	"context"
	"errors"
	"strings"
)

// Read reads the set at a path; "": at that of the configuration.
func (c *Client) Read(ctx context.Context, path string) (*Reading, error) {
	q := message{kind: kindRead}
	if path != "" {
		q = message{kind: kindReadAt, file: path}
	}
	a, err := c.ask(ctx, q, 0)
	if err != nil {
		return nil, err
	}
	if a.file != nil {
		defer a.file.Close()
	}
	if a.kind == kindDone {
		_, err := a.result()
		return nil, err
	}
	if a.file == nil {
		return nil, errors.New("the helper sent no scripts")
	}
	read, err := readFile(a.file)
	if err != nil {
		return nil, err
	}
	r := &Reading{Files: read.files(), Values: read.settings, Lists: read.lists, Trouble: a.text, sum: a.hash}
	if held, found := strings.CutPrefix(a.text, heldText); found {
		r.Held = held
	}
	return r, nil
}

// Applied tells the helper that the daemon runs a set that it read.
func (c *Client) Applied(r *Reading) error { return c.send(message{kind: kindApplied, hash: r.sum}) }

// Tried tells the helper that the daemon runs a set that it read, and that the one that it applied
// last may return.
func (c *Client) Tried(r *Reading) error { return c.send(message{kind: kindTried, hash: r.sum}) }
