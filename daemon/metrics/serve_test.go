package metrics

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is longer than anything takes here.
const patience = 20 * time.Second

// serving serves metrics until the test ends, and returns the address.
func serving(t *testing.T, metrics http.HandlerFunc) (address string, stop func()) {
	t.Helper()
	ignore := goleak.IgnoreCurrent()
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, metrics, log.New(io.Discard, "", 0)) }()
	var stopped atomic.Bool
	stop = func() {
		if cancel(); stopped.CompareAndSwap(false, true) {
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		}
	}
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
		goleak.VerifyNone(t, ignore)
	})
	return listener.Addr().String(), stop
}

func words(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics") }

func TestWhatIsServed(t *testing.T) {
	address, _ := serving(t, words)
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/metrics", "", 200, "metrics"},
		{"GET", "/metrics?collect=all", "", 200, "metrics"},
		{"HEAD", "/metrics", "", 200, ""},
		{"GET", "/", "", 200, welcome},
		{"POST", "/metrics", "x", 405, "Method Not Allowed\n"},
		{"DELETE", "/metrics", "", 405, "Method Not Allowed\n"},
		{"GET", "/metrics/", "", 404, "404 page not found\n"},
		{"GET", "/debug/pprof/", "", 404, "404 page not found\n"},
		{"GET", "/v1/status", "", 404, "404 page not found\n"},
		{"POST", "/v1/grant", "{}", 404, "404 page not found\n"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+address+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != tt.status || string(body) != tt.want || err != nil {
			t.Errorf("%s %s: %d %q, %v; want %d %q", tt.method, tt.path, answer.StatusCode, body, err, tt.status, tt.want)
		}
		if got := answer.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s %s: X-Content-Type-Options %q", tt.method, tt.path, got)
		}
		if !answer.Close { // idle connections would hold the places of others
			t.Errorf("%s %s: the connection goes on", tt.method, tt.path)
		}
	}
}

// A page in a browser can give its own name the address 127.0.0.1.
func TestNamesOfOthersAreRefused(t *testing.T) {
	address, _ := serving(t, words)
	for host, want := range map[string]int{
		address: 200, "127.0.0.1": 200, "[::1]:9873": 200, "[::1]": 200, "[fe80::1%eth0]:9873": 200, "localhost:9873": 200, "localhost": 200, "192.0.2.1:80": 200,
		"evil.example:9873": 421, "evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:9873": 421,
	} {
		for _, path := range []string{"/metrics", "/"} {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil || answer.StatusCode != want {
				t.Errorf("%s, host %q: %v, %v; want %d", path, host, answer, err, want)
			}
			c.Close()
		}
	}
}

func TestLongHeadersAreRefused(t *testing.T) {
	address, _ := serving(t, words)
	request, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/metrics", nil)
	request.Header.Set("X", strings.Repeat("x", 1<<20))
	answer, err := http.DefaultClient.Do(request)
	if err == nil {
		answer.Body.Close()
	}
	if err == nil && answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", answer.StatusCode)
	}
}

// However many connect, a few are served at once, and the others when their turn comes.
func TestConnectionsAreBounded(t *testing.T) {
	var running, most atomic.Int32
	goOn := make(chan struct{})
	arrived := make(chan struct{}, 100)
	address, _ := serving(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), running.Add(1)))
		arrived <- struct{}{}
		<-goOn
		running.Add(-1)
		words(w, r)
	})
	const clients = 3 * maxConnections
	answers := make(chan error, clients)
	for range clients {
		go func() {
			transport := &http.Transport{DisableKeepAlives: true}
			answer, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://" + address + "/metrics")
			if err == nil {
				answer.Body.Close()
			}
			answers <- err
		}()
	}
	for range maxConnections {
		<-arrived
	}
	close(goOn)
	for range clients {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if n := most.Load(); n > maxConnections {
		t.Errorf("%d were served at once", n)
	}
}

// A client that does not read, and one that sends nothing, do not hold up the end.
func TestTheEndWaitsForNobody(t *testing.T) {
	began := make(chan struct{})
	address, stop := serving(t, func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
	})
	silent, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	slow, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if _, err := io.WriteString(slow, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-began
	stop()
	for _, c := range []net.Conn{silent, slow} {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := bufio.NewReader(c).ReadString(0); errors.Is(err, context.DeadlineExceeded) {
			t.Error("the connection is still open")
		}
	}
}

func TestListen(t *testing.T) {
	first, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := Listen(t.Context(), first.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listening for scrapes of metrics: listen tcp 127.0.0.1:") {
		t.Errorf("a port that is in use: %v", err)
	}
	if err := explained(syscall.EACCES); !errors.Is(err, syscall.EACCES) || !strings.HasSuffix(err.Error(), "permission denied: a port below 1024 takes CAP_NET_BIND_SERVICE, which the daemon does not have: name one from 1024") {
		t.Errorf("a port of root: %v", err)
	}
	if _, err := Listen(t.Context(), "[fe80::1%nosuch]:0"); !errors.Is(err, syscall.EINVAL) || !strings.HasSuffix(err.Error(), "invalid argument: is there an interface with that name?") {
		t.Errorf("an interface that is not there: %v", err)
	}
	for _, address := range []string{"192.0.2.7:0", "[2001:db8::7]:0"} { // which no interface has
		early, err := Listen(t.Context(), address)
		if err != nil {
			t.Error(err)
			continue
		}
		early.Close()
	}
}

func TestAListenerThatFails(t *testing.T) {
	listener, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := Serve(t.Context(), listener, http.HandlerFunc(words), log.New(io.Discard, "", 0)); err == nil || !strings.HasPrefix(err.Error(), "serving metrics: ") {
		t.Errorf("got %v", err)
	}
}
