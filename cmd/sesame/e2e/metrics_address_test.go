//go:build linux

package e2e

import (
	"os"
	"testing"

	"sesame/daemon/control"
)

// TestRealMetricsAtAnAddressToCome serves metrics at an address of a tunnel that is not up yet. Who
// looks at the daemon is told, and with the address they are there, without a restart.
func TestRealMetricsAtAnAddressToCome(t *testing.T) {
	s := newScraped(t, map[string]string{"ssh.lua": longDoor}, "")
	const address = "192.0.2.99"
	if err := os.WriteFile(s.path("sesame.toml"), []byte("metrics = \""+address+":9873\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	contains(t, s.log(), "[WARN]  nobody reaches the metrics yet: address=192.0.2.99:9873 why=\"no interface has the address 192.0.2.99\"")
	contains(t, s.answer("status"), "health: degraded: metrics-unserved", "the metrics are not served: no interface has the address "+address)
	s.net.Server.Exec("ip", "addr", "add", address+"/32", "dev", "lo")
	s.eventually("nothing is wrong", func() bool { return s.status().Health.Verdict == control.OK })
	text, err := s.get("http://" + address + ":9873/metrics")
	if err != nil {
		t.Fatal(err)
	}
	contains(t, text, "\nsesame_up 1\n")
}
