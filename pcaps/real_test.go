package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRealClients records some captures again, with real clients and two real network stacks. The
// decisions must be those of the shipped transcripts, so they do not depend on the time stamps,
// ports and sequence numbers of one recording.
func TestRealClients(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for network namespaces")
	}
	for _, tool := range []string{"ip", "tcpdump", "knock", "nmap"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: see .ci/install", tool)
		}
	}
	for _, r := range shipped(t) {
		if !slices.Contains([]string{"ssh-opens.pcap", "ssh-ipv6.pcapng", "classic-nmap.pcap", "service-refused.pcap", "two-person-opens.pcap"}, r.name) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), r.name)
			if err := r.make(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(r.golden())
			if err != nil {
				t.Fatal(err)
			}
			r.simulate[len(r.simulate)-1] = path
			if diff := cmp.Diff(decisions(t, want), decisions(t, replay(t, r))); diff != "" {
				t.Errorf("decisions (-shipped +recorded now):\n%s", diff)
			}
		})
	}
}

// decisions returns the events of a transcript, without the keys that differ between two recordings
// of the same client.
func decisions(t *testing.T, transcript []byte) (events []map[string]any) {
	t.Helper()
	for line := range strings.Lines(string(transcript)) {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		for _, key := range []string{"time", "packet", "packets", "dropped", "sha256"} {
			delete(event, key)
		}
		events = append(events, event)
	}
	return events
}
