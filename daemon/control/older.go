package control

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// This file is about a daemon that is older than the program that asks it: it runs since before an
// upgrade. What it does not know it refuses, and people are told what that is and what to do.
//
// A daemon that is newer knows all requests of an older program, and their fields. What it adds to
// an answer the older program does not read.

// olderError returns the error for a request that the daemon does not know, or of which it does not
// know a field; nil: that is not why it failed. Refused is its answer.
func (c *Client) olderError(ctx context.Context, response *http.Response, path, refused string) error {
	what := ""
	switch response.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		what = requestName(path)
	case http.StatusBadRequest:
		if field := regexp.MustCompile(`json: unknown field "([^"]+)"`).FindStringSubmatch(refused); field != nil {
			what = field[1] + " of " + requestName(path)
		}
	}
	if what == "" || path == statusPath {
		return nil
	}
	status, err := request[Status](ctx, c, forAnswer, http.MethodGet, statusPath, nil)
	if err != nil {
		return nil // it is no daemon of ours
	}
	return fmt.Errorf("the daemon at %s is older than this program, version %s, and does not know %q: %s", c.socket, status.Version, what, oldDaemonNext)
}

const statusPath = "status"

// requestName returns the name of a request: its path without parameters.
func requestName(path string) string {
	name, _, _ := strings.Cut(path, "?")
	return name
}
