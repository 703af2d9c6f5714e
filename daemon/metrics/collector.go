package metrics

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// A collector gives the values of a snapshot that an audience may read.
type collector struct {
	of *Snapshot
	to Audience
}

// tells reports whether an audience gets a metric.
func (f *family) tells(to Audience) bool { return to == Trusted || f.progress == no }

// Describe implements [prometheus.Collector].
func (c collector) Describe(described chan<- *prometheus.Desc) {
	for _, g := range groups() {
		for _, f := range g.families {
			if f.tells(c.to) {
				described <- f.description()
			}
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
			if f.tells(c.to) && (f.always || !c.of.Read.IsZero()) {
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
// written as in a Lua string, and so is a backslash that would look like one of them. A long name
// is cut, and ends with a hash of the whole. So two names never become the same label.
func label(name string) string {
	end := fmt.Sprintf("…%.4x", sha256.Sum256([]byte(name)))
	var b strings.Builder
	fits := 0 // bytes of a label that is cut
	for rest := name; rest != "" && b.Len() <= maxLabel; {
		r, size := utf8.DecodeRuneInString(rest)
		if r == utf8.RuneError && size == 1 || strings.HasPrefix(rest, `\x`) {
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		} else {
			b.WriteString(rest[:size])
		}
		if b.Len() <= maxLabel-len(end) {
			fits = b.Len()
		}
		rest = rest[size:]
	}
	if b.Len() <= maxLabel {
		return b.String()
	}
	return b.String()[:fits] + end
}
