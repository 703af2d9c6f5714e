package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var (
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tom  = netip.MustParseAddr("203.0.113.9")
	ssh  = packet.Port{Proto: packet.TCP, Number: 22}
)

// A world is a daemon that only answers.
type world struct {
	API
	socket string
	stop   func() error // ends the daemon, and returns what Serve did
	faults func() string
}

// newWorld serves an API until the test ends, and then looks for what it left.
func newWorld(t *testing.T, change ...func(*API)) *world {
	t.Helper()
	return newWorldWith(t, defaultLimits, change...)
}

func newWorldWith(t *testing.T, limit requestLimits, change ...func(*API)) *world {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	w := &world{API: fakeAPI(), socket: filepath.Join(t.TempDir(), "run", "s.sock")}
	for _, c := range change {
		c(&w.API)
	}
	socket, err := Listen(w.socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var faults bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // the result of Serve
	go func() { done <- socket.serve(ctx, w.API, log.New(locked{&mu, &faults}, "", 0), limit) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	w.faults = func() string {
		mu.Lock()
		defer mu.Unlock()
		return faults.String()
	}
	t.Cleanup(func() {
		if err := w.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		goleak.VerifyNone(t, ignore)
	})
	return w
}

type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// fakeAPI answers what it is asked, and knows nothing.
func fakeAPI() API {
	return API{
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }),
		Status:  func(context.Context) (Status, error) { return Status{Version: "1.2", Mode: Observe, Now: noon}, nil },
		Grants: func(context.Context) ([]Grant, error) {
			return []Grant{GrantOf(&engine.Grant{ID: 7, Door: "ssh", By: tom, Source: netip.PrefixFrom(tom, 32), Port: ssh,
				TTL: time.Minute, End: noon.Add(time.Minute)}, noon, time.Second)}, nil
		},
		Grant: func(_ context.Context, r GrantRequest) (Grant, error) {
			return Grant{ID: 8, Source: r.Source, Port: r.Port, TTL: r.TTL}, nil
		},
		Revoke: func(_ context.Context, r RevokeRequest) ([]Grant, error) {
			return []Grant{{ID: 9, Source: r.Source, Port: r.Port}}, nil
		},
		Stored: func(_ context.Context, r StoredRequest) (Stored, error) {
			return StoredOf(chosenOf(storedValues(), r.Chosen), &r, 0), nil
		},
		Forget: func(_ context.Context, r ForgetRequest) (Forgotten, error) {
			return Forgotten{Count: len(chosenOf(storedValues(), r.Chosen))}, nil
		},
		Reload: func(_ context.Context, r ReloadRequest) (Outcome, error) {
			return Outcome{Outcome: Rejected, Generation: len(r.Unguard), Error: "ssh.lua:1: what"}, nil
		},
		Confirm: func(_ context.Context, r ConfirmRequest) (Outcome, error) {
			return Outcome{Outcome: Applied, Error: r.Session}, nil
		},
		Record: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "a recording")
			return err
		},
		Events: NewTail(),
	}
}

// chosenOf returns the chosen ones of values.
func chosenOf(all []engine.Value, c Chosen) []engine.Value {
	return slices.DeleteFunc(all, func(v engine.Value) bool {
		return c.Script != "" && string(c.Script) != v.Script || c.Source.IsValid() && c.Source != v.Source || c.Key != "" && string(c.Key) != v.Key
	})
}

// raw returns a client that speaks HTTP and no more.
func (w *world) raw(t *testing.T) *http.Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// do returns the status and the body of an answer.
func do(t *testing.T, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://sesame"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// knocks returns n events, of packets first and on.
func knocks(first, n int) []engine.Event {
	events := make([]engine.Event, n)
	for i := range events {
		events[i] = engine.Event{Kind: engine.EventStage, Time: noon, Packet: first + i, Door: "ssh", Source: netip.PrefixFrom(tom, 32), Stage: 1, Stages: 3}
	}
	return events
}

var errBroken = errors.New("broken")
