//go:build linux

package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// profile requests one of Go's profiles at the daemon's socket.
func (w *world) profile(path string) (status int, body string) {
	w.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", w.socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://sesame/debug/pprof/"+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		w.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Root gets profiles at the socket with the flag, and nobody gets them without it. That
// other users are refused in any case is tested in package control.
func TestRealProfile(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	if status, body := w.profile("goroutine?debug=1"); status != http.StatusNotFound {
		t.Errorf("without --pprof: status %d, %.200s", status, body)
	}
	w.stop()
	w.flags = []string{"--pprof"}
	w.start()
	if status, body := w.profile("goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "sesame/daemon.(*loop).run") {
		t.Errorf("goroutines: status %d, %.200s", status, body)
	}
	if _, body := w.profile("goroutine?debug=2"); !strings.Contains(body, "goroutine 1 [select (no cases), locked to thread]:") {
		t.Errorf("the main thread is not free for signals: %s", body)
	}
	if status, body := w.profile("profile?seconds=1"); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("a profile of the processor: status %d, %.200q", status, body)
	}
}
