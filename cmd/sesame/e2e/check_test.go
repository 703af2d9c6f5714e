//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"
)

// Only a configuration of this machine is checked on it: the one host has a
// service where one knocks, and takes ports for its own connections.
func TestRealCheckOfTheMachine(t *testing.T) {
	w := newWorld(t, map[string]string{
		"doors.lua": `sesame.door "web" { sequence = { 7421, 22, "udp/40000", 55000 }, guards = "tcp/443" }`,
	})
	w.net.Server.Exec("sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=32768 60999", "net.ipv4.ip_local_reserved_ports=")
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, []byte("scripts = \"scripts\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := w.runOn(w.net.Server, "sesame", "check", "-c", config).stdout
	for _, text := range []string{
		"doors.lua:1: listening: this machine has a service on tcp/22: whoever connects to it knocks",
		"doors.lua:1: ephemeral: this machine takes udp/40000 for connections of its own (32768-60999)", // and not tcp/55000
		"ip_local_reserved_ports=40000\n",
		"1 file, 1 door, 2 findings",
	} {
		if !strings.Contains(here, text) {
			t.Errorf("the check lacks %q:\n%s", text, here)
		}
	}
	if elsewhere := w.runOn(w.net.Server, "sesame", "check", "-s", w.scripts).stdout; !strings.Contains(elsewhere, "0 findings") {
		t.Errorf("scripts that are looked at anywhere have findings of this machine:\n%s", elsewhere)
	}
}
