package control

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An older daemon answers status, and refuses requests and fields that came later. A program of
// today says so in each case.
func TestAnOlderDaemon(t *testing.T) {
	socket, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/status", get(func(context.Context) (Status, error) { return Status{Version: "0.9"}, nil }))
	mux.Handle("POST /v1/reload", post(forReload, func(context.Context, struct{}) (Outcome, error) { return Outcome{}, nil }, func(*struct{}) error { return nil }))
	older := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1) // the result of Serve
	go func() { done <- older.Serve(socket.listener) }()
	c := Dial(socket.path)
	for what, err := range map[string]error{
		"grants": second(c.Grants(t.Context())), "confirm": second(c.Confirm(t.Context(), ConfirmRequest{})),
		"stored": second(c.Stored(t.Context(), StoredRequest{})), "events": c.Events(t.Context(), EventsRequest{}, io.Discard),
		"recording": c.Record(t.Context(), io.Discard), "recording/withheld": c.RecordWithheld(t.Context(), &bytes.Buffer{}),
		"skip_tests of reload": second(c.Reload(t.Context(), ReloadRequest{SkipTests: true})),
	} {
		want := fmt.Sprintf("the daemon at %s is older than this program, version 0.9, and does not know %q: restart it (with its unit: systemctl restart sesame)", socket.path, what)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	s, err := c.Status(t.Context())
	if err != nil || s.Health.Verdict == OK || !slices.ContainsFunc(s.Health.Reasons, func(r Reason) bool { return r.Code == oldDaemon }) {
		t.Errorf("its status: %+v, %v", s.Health, err)
	}
	older.Close()
	<-done
	socket.Close()
}

func second[T any](_ T, err error) error { return err }

// A program does not read what a newer daemon adds to its answers.
func TestANewerDaemon(t *testing.T) {
	socket, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	mux.HandleFunc("GET /v1/status", say(`{"version":"9.9","mode":"enforce","orbit":{"moons":2},"health":{"verdict":"degraded","reasons":[{"code":"moon","text":"it is full","phase":3}]}}`))
	mux.HandleFunc("GET /v1/grants", say(`[{"id":7,"source":"203.0.113.9","port":"tcp/22","ttl":"1m","remaining":"1m","end":"2026-03-01T12:00:00Z","moon":true}]`))
	mux.HandleFunc("POST /v1/reload", say(`{"outcome":"deferred","generation":3}`))
	newer := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1) // the result of Serve
	go func() { done <- newer.Serve(socket.listener) }()
	c := Dial(socket.path)
	if s, err := c.Status(t.Context()); err != nil || s.Version != "9.9" || s.Health.Verdict != Degraded || !strings.Contains(s.Health.Reasons[0].Text, "full") {
		t.Errorf("status: %+v, %v", s, err)
	}
	if g, err := c.Grants(t.Context()); err != nil || len(g) != 1 || g[0].ID != 7 {
		t.Errorf("grants: %+v, %v", g, err)
	}
	if o, err := c.Reload(t.Context(), ReloadRequest{}); err != nil || o.Outcome != "deferred" || o.Generation != 3 {
		t.Errorf("reload: %+v, %v", o, err)
	}
	newer.Close()
	<-done
	socket.Close()
}
