package control

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whoever waits for a daemon that is busy is told so, once, and gets the answer when it comes.
func TestWaitingIsTold(t *testing.T) {
	told := make(chan struct{})
	w := newWorld(t, func(a *API) {
		a.Status = func(ctx context.Context) (Status, error) {
			select {
			case <-told:
			case <-ctx.Done():
			}
			return Status{Version: "1.2", Health: Health{Verdict: OK}}, ctx.Err()
		}
	})
	c := Dial(w.socket)
	calls := 0
	c.Waiting = func(limit time.Duration) {
		calls++
		if limit != forAnswer {
			t.Errorf("told of a limit of %s, want %s", limit, forAnswer)
		}
		close(told)
	}
	if s, err := c.Status(t.Context()); err != nil || s.Version != "1.2" || calls != 1 {
		t.Errorf("got %q, %v, told %d times", s.Version, err, calls)
	}
}

// A daemon that answers at once keeps nobody waiting.
func TestNoWaitingIsToldInVain(t *testing.T) {
	w := newWorld(t)
	c := Dial(w.socket)
	c.Waiting = func(time.Duration) { t.Error("told to wait") }
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// A daemon that is stopped before its answer, or in the middle of it, does not hold the client.
func TestADaemonThatStops(t *testing.T) {
	release := make(chan struct{})
	path := filepath.Join(t.TempDir(), "s.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "half") {
			_, _ = w.Write([]byte(`{"version":`))
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	t.Cleanup(func() { close(release) })
	for what, want := range map[string]string{"none": "did not answer within", "half": "ended in the middle of its answer"} {
		_, err := request[Status](t.Context(), Dial(path), 20*time.Millisecond, http.MethodGet, what, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", what, err, want)
		}
	}
}
