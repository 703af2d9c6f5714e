package metrics

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"
)

// Bounds of those who ask. More connections wait in the kernel's queue.
const (
	maxConnections = 32
	maxHeader      = 8 << 10 // bytes

	forRequest = 5 * time.Second
	forAnswer  = 30 * time.Second // until the client has read it
	forEnd     = time.Second      // for requests that run when the daemon ends
)

// Listen opens the TCP address at which metrics are served. The address need not be there yet: at
// boot the daemon starts before the network is up.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	early := func(network, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			// Without it, an address that is not there is an error, which says enough.
			if network == "tcp6" {
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
				return
			}
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
		})
	}
	listener, err := (&net.ListenConfig{Control: early}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, explained(err)
	}
	return listener, nil
}

func explained(err error) error {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listening for scrapes of metrics: %w: a port below 1024 takes CAP_NET_BIND_SERVICE, which the daemon does not have: name one from 1024", err)
	case errors.Is(err, syscall.EINVAL): // of an address of one link
		return fmt.Errorf("listening for scrapes of metrics: %w: is there an interface with that name?", err)
	}
	return fmt.Errorf("listening for scrapes of metrics: %w", err)
}

// Serve answers GET /metrics until ctx ends, and then closes the listener. Errors of connections
// are written to faults.
func Serve(ctx context.Context, listener net.Listener, metrics http.Handler, faults *log.Logger) error {
	server := &http.Server{
		Handler:        routes(metrics),
		ReadTimeout:    forRequest,
		WriteTimeout:   forAnswer,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       faults,
		BaseContext:    func(net.Listener) context.Context { return ctx },
	}
	// A connection is for one request, or else a few idle ones would hold all places.
	server.SetKeepAlivesEnabled(false)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), forEnd)
		defer cancel()
		if server.Shutdown(shutdown) != nil {
			_ = server.Close() // the rest are clients that do not read their answer
		}
	})
	err := server.Serve(netutil.LimitListener(listener, maxConnections))
	if stop() {
		_ = server.Close()
		return fmt.Errorf("serving metrics: %w", err)
	}
	<-ended
	return nil
}

const welcome = `This is Sesame, a port-knocking daemon. Its metrics for Prometheus are at /metrics.
`

// routes returns what is served: nothing but the metrics, and a word about where they are.
func routes(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(welcome)) // an error means that the client is gone
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if !addressed(r.Host) {
			http.Error(w, "expected an IP address or localhost as the host of the URL", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// addressed reports whether a Host header has an address, localhost or nothing. A page in a browser
// of this machine can make a name of its own mean 127.0.0.1, and would then read what is here.
func addressed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || host == "localhost" || host == ""
}
