package control

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestTheCallerIsKnown asks a daemon, which learns who asks from the kernel, and what the client
// says of itself.
func TestTheCallerIsKnown(t *testing.T) {
	var got Caller
	w := newWorld(t, func(a *API) {
		a.Reload = func(ctx context.Context, _ ReloadRequest) (Outcome, error) {
			got, _ = CallerOf(ctx)
			return Outcome{}, nil
		}
	})
	c := Dial(w.socket)
	c.Claims = Claims{Command: "edit", Login: "1000", SudoUser: "an\x1ba\r\n of " + strings.Repeat("x", 100), Address: "192.0.2.9"}
	if _, err := c.Reload(t.Context(), ReloadRequest{}); err != nil {
		t.Fatal(err)
	}
	want := Caller{
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: os.Getpid(),
		Claims: Claims{Command: "edit", Login: "1000", SudoUser: ("an\uFFFDa\uFFFD of " + strings.Repeat("x", 100))[:maxClaim], Address: "192.0.2.9"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the caller (-want +got):\n%s", diff)
	}
	if c, known := CallerOf(t.Context()); known {
		t.Errorf("nobody asks, and it is %v", c)
	}
}

// TestWhoIsRefusedIsTold has a connection of another user.
func TestWhoIsRefusedIsTold(t *testing.T) {
	var refused []Caller
	asked := false
	handler := guarded(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }), func(c Caller) { refused = append(refused, c) }, time.Minute)
	stranger := Caller{UID: 1000, GID: 100, PID: 7}
	ask := func(h http.Handler, key bool) int {
		ctx := context.WithValue(t.Context(), allowedKey{}, false)
		if key {
			ctx = context.WithValue(ctx, callerKey{}, stranger)
		}
		answer := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, "GET", "/v1/status", nil)
		r.Header.Set("Sesame-Command", "status")
		h.ServeHTTP(answer, r)
		return answer.Code
	}
	for _, known := range []bool{true, false} {
		if status := ask(handler, known); status != http.StatusForbidden || asked {
			t.Errorf("status %d", status)
		}
	}
	if diff := cmp.Diff([]Caller{stranger}, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if status := ask(guarded(nil, nil, time.Minute), true); status != http.StatusForbidden {
		t.Errorf("where nobody is told: status %d", status)
	}
}

func TestLoginOf(t *testing.T) {
	for text, want := range map[string]int64{"1000\n": 1000, "0": 0, "4294967295": -1, "4294967294": 4294967294, "": -1, "-1": -1, "x": -1} {
		uid, known := LoginOf(text)
		if known != (want >= 0) || known && int64(uid) != want {
			t.Errorf("%q: %d, %v", text, uid, known)
		}
	}
}
