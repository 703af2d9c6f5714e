//go:build linux

package main

import (
	"fmt"
	"strings"

	"sesame/daemon/control"
)

// databaseList describes the databases in force.
func databaseList(s *control.Status) string {
	var texts []string
	for _, d := range s.Geo.Databases {
		if d.Name == "" {
			continue
		}
		text := d.Name
		if !d.Built.IsZero() {
			text += ", " + control.Days(s.Now.Sub(d.Built)) + " old"
		}
		texts = append(texts, fmt.Sprintf("%s (%s, sha256 %s)", text, d.Has, d.SHA256[:min(12, len(d.SHA256))]))
	}
	return strings.Join(texts, "; ")
}

// hostList describes the names of hosts.
func hostList(s *control.Status) string {
	var texts []string
	for _, h := range s.Hosts {
		switch {
		case h.Age != nil:
			texts = append(texts, fmt.Sprintf("%s (%s, %s ago)", h.Name, countOfAddresses(len(h.Addresses)), h.AgeText()))
		default:
			texts = append(texts, h.Name+" (not known)")
		}
	}
	return strings.Join(texts, "; ")
}

func countOfAddresses(n int) string {
	if n == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", n)
}
