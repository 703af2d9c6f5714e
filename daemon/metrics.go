package daemon

import (
	"context"
	"log"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"sesame/daemon/control"
	"sesame/daemon/metrics"
)

const (
	// metricsAge is how old the values may be that a scrape gets. However many ask, the loop is
	// asked no more often.
	metricsAge = time.Second
	// metricsPatience is how long a scrape waits for the loop. Prometheus gives up after ten
	// seconds, by default.
	metricsPatience = 3 * time.Second
	// metricsLook is how long scrapes use what was found in files and in the firewall. To look
	// there costs more than all the rest.
	metricsLook = time.Minute
)

// openMetrics opens the port for scrapes of metrics, when the configuration has one. A port that
// cannot be opened is no reason to guard nothing.
func (d *daemon) openMetrics(ctx context.Context) {
	if d.config.Metrics == "" {
		return
	}
	listener, err := metrics.Listen(ctx, d.config.Metrics)
	if d.troubles.set(metricsUnserved, err) {
		d.config.Log.Warn("the metrics are not served", "address", d.config.Metrics, "error", err)
		return
	}
	d.scrapes = listener
	if why := d.metricsElsewhere(); why != "" {
		d.config.Log.Warn("nobody reaches the metrics yet", "address", d.config.Metrics, "why", why)
		return
	}
	d.config.Log.Info("metrics are served", "address", d.config.Metrics)
}

// metricsElsewhere returns why nobody reaches the port for metrics although it is open; "": nothing
// is known against it. It is opened before the network is up, so its address may come yet. Only the
// loop may call it, and the start.
func (d *daemon) metricsElsewhere() string {
	at, err := netip.ParseAddrPort(d.config.Metrics)
	if err != nil || at.Addr().Unmap().IsUnspecified() {
		return ""
	}
	address := at.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(d.links.Addresses(), func(own netip.Prefix) bool { return own.Contains(address) }) {
		return ""
	}
	return "no interface has the address " + at.Addr().String()
}

// metricsHandler answers scrapes.
func (d *daemon) metricsHandler(to metrics.Audience) http.Handler {
	return metrics.Handler(d.metrics, to, d.scrapeFaults())
}

// metricsAudience returns who reads the port.
func (d *daemon) metricsAudience() metrics.Audience {
	if d.config.MetricsProgress {
		return metrics.Trusted
	}
	return metrics.Everyone
}

// scrapeFaults returns the logger for what goes wrong in scrapes. Whoever reaches the port sets
// their pace, so it writes a line a minute.
func (d *daemon) scrapeFaults() *log.Logger {
	return log.New(&rareLines{faults(d.config.Log), rate.NewLimiter(rate.Every(time.Minute), 1), d.loop.clock}, "", 0)
}

// rareLines writes some of the lines that it gets.
type rareLines struct {
	to    *log.Logger
	limit *rate.Limiter
	clock clock
}

// Write implements [io.Writer].
func (r *rareLines) Write(line []byte) (int, error) {
	if r.limit.AllowN(r.clock.now(), 1) {
		r.to.Print(string(line))
	}
	return len(line), nil
}

// serveMetrics answers scrapes until ctx ends.
func (d *daemon) serveMetrics(ctx context.Context) error {
	if d.scrapes == nil {
		return nil
	}
	err := metrics.Serve(ctx, d.scrapes, d.metricsHandler(d.metricsAudience()), d.scrapeFaults())
	if d.troubles.set(metricsUnserved, err) {
		d.config.Log.Warn("the metrics are not served any more", "address", d.config.Metrics, "error", err)
	}
	return nil
}

// metrics returns the values for a scrape. It does not wait for a loop or a disk that hangs: then
// the values are those of an earlier scrape, and say so.
func (d *daemon) metrics(ctx context.Context) metrics.Snapshot {
	s := d.looks.metrics.latest()
	if now := d.loop.clock.now(); !s.Up || now.Sub(s.EngineNow) >= metricsAge {
		fresh := false
		if s, fresh = d.looks.metrics.get(ctx, metricsPatience+2*lookLimit, d.readMetrics); !fresh {
			s.Up = false
		}
	}
	s.Version, s.Now = d.config.Version, d.loop.clock.now().Add(d.loop.wallOffset())
	return s
}

// readMetrics reads all values, or returns the earlier ones when the loop does not answer.
func (d *daemon) readMetrics() metrics.Snapshot {
	ctx, cancel := context.WithTimeout(context.Background(), metricsPatience+2*lookLimit)
	defer cancel()
	s := d.looks.metrics.latest()
	var asked time.Time
	look := func() (firewallLook, fileState) {
		kernel, files := d.lookAgain(ctx)
		asked = d.loop.clock.now()
		return kernel, files
	}
	status, err := d.findings(ctx, look, func() { s.EngineNow = d.loop.clock.now(); d.fillMetrics(&s) })
	if s.Up = err == nil; !s.Up {
		return s
	}
	s.Status, s.Waited, s.Read = status, s.EngineNow.Sub(asked), status.Now
	s.Status.Health = control.HealthOf(&s.Status)
	return s
}

// fillMetrics adds what the status does not have. Only the loop may call it.
func (d *daemon) fillMetrics(s *metrics.Snapshot) {
	s.Doors, s.Work = d.loop.engine.Totals(s.EngineNow), d.loop.runner.Work()
	s.Failed, s.Reloads = maps.Clone(d.loop.report.failedBy), maps.Clone(d.reloader.outcomes)
	s.Attempts, s.Grants = d.config.Limits.Attempts, d.config.Limits.Grants
}

// lookAgain is lookNow, unless that was done a short while ago.
func (d *daemon) lookAgain(ctx context.Context) (firewallLook, fileState) {
	kernel, files := d.looks.firewall.latest(), d.looks.files.latest()
	if since := d.loop.clock.now().Add(-metricsLook); kernel.at.After(since) && files.at.After(since) {
		return kernel, files
	}
	return d.lookNow(ctx)
}

// countOutcome counts a reload. Only the loop may call it.
func (r *reloader) countOutcome(o control.ReloadOutcome) {
	if r.outcomes == nil {
		r.outcomes = map[control.ReloadOutcome]int{}
	}
	r.outcomes[o]++
}
