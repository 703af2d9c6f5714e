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

// TestRealCheckOfWhatPasses has a container engine, and SYN cookies that are always on. Comments
// accept both findings, also where the machine is not looked at.
func TestRealCheckOfWhatPasses(t *testing.T) {
	const door = `sesame.door "web" { sequence = { 7421, "udp/9133", 2904, 6117 }, guards = "tcp/80" }`
	w := newWorld(t, map[string]string{"doors.lua": door})
	w.net.Server.Exec("sysctl", "-q", "-w", "net.ipv4.tcp_syncookies=2")
	for _, rule := range []string{
		"-N DOCKER", "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
		"-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
	} {
		w.net.Server.Exec("sh", "-c", "iptables-nft -t nat "+rule)
	}
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, []byte("scripts = \"scripts\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := w.runOn(w.net.Server, "sesame", "check", "-c", config).stdout
	for _, text := range []string{
		"doors.lua:1: guards-nothing: nothing of this machine listens on tcp/80, and a container that does is reached as tcp/8080: the guard of tcp/80 guards nothing\n",
		"    guard tcp/8080: the guard sees a packet before its port is translated\n",
		"doors.lua:1: syn-cookies: this machine answers every SYN with a cookie (net.ipv4.tcp_syncookies = 2)",
		"sysctl -w net.ipv4.tcp_syncookies=1",
		"1 file, 1 door, 2 findings",
	} {
		if !strings.Contains(out, text) {
			t.Errorf("the check lacks %q:\n%s", text, out)
		}
	}
	w.write("doors.lua", "-- sesame:allow guards-nothing the container is to come\n-- sesame:allow syn-cookies known\n"+door)
	for _, argv := range [][]string{{"sesame", "check", "-c", config}, {"sesame", "check", "-s", w.scripts}} {
		if out := w.runOn(w.net.Server, argv...).stdout; !strings.Contains(out, "1 file, 1 door, 0 findings") {
			t.Errorf("%v with comments that allow the findings:\n%s", argv, out)
		}
	}
}
