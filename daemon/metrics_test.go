package daemon

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/capture"
	"sesame/daemon/control"
	"sesame/daemon/metrics"
)

// busy returns a daemon whose loop does not answer.
func busy() *daemon {
	d := &daemon{loop: &loop{clock: newClock(), calls: make(chan func()), ended: make(chan struct{})}}
	d.config.Version, d.config.Log = "1.2", hclog.NewNullLogger()
	return d
}

// A scrape waits for a loop that hangs, but not for longer than Prometheus does. Then it gets what
// an earlier one got, and says so.
func TestMetricsOfALoopThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := busy()
		began := time.Now()
		s := d.metrics(t.Context())
		if s.Up || s.Version != "1.2" || !s.Read.IsZero() {
			t.Errorf("got %+v", s)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		synctest.Wait() // until that scrape has given up
		read := time.Now()
		d.looks.metrics.mu.Lock()
		d.looks.metrics.last = metrics.Snapshot{Up: true, Read: read, EngineNow: d.loop.clock.now(), Status: control.Status{Version: "earlier"}}
		d.looks.metrics.mu.Unlock()
		t.Log("# for a second what was read is not read again")
		before := time.Now()
		if s := d.metrics(t.Context()); !s.Up || s.Status.Version != "earlier" || time.Now() != before {
			t.Errorf("got %+v", s)
		}
		<-time.After(metricsAge)
		for range 3 {
			if s := d.metrics(t.Context()); s.Up || s.Status.Version != "earlier" || !s.Read.Equal(read) {
				t.Errorf("got %+v", s)
			}
		}
		t.Log("# whoever is gone waits for nothing")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		before = time.Now()
		if s := d.metrics(gone); s.Up || time.Now() != before {
			t.Errorf("got %+v", s)
		}
		close(d.loop.ended)
	})
}

func TestFaultsOfScrapesAreRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		d := busy()
		d.config.Log = hclog.New(&hclog.LoggerOptions{Output: &text})
		faults := d.scrapeFaults()
		for range 3 {
			for range 1000 {
				faults.Print("two are the same")
			}
			<-time.After(time.Minute)
		}
		if n := strings.Count(text.String(), "[WARN]  two are the same\n"); n != 3 || strings.Count(text.String(), "\n") != 3 {
			t.Errorf("%d lines:\n%s", n, &text)
		}
	})
}

// The port is opened before the network is up. An address that does not come is told.
func TestMetricsAtAnAddressThatNoInterfaceHas(t *testing.T) {
	d := busy()
	d.links = capture.NewLinks(nil, []netip.Prefix{netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("fe80::1/128")})
	for address, want := range map[string]string{
		"":                     "",
		"192.0.2.7:9873":       "",
		"192.0.2.8:9873":       "no interface has the address 192.0.2.8",
		"[::ffff:192.0.2.7]:1": "",
		"[fe80::1%eth0]:9873":  "",
		"[fe80::2%eth0]:9873":  "no interface has the address fe80::2%eth0",
		"127.0.0.77:9873":      "",
		"0.0.0.0:9873":         "",
		"[::ffff:0.0.0.0]:1":   "",
		"[::]:9873":            "",
	} {
		d.config.Metrics = address
		if got := d.metricsElsewhere(); got != want {
			t.Errorf("at %q: %q, want %q", address, got, want)
		}
	}
}

func TestMetricsThatCannotBeServed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	d := busy()
	d.links = capture.NewLinks(nil, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	var log strings.Builder
	d.config.Log = hclog.New(&hclog.LoggerOptions{Output: &log})
	d.openMetrics(t.Context()) // nothing is configured
	must(t, d.serveMetrics(t.Context()))
	d.config.Metrics = taken.Addr().String()
	d.openMetrics(t.Context())
	if d.scrapes != nil || !strings.Contains(d.troubles.text(metricsUnserved), "address already in use") || !strings.Contains(log.String(), "the metrics are not served: address=127.0.0.1:") {
		t.Errorf("trouble %q, log:\n%s", d.troubles.text(metricsUnserved), &log)
	}
	taken.Close()
	d.openMetrics(t.Context())
	if d.scrapes == nil || d.troubles.text(metricsUnserved) != "" {
		t.Fatalf("trouble %q", d.troubles.text(metricsUnserved))
	}
	t.Log("# it ends with the daemon")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.serveMetrics(ctx) }()
	c, err := net.Dial("tcp", d.config.Metrics)
	must(t, err)
	_, err = io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
	must(t, err)
	answer, err := io.ReadAll(c)
	must(t, err)
	if !strings.Contains(string(answer), "port-knocking daemon") {
		t.Errorf("answer:\n%s", answer)
	}
	cancel()
	must(t, <-done)
	if text := d.troubles.text(metricsUnserved); text != "" {
		t.Errorf("trouble %q", text)
	}
	t.Log("# a port that fails is a trouble, and does not end the daemon")
	must(t, d.serveMetrics(t.Context()))
	if text := d.troubles.text(metricsUnserved); !strings.Contains(text, "serving metrics") {
		t.Errorf("trouble %q", text)
	}
}
