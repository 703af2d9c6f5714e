package metrics

import (
	"bytes"
	"compress/gzip"
	"context"
	"log"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// keep is for how long a text is given to all who ask. To write one costs more than to read the
// daemon, and whoever reaches the port sets the pace of scrapes.
const keep = time.Second

// Handler answers with the metrics of Sesame that an audience may read, and those of its process. A
// snapshot is taken for each request; the function returns when the context ends, whatever the
// daemon does. What cannot be given is left out, and written to faults.
func Handler(snapshot func(context.Context) Snapshot, to Audience, faults *log.Logger) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	w := &writer{to: to, process: plain{process, to}, faults: faults}
	return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		s := snapshot(r.Context())
		w.page(&s).serve(answer, r)
	})
}

// plain are the metrics of the process. Time and memory of the process tell how many packets were
// looked at, so only some are for everyone.
type plain struct {
	of prometheus.Gatherer
	to Audience
}

// forEveryone are metrics of the process that no packet moves.
var forEveryone = [...]string{"go_info", "process_max_fds", "process_open_fds", "process_start_time_seconds"}

// Gather implements [prometheus.Gatherer].
func (p plain) Gather() ([]*dto.MetricFamily, error) {
	all, err := p.of.Gather()
	if p.to == Everyone {
		all = slices.DeleteFunc(all, func(f *dto.MetricFamily) bool { return !slices.Contains(forEveryone[:], f.GetName()) })
	}
	return all, err
}

// A writer makes texts of snapshots, one at a time, and keeps the latest one.
type writer struct {
	to      Audience
	process prometheus.Gatherer
	faults  *log.Logger

	mu     sync.Mutex
	latest *page
}

// page returns the text of a snapshot, or that of another one which was taken at nearly its time.
func (w *writer) page(s *Snapshot) *page {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.latest == nil || s.Now.Sub(w.latest.at).Abs() >= keep {
		w.latest = w.write(s)
	}
	return w.latest
}

func (w *writer) write(s *Snapshot) *page {
	ours := prometheus.NewRegistry()
	ours.MustRegister(collector{s, w.to})
	p := &page{at: s.Now, header: http.Header{}, status: http.StatusOK}
	// Without headers of a request the library gives the plain text format, not compressed.
	promhttp.HandlerFor(prometheus.Gatherers{ours, w.process}, promhttp.HandlerOpts{
		ErrorLog: w.faults, ErrorHandling: promhttp.ContinueOnError, DisableCompression: true,
	}).ServeHTTP(p, &http.Request{Header: http.Header{}})
	z := gzip.NewWriter(&p.gzip)
	_, _ = z.Write(p.text.Bytes()) // a buffer takes all
	_ = z.Close()
	return p
}

// A page is a finished answer. It is an [http.ResponseWriter] for the library.
type page struct {
	at         time.Time
	header     http.Header
	status     int
	text, gzip bytes.Buffer
}

// Header implements [http.ResponseWriter].
func (p *page) Header() http.Header { return p.header }

// WriteHeader implements [http.ResponseWriter].
func (p *page) WriteHeader(status int) { p.status = status }

// Write implements [http.ResponseWriter].
func (p *page) Write(b []byte) (int, error) { return p.text.Write(b) }

// serve answers a request with the page. All clients get the same format, whatever they accept.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	body := p.text.Bytes()
	h := w.Header()
	h.Set("Content-Type", p.header.Get("Content-Type"))
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = p.gzip.Bytes()
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body) // an error means that the client is gone
}

func acceptsGzip(r *http.Request) bool {
	return slices.ContainsFunc(strings.Split(r.Header.Get("Accept-Encoding"), ","), func(coding string) bool {
		name, _, limited := strings.Cut(strings.TrimSpace(coding), ";")
		return name == "gzip" && !limited // with a weight it may be refused: the text is always right
	})
}
