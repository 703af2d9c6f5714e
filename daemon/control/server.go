package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/net/netutil"
)

// Bounds of a request.
const (
	maxHeader    = 8 << 10 // bytes
	maxBody      = 1 << 20 // bytes
	maxFollowers = 16

	forAnswer    = 10 * time.Second // until the daemon answers
	forReload    = 5 * time.Minute  // the same for a reload: scripts may have tests
	forRecording = time.Minute      // until a recording begins: it may have a million attempts
	forReader    = 30 * time.Second // until the client accepts one write
	forFollower  = 10 * time.Minute // the same for a follower: its terminal may be stopped
	forIdle      = 30 * time.Second
	forEnd       = time.Second // for requests that run when the daemon ends
)

// requestLimits bounds the time in which a client must send its request.
type requestLimits struct{ header, all time.Duration }

var defaultLimits = requestLimits{header: 5 * time.Second, all: 10 * time.Second}

// Serve answers requests until the context ends, and then closes the socket. Errors of
// connections and panics of handlers are written to faults.
func (s *Socket) Serve(ctx context.Context, api API, faults *log.Logger) error {
	return s.serve(ctx, api, faults, defaultLimits)
}

func (s *Socket) serve(ctx context.Context, api API, faults *log.Logger, limit requestLimits) error {
	server := &http.Server{
		Handler:           guarded(api.handler(), api.Refused, limit.all),
		ReadHeaderTimeout: limit.header,
		WriteTimeout:      forReload + forReader, // each handler sets its own
		IdleTimeout:       forIdle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          faults,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       connContext,
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), forEnd)
		defer cancel()
		if server.Shutdown(shutdown) != nil {
			// The rest are clients that do not read their answer.
			_ = server.Close()
		}
	})
	err := s.listen(ctx, server)
	if ctx.Err() == nil && stop() {
		close(ended)
		err = errors.Join(fmt.Errorf("serving requests: %w", err), server.Close())
	} else {
		err = nil
	}
	<-ended
	return errors.Join(err, s.Close())
}

// listen serves the listener of the socket, and each one that takes its place, until one fails that
// is still in use.
func (s *Socket) listen(ctx context.Context, server *http.Server) error {
	type failure struct {
		of  *net.UnixListener
		err error
	}
	failed := make(chan failure)
	over, cancel := context.WithCancel(ctx)
	defer cancel()
	serve := func(l *net.UnixListener) {
		err := server.Serve(netutil.LimitListener(listener{l, s.spare}, maxConnections))
		select {
		case failed <- failure{l, err}:
		case <-over.Done(): // nobody listens any more
		}
	}
	inUse := s.current()
	go serve(inUse)
	for {
		select {
		case l := <-s.renewed:
			if l != inUse { // it may have been renewed before the first was served
				inUse = l
				go serve(l)
			}
		case f := <-failed:
			if f.of == inUse {
				return f.err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handler returns the routes. A new request is a row here.
func (a API) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/status", get(a.Status))
	mux.Handle("GET /v1/grants", get(a.Grants))
	mux.Handle("POST /v1/grant", post(forAnswer, a.Grant, (*GrantRequest).check))
	mux.Handle("POST /v1/revoke", post(forAnswer, a.Revoke, (*RevokeRequest).check))
	mux.Handle("POST /v1/stored", post(forAnswer, a.Stored, (*StoredRequest).check))
	mux.Handle("POST /v1/forget", post(forAnswer, a.Forget, (*ForgetRequest).check))
	mux.Handle("POST /v1/reload", post(forReload, a.Reload, (*ReloadRequest).check))
	mux.Handle("POST /v1/confirm", post(forAnswer, a.Confirm, (*ConfirmRequest).check))
	mux.Handle("GET /v1/recording", recording(a.Record))
	mux.Handle("GET /v1/recording/withheld", recording(a.RecordWithheld))
	mux.Handle("GET /v1/events", events(a.Events))
	if a.Metrics != nil {
		mux.Handle("GET /v1/metrics", bounded(a.Metrics))
	}
	if a.Profiles != nil {
		mux.Handle("GET /debug/pprof/", profiling(a.Profiles))
	}
	return mux
}

// guarded refuses connections of other users, of which refused is told, and bounds the time for a
// request.
func guarded(next http.Handler, refused func(Caller), limit time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It cannot fail: our connections support deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(in(limit))
		if ok, _ := r.Context().Value(allowedKey{}).(bool); !ok {
			w.Header().Set("Connection", "close")
			if caller, known := CallerOf(r.Context()); known && refused != nil {
				refused(caller)
			}
			fail(w, http.StatusForbidden, errors.New("only root, and the user that the daemon runs as, may ask it"))
			return
		}
		if r.Method != http.MethodPost && r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			fail(w, http.StatusBadRequest, fmt.Errorf("a body with %s: expected none", r.Method))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, withCaller(r))
	})
}

func get[T any](call func(context.Context) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), forAnswer)
		defer cancel()
		value, err := call(ctx)
		answer(w, value, err)
	}
}

func post[Q, T any](limit time.Duration, call func(context.Context, Q) (T, error), check func(*Q) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request Q
		err := decode(r.Body, &request)
		if err == nil {
			err = check(&request)
		}
		if err != nil {
			status := http.StatusBadRequest
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				status = http.StatusRequestEntityTooLarge
			}
			fail(w, status, err)
			return
		}
		withoutReadDeadline(w)
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		value, err := call(ctx, request)
		answer(w, value, err)
	}
}

// bounded bounds the time in which the client must read the answer of a handler.
func bounded(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), forAnswer)
		defer cancel()
		_ = http.NewResponseController(w).SetWriteDeadline(in(forAnswer + forReader))
		next.ServeHTTP(w, r.WithContext(ctx))
	}
}

// profiling lets a handler collect a profile for longer than a request may take.
func profiling(next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		withoutReadDeadline(w)
		next.ServeHTTP(w, r)
	}
}

// withoutReadDeadline is for handlers that take long. While a handler runs, the server reads
// from the connection to detect that the client is gone. It would take an expired deadline for
// that.
func withoutReadDeadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// decode reads one JSON value and nothing else. It refuses unknown members, so that a client
// that is newer than the daemon does not get an answer that ignores a part of its request.
func decode(body io.Reader, into any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("reading the request: expected nothing behind the JSON value")
	}
	return nil
}

func answer(w http.ResponseWriter, value any, err error) {
	_, refused := errors.AsType[Refusal](err)
	switch {
	case refused:
		fail(w, http.StatusConflict, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		fail(w, http.StatusServiceUnavailable, errors.New("the daemon did not answer in time: it is ending, or stuck"))
	case err != nil:
		fail(w, http.StatusInternalServerError, err)
	default:
		write(w, http.StatusOK, value)
	}
}

// A failure is the body of every answer with an error status.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, err error) { write(w, status, failure{err.Error()}) }

func write(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		status = http.StatusInternalServerError
		body.Reset()
		fmt.Fprintln(&body, `{"error":"the daemon's answer is no JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	_ = http.NewResponseController(w).SetWriteDeadline(in(forReader))
	w.WriteHeader(status)
	// An error means that the client is gone.
	_, _ = w.Write(body.Bytes())
}
