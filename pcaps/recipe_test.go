package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A command of README.md is split as a shell splits it.
func TestFields(t *testing.T) {
	want := []string{"simulate", "--fact", "203.0.113.9 country=ES", "pcaps/a.pcap"}
	if diff := cmp.Diff(want, fields(`simulate  --fact "203.0.113.9 country=ES" pcaps/a.pcap`+"\n")); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}
