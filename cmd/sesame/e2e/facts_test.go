//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/daemon/geo/geotest"
	"sesame/daemon/livetest"
)

// byCountry is a door for Spain, and a listener that writes down all that is known of a source.
const byCountry = `
local spain = sesame.country { "ES" }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22", ttl = "10m", when = spain }
sesame.listen "where" { on = "udp/9", on_knock = function(knock) knock:log("in", knock.country or "nowhere", knock.asn or 0) end }`

// database writes a database in which the client is in a country, as programs that fetch databases
// do.
func (w *world) database(country string) {
	w.Helper()
	text := geotest.Countries(w, map[string]string{livetest.Client4.Masked().String(): country, livetest.Client6.Masked().String(): country})
	if err := os.WriteFile(w.path("aside.mmdb"), text, 0o644); err != nil {
		w.Fatal(err)
	}
	if err := os.Rename(w.path("aside.mmdb"), w.path("country.mmdb")); err != nil {
		w.Fatal(err)
	}
}

func (w *world) geoStatus() control.Geo { return w.status().Geo }

// TestRealCountry opens a door by the country of the source. The database is exchanged under
// knocks, of which none is lost, and a broken one changes nothing. What was recorded is replayed
// without any database, in another time zone.
func TestRealCountry(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": byCountry})
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, []byte("[geo]\ndatabases = [\"country.mmdb\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.start()
	contains(t, w.answer("status"), "wrong: database: "+w.path("country.mmdb")+" does not exist")
	w.knock(sshKnocks...)
	w.shut(ssh4)

	t.Log("# the database comes")
	w.database("ES")
	w.eventually("the database is in force", func() bool { return len(w.geoStatus().Databases) > 0 && w.geoStatus().Databases[0].Wrong == "" })
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.knockAt(server6, sshKnocks...)
	w.opens(ssh6)
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)

	t.Log("# another takes its place while people knock")
	hash := w.geoStatus().Databases[0].SHA256
	before := w.status().Counts
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	sent := make(chan int, 1)
	go func() {
		n, _, _ := w.net.Client.Send(ctx, livetest.Flood(1<<30, livetest.Source4, 250, "udp/9"), 500)
		sent <- n
	}()
	w.database("FR")
	w.eventually("the newer one is in force", func() bool { return w.geoStatus().Databases[0].SHA256 != hash })
	cancel()
	n := <-sent
	w.eventually("all are received", func() bool { return w.status().Counts.Knocks >= before.Knocks+n })
	if got := w.status(); got.Counts.Knocks != before.Knocks+n || got.Capture.Lost != 0 {
		t.Errorf("%d knocks were sent, %d received, %d lost", n, got.Counts.Knocks-before.Knocks, got.Capture.Lost)
	}
	if len(w.grants()) != 1 {
		t.Errorf("%d grants: expected that of IPv6, which stays", len(w.grants()))
	}
	w.knock(sshKnocks...)
	w.eventually("the refusal is reported", func() bool { return strings.Contains(w.transcript(), `"condition":"spain","country":"FR"`) })
	w.shut(ssh4)

	t.Log("# a broken one")
	if err := os.Truncate(w.path("country.mmdb"), 100); err != nil {
		t.Fatal(err)
	}
	w.eventually("it is reported", func() bool { return w.hasReason("database-broken") })
	contains(t, w.answer("status"), "country.mmdb: it is not", "GeoLite2-Country, 2026-11-20 stays in force")

	t.Log("# elsewhere, without a database, and in another time zone")
	live, recording := w.recorded()
	if err := os.Remove(w.path("country.mmdb")); err != nil {
		t.Fatal(err)
	}
	replayed := runIn(t, []string{"TZ=Pacific/Auckland"}, "simulate", "--format", "jsonl", recording)
	if withoutSummary(replayed) != live {
		t.Errorf("the transcripts differ:\n%s\nreplayed:\n%s", live, replayed)
	}
	contains(t, w.answer("explain", "203.0.113.9"), "is in FR (GeoLite2-Country, 2026-11-20)")
	var first struct{ Reason, Detail string }
	for line := range strings.Lines(live) {
		if strings.Contains(line, `"refuse"`) {
			if err := json.Unmarshal([]byte(line), &first); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if first.Reason != "no_data" {
		t.Errorf("the first refusal: %+v", first)
	}
}

// runIn runs the program to its end in an environment of its own, and returns what it wrote.
func runIn(t *testing.T, environment []string, args ...string) string {
	t.Helper()
	e := runWith(t, environment, args...)
	if e.status != done {
		t.Fatal(fmt.Sprint(args), e.status, e.stderr)
	}
	return e.stdout
}

// TestRealHosts opens a door for a name, whose addresses are in the daemon's /etc/hosts.
func TestRealHosts(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": `
local home = sesame.hosts { "home.example.net", "gone.example.net", every = "10s" }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904" }, guards = "tcp/22", ttl = "10m", when = home }`})
	hosts := w.path("hosts")
	if err := os.WriteFile(hosts, []byte("203.0.113.9 home.example.net\n2001:db8:9::77 home.example.net\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const mount = `mount --bind "$1" /etc/hosts && shift && exec "$@"`
	w.within = []string{"unshare", "--mount", "/bin/sh", "-c", mount, "sh", hosts}
	w.start()
	w.eventually("the name has its addresses", func() bool {
		for _, h := range w.status().Hosts {
			if h.Name == "home.example.net" && len(h.Addresses) == 2 {
				return true
			}
		}
		return false
	})
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.knockAt(server6, sshKnocks...)
	w.eventually("the refusal is reported", func() bool { return strings.Contains(w.transcript(), `"refuse"`) })
	w.shut(ssh6)
	contains(t, w.answer("status"), "home.example.net (2 addresses, ")
	live, recording := w.recorded()
	if replayed := w.answerOffline("simulate", "--format", "jsonl", recording); withoutSummary(replayed) != live {
		t.Errorf("the transcripts differ:\n%s\nreplayed:\n%s", live, replayed)
	}
}
