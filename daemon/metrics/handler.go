package metrics

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers with the metrics of Sesame, and those of its process: process_* and go_*. The
// snapshot is taken once for each request; the function returns when the context ends, whatever the
// daemon does. What cannot be given is left out, and written to faults.
func Handler(snapshot func(context.Context) Snapshot, faults *log.Logger) http.Handler {
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	options := promhttp.HandlerOpts{ErrorLog: faults, ErrorHandling: promhttp.ContinueOnError}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := snapshot(r.Context())
		ours := prometheus.NewRegistry()
		ours.MustRegister(collector{&s})
		promhttp.HandlerFor(prometheus.Gatherers{ours, process}, options).ServeHTTP(&answer{ResponseWriter: w}, r)
	})
}

// An answer bears a client that is gone. The library would write a line for each metric to faults,
// and whoever reaches the port can go as often as he likes.
type answer struct {
	http.ResponseWriter
	gone bool
}

// Write implements [http.ResponseWriter].
func (a *answer) Write(b []byte) (int, error) {
	if !a.gone {
		_, err := a.ResponseWriter.Write(b)
		a.gone = err != nil
	}
	return len(b), nil
}

// A collector gives the values of a snapshot.
type collector struct{ of *Snapshot }

// Describe implements [prometheus.Collector].
func (c collector) Describe(described chan<- *prometheus.Desc) {
	for _, g := range groups() {
		for _, f := range g.families {
			described <- f.description()
		}
	}
}

func (f *family) description() *prometheus.Desc {
	return prometheus.NewDesc(f.name, f.help, f.labels, nil)
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(values chan<- prometheus.Metric) {
	for _, g := range groups() {
		for _, f := range g.families {
			if f.always || !c.of.Read.IsZero() {
				c.collect(&f, values)
			}
		}
	}
}

func (c collector) collect(f *family, values chan<- prometheus.Metric) {
	kind, description := prometheus.GaugeValue, f.description()
	if f.kind == counter {
		kind = prometheus.CounterValue
	}
	f.values(c.of, func(value float64, labels ...string) {
		texts := make([]string, len(labels))
		for i, l := range labels {
			texts[i] = label(l)
		}
		m, err := prometheus.NewConstMetric(description, kind, value, texts...)
		if err != nil {
			m = prometheus.NewInvalidMetric(description, err)
		}
		values <- m
	})
}

// maxLabel bounds a label, in bytes. Prometheus has no bound by default, but those who run it set
// some, and then lose a whole scrape because of one label.
const maxLabel = 128

// label returns a name as a label: Prometheus takes only valid UTF-8. Bytes that are none are
// written as in a Lua string, and a long name is cut.
func label(name string) string {
	var b strings.Builder
	fits := 0 // bytes of a label that is cut
	for rest := name; rest != "" && b.Len() <= maxLabel; {
		r, size := utf8.DecodeRuneInString(rest)
		if r == utf8.RuneError && size == 1 {
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		} else {
			b.WriteString(rest[:size])
		}
		if b.Len() <= maxLabel-len("…") {
			fits = b.Len()
		}
		rest = rest[size:]
	}
	if b.Len() <= maxLabel {
		return b.String()
	}
	return b.String()[:fits] + "…"
}
