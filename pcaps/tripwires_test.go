package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTripwiresLetClientsIn replays what real clients sent: knock, nmap and a browser. As many
// tripwires as a set can have do not disturb them, and a few stop the scan that opens classic.lua.
func TestTripwiresLetClientsIn(t *testing.T) {
	for _, test := range []struct {
		script, before, after string
		opens                 map[string]bool // by capture
	}{
		{"ssh.lua", `ttl      = "30s",`, `ttl = "30s", tripwires = 1000,`, map[string]bool{
			"ssh-opens.pcap": true, "ssh-ipv6.pcapng": true, "ssh-browser.pcap.gz": true, "ssh-scan.pcap.zst": false}},
		{"classic.lua", `tripwires = 0,`, "", map[string]bool{
			"classic-opens.pcapng.gz": true, "classic-nmap.pcap": true, "classic-scan.pcap": false}},
	} {
		text, err := os.ReadFile(filepath.Join("..", "scripts", test.script))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.ReplaceAll(string(text), test.before, test.after)
		if changed == string(text) {
			t.Fatalf("%s lacks %q", test.script, test.before)
		}
		path := filepath.Join(t.TempDir(), test.script)
		write(t, path, []byte(changed))
		for capture, want := range test.opens {
			got, err := runSesame(t.Context(), "simulate", "-s", path, "--format", "jsonl", filepath.Join("pcaps", capture))
			if err != nil {
				t.Fatal(err)
			}
			if opens := bytes.Contains(got, []byte(`"event":"open"`)); opens != want {
				t.Errorf("%s with other tripwires, %s: opens: %v, want %v\n%s", test.script, capture, opens, want, got)
			}
		}
	}
}
