package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// recording answers with a recording. Once a part of it is written, an error
// can only be told by breaking the connection.
func recording(record func(context.Context, io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		withoutReadDeadline(w)
		out := &stream{w: w, limit: forReader, kind: "application/x-pcapng"}
		switch err := record(r.Context(), out); {
		case err == nil && out.begun:
		case err == nil:
			fail(w, http.StatusInternalServerError, errors.New("the recording is empty"))
		case out.begun:
			panic(http.ErrAbortHandler)
		default:
			answer(w, nil, err)
		}
	}
}

// events answers with the transcript: ?format=text or jsonl, and when they are
// "true", &follow and &color.
func events(tail *Tail) http.HandlerFunc {
	followers := make(chan struct{}, maxFollowers) // one for each; full: no more
	return func(w http.ResponseWriter, r *http.Request) {
		request, err := parseEvents(r.URL.Query())
		if err != nil {
			fail(w, http.StatusBadRequest, err)
			return
		}
		out := &stream{w: w, limit: forReader, kind: request.kind()}
		if request.Follow {
			select {
			case followers <- struct{}{}:
				defer func() { <-followers }()
			default:
				fail(w, http.StatusServiceUnavailable, fmt.Errorf("%d follow the events already: end one of them", maxFollowers))
				return
			}
			out.limit = forWatcher
		}
		withoutReadDeadline(w)
		err = writeTail(r.Context(), tail, request, out, out.flush)
		if err != nil && context.Cause(r.Context()) == nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func (r EventsRequest) kind() string {
	if r.JSON {
		return "application/jsonl"
	}
	return "text/plain; charset=utf-8"
}

// query writes a request, and parseEvents reads it.
func (r EventsRequest) query() string {
	values := url.Values{"format": {"text"}}
	if r.JSON {
		values.Set("format", "jsonl")
	}
	if r.Follow {
		values.Set("follow", "true")
	}
	if r.Color {
		values.Set("color", "true")
	}
	return values.Encode()
}

func parseEvents(values url.Values) (EventsRequest, error) {
	var r EventsRequest
	for key, all := range values {
		value := all[len(all)-1]
		switch {
		case key == "format" && (value == "text" || value == "jsonl"):
			r.JSON = value == "jsonl"
		case key == "follow" && (value == "true" || value == "false"):
			r.Follow = value == "true"
		case key == "color" && (value == "true" || value == "false"):
			r.Color = value == "true"
		default:
			return r, fmt.Errorf("%s=%s: expected format=text or jsonl, follow=true, color=true", key, value)
		}
	}
	return r, nil
}

// A stream is a body that is written bit by bit, each in limited time.
type stream struct {
	w     http.ResponseWriter
	limit time.Duration
	kind  string
	begun bool
}

func (s *stream) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // nothing has begun
	}
	s.begin()
	return s.w.Write(b)
}

// begin is also for a body of which there is nothing yet: the client learns
// that it is served.
func (s *stream) begin() {
	_ = http.NewResponseController(s.w).SetWriteDeadline(in(s.limit))
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", s.kind)
	}
}

func (s *stream) flush() error {
	s.begin()
	return http.NewResponseController(s.w).Flush()
}
