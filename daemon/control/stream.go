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

// recording answers with a recording. After the first byte an error can only be signalled by
// closing the connection, which http.ErrAbortHandler does.
func recording(record func(context.Context, io.Writer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		withoutReadDeadline(w)
		out := &stream{w: w, limit: forReader, kind: "application/x-pcapng"}
		switch err := record(r.Context(), out); {
		case err == nil && out.started:
		case err == nil:
			fail(w, http.StatusInternalServerError, errors.New("the recording is empty"))
		case out.started:
			panic(http.ErrAbortHandler)
		default:
			answer(w, nil, err)
		}
	}
}

// events answers with the transcript. Its parameters are format=text or jsonl, follow=true and
// color=true.
func events(tail *Tail) http.HandlerFunc {
	followers := make(chan struct{}, maxFollowers) // one entry for each follower
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
			out.limit = forFollower
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

// query returns the parameters for a request; parseEvents reads them.
func (r EventsRequest) query() string {
	format := "text"
	if r.JSON {
		format = "jsonl"
	}
	return fmt.Sprintf("format=%s&follow=%t&color=%t", format, r.Follow, r.Color)
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

// A stream is the body of an answer that is written in parts. Each part must be accepted within
// the limit.
type stream struct {
	w       http.ResponseWriter
	limit   time.Duration
	kind    string // Content-Type
	started bool
}

func (s *stream) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // an error can still have its own status
	}
	s.begin()
	return s.w.Write(b)
}

// begin sets the deadline for the next part, and the header for the first. It is also called when
// there is nothing to write yet, so that the client gets the header.
func (s *stream) begin() {
	_ = http.NewResponseController(s.w).SetWriteDeadline(in(s.limit))
	if !s.started {
		s.started = true
		s.w.Header().Set("Content-Type", s.kind)
	}
}

func (s *stream) flush() error {
	s.begin()
	return http.NewResponseController(s.w).Flush()
}
