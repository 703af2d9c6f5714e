package condition

import (
	"net/netip"

	"sesame/daemon/engine"
)

// Entries returns what a condition lists, each as text, such as "ES" or "203.0.113.0/24". The text
// of a condition may show only the first of them. Files are listed by their names. nil: a condition
// of this kind lists nothing.
func Entries(c engine.Condition) []string {
	switch c := c.(type) {
	case *countries:
		return c.codes
	case *continents:
		return c.names
	case *systems:
		return texts(c.numbers, asn.String)
	case *networks:
		return append(texts(c.prefixes, netip.Prefix.String), texts(c.files, func(f *networkList) string { return f.name })...)
	case *hosts:
		return texts(c.hosts, func(h Host) string { return h.Name })
	}
	return nil
}

func texts[T any](items []T, text func(T) string) []string {
	all := make([]string, len(items))
	for i, item := range items {
		all[i] = text(item)
	}
	return all
}
