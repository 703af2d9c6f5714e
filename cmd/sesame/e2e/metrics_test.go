//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/metrics"
)

const metricsAddress = "127.0.0.1:9873"

// A scraped daemon has a port for metrics.
type scraped struct {
	*world
	http *http.Client // in the network of the daemon
}

// newScraped returns a world whose daemon serves metrics. The rest of its configuration is more.
func newScraped(t *testing.T, files map[string]string, more string) *scraped {
	w := newWorld(t, files)
	s := &scraped{w, &http.Client{Timeout: patience}}
	transport := &http.Transport{DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
		return w.net.Server.Dial(network, address, patience)
	}}
	s.http.Transport = transport
	t.Cleanup(transport.CloseIdleConnections)
	if err := os.WriteFile(w.path("sesame.toml"), []byte("metrics = \""+metricsAddress+"\"\n"+more), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", w.path("sesame.toml")}
	return s
}

// get returns the answer to a request.
func (s *scraped) get(address string) (string, error) {
	answer, err := s.http.Get(address)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s: %s", answer.Status, text)
	}
	return string(text), err
}

// value returns the text of a metric with its labels.
func (s *scraped) value(series string) string {
	s.Helper()
	text, err := s.get("http://" + metricsAddress + "/metrics")
	if err != nil {
		s.Fatal(err)
	}
	_, rest, found := strings.Cut(text, "\n"+series+" ")
	if !found {
		return "none"
	}
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// has waits until a metric has a value. Scrapes in one second get the same.
func (s *scraped) has(series, value string) {
	s.Helper()
	s.eventually(series+" is "+value, func() bool { return s.value(series) == value })
}

// countedDoors are doors of many kinds.
const countedDoors = longDoor + `
sesame.door "once" { sequence = { "udp/501" }, guards = "tcp/80", limit = "1/h", mode = "observe" }
sesame.door "broken" { sequence = { "udp/502" }, on_open = function(attempt) error("on purpose") end }
sesame.door "shut" { sequence = { "udp/503" }, guards = "tcp/443", when = { sesame.networks { "192.0.2.0/24" } } }
local fails = sesame.command { "/bin/false" }
sesame.door "runs" { sequence = { "udp/504" }, on_open = function(attempt) attempt:exec(fails) end }
`

// Each query of the dashboard and each alert rule runs in a real Prometheus that scrapes a real
// daemon, and knows all metrics that they name.
func TestRealPrometheus(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("prometheus is not installed: apt-get install prometheus")
	}
	s := newScraped(t, map[string]string{"doors.lua": countedDoors}, "metrics_progress = true\n[geo]\ndatabases = [\"country.mmdb\"]\n")
	s.database("ES")
	s.start()
	p := s.startPrometheus()
	p.wants("sesame_up", "1") // so that the knocks are an increase
	s.knock(sshKnocks...)
	s.knock("udp/501", "udp/501", "udp/502", "udp/503", "udp/504")
	p.wants(`sesame_door_opens_total{door="ssh"}`, "1")
	p.wants(`sum by (door) (sesame_door_refusals_total) > 0`, "1, 1, 1") // once, broken and shut
	p.wants(`sesame_door_refusals_total{door="once", reason="limit"}`, "1")
	p.wants(`sesame_grants{by="door"}`, "1")
	p.wants(`sesame_door_observed{door="once"}`, "1")
	p.wants(`sesame_commands_total{kind="command", result="failed"}`, "1")
	p.wants(`sesame_health{verdict="degraded"}`, "1") // the command fails
	p.wants(`sesame_script_errors_total`, "1")
	p.wants(`up{job="sesame"}`, "1")

	t.Log("# all queries, once there are some scrapes")
	p.wants("count_over_time(sesame_up[1m]) > bool 2", "1")
	known := map[string]bool{"sesame": true}
	for _, f := range metrics.Families() {
		known[f.Name] = true
	}
	queries := dashboardQueries(t)
	if len(queries) < 30 {
		t.Fatalf("the dashboard has %d queries", len(queries))
	}
	empty := 0
	for _, q := range queries {
		result, err := p.query(q)
		if err != nil {
			t.Errorf("%s: %v", q, err)
		}
		if len(result) == 0 {
			t.Logf("no result: %s", q)
			empty++
		}
		for _, name := range regexp.MustCompile(`\bsesame_\w+`).FindAllString(q, -1) {
			if !known[name] {
				t.Errorf("%s: there is no metric %s", q, name)
			}
		}
	}
	if empty > 6 { // of what has not happened, such as commands that hang
		t.Errorf("%d of %d queries have no result", empty, len(queries))
	}

	t.Log("# all rules")
	p.rulesRun()

	t.Log("# the daemon is gone")
	s.kill()
	p.wants(`up{job="sesame"}`, "0")
}

// A prometheus is a server that scrapes the daemon each second.
type prometheus struct {
	*scraped
	at string
}

func (s *scraped) startPrometheus() *prometheus {
	s.Helper()
	alerts, err := os.ReadFile("../../../docs/monitoring/alerts.yml")
	if err != nil {
		s.Fatal(err)
	}
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [alerts.yml]\n" +
		"scrape_configs: [{job_name: sesame, static_configs: [{targets: [\"" + metricsAddress + "\"]}]}]\n"
	for name, text := range map[string][]byte{"alerts.yml": alerts, "prometheus.yml": []byte(config)} {
		if err := os.WriteFile(s.path(name), text, 0o644); err != nil {
			s.Fatal(err)
		}
	}
	p := &prometheus{s, "127.0.0.1:9090"}
	log, err := os.Create(s.path("prometheus.log"))
	if err != nil {
		s.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file="+s.path("prometheus.yml"), "--storage.tsdb.path="+s.path("tsdb"), "--web.listen-address="+p.at)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.dir
	s.net.Server.Start(cmd)
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	s.Cleanup(func() {
		_ = cmd.Process.Kill() // most often it has ended
		<-exited
		text, _ := os.ReadFile(log.Name())
		if log.Close(); s.Failed() {
			s.Logf("log of Prometheus:\n%s", text)
		}
	})
	s.eventually("Prometheus is ready", func() bool { _, err := s.get("http://" + p.at + "/-/ready"); return err == nil })
	return p
}

// query returns the values of the result of a query.
func (p *prometheus) query(expression string) ([]string, error) {
	text, err := p.get("http://" + p.at + "/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, err
	}
	var values []string
	for _, r := range answer.Data.Result {
		values = append(values, fmt.Sprint(r.Value[1]))
	}
	return values, nil
}

// wants waits until a query has this result.
func (p *prometheus) wants(expression, result string) {
	p.Helper()
	p.eventually(expression+" is "+result, func() bool {
		values, err := p.query(expression)
		return err == nil && strings.Join(values, ", ") == result
	})
}

// rulesRun waits until each rule was evaluated without an error.
func (p *prometheus) rulesRun() {
	p.Helper()
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	p.eventually("all rules were evaluated", func() bool {
		text, err := p.get("http://" + p.at + "/api/v1/rules")
		if err != nil || json.Unmarshal([]byte(text), &answer) != nil || len(answer.Data.Groups) != 1 {
			return false
		}
		for _, r := range answer.Data.Groups[0].Rules {
			if r.Health == "err" {
				p.Fatalf("rule %s: %s", r.Name, r.LastError)
			}
			if r.Health != "ok" {
				return false
			}
		}
		return len(answer.Data.Groups[0].Rules) > 10
	})
}

// dashboardQueries returns all queries of the dashboard, as Grafana would send them for all
// instances and doors.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var page any
	if err := json.Unmarshal(text, &page); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$instance", ".*", "$door", ".*", "$__rate_interval", "1m")
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			for key, value := range node {
				if query, ok := value.(string); ok && key == "expr" {
					all = append(all, fill.Replace(query))
				}
				walk(value)
			}
		case []any:
			for _, value := range node {
				walk(value)
			}
		}
	}
	walk(page)
	slices.Sort(all)
	return all
}

// Counters survive a reload, and begin anew with the daemon; grants that it restores are live. The
// port belongs to a confined daemon.
func TestRealMetrics(t *testing.T) {
	s := newScraped(t, map[string]string{"ssh.lua": longDoor}, "")
	s.start()
	contains(t, s.answer("status"), "health: ok", "confined   files (Landlock ")
	s.has(`sesame_door_opens_total{door="ssh"}`, "0")
	s.knock(sshKnocks...)
	s.opens(ssh4)
	s.answer("grant", "192.0.2.0/24", "tcp/22", "10m")
	s.has(`sesame_door_opens_total{door="ssh"}`, "1")
	s.has(`sesame_grants{by="door"}`, "1")
	s.has(`sesame_grants{by="person"}`, "1")
	s.has(`sesame_person_grants_total`, "1")

	t.Log("# a reload")
	s.write("ssh.lua", strings.Replace(longDoor, "2904", "2905", 1))
	s.has(`sesame_reloads_total{outcome="applied"}`, "1")
	s.has(`sesame_door_opens_total{door="ssh"}`, "1")
	s.has("sesame_scripts_generation", "2")
	s.write("ssh.lua", "sesame.dor {}")
	s.has(`sesame_reloads_total{outcome="rejected"}`, "1")
	s.has("sesame_last_reload_successful", "0")
	s.has(`sesame_health_reason{code="scripts-rejected",severity="degraded"}`, "1")
	s.write("ssh.lua", longDoor)
	s.has("sesame_last_reload_successful", "1")

	t.Log("# the same at the control socket")
	contains(t, s.answer("metrics"), "\nsesame_up 1\n", "\nprocess_open_fds ", "\ngo_goroutines ")

	t.Log("# many who ask and say nothing do not keep anybody else from it for long, and no knock")
	for range 30 {
		c, err := s.net.Server.Dial("tcp", metricsAddress, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
	}
	s.answer("revoke", "203.0.113.9")
	s.shuts(ssh4)
	s.knock(sshKnocks...)
	s.opens(ssh4)
	s.has(`sesame_door_opens_total{door="ssh"}`, "2")

	t.Log("# a restart, while another program has the port")
	s.stop()
	other, err := s.net.Server.Listen("tcp", metricsAddress)
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	contains(t, s.answer("status"), "health: degraded: metrics-unserved", "the metrics are not served: listening for scrapes of metrics: listen tcp "+metricsAddress)
	contains(t, s.answer("metrics"), "\nsesame_up 1\n", `sesame_door_opens_total{door="ssh"} 0`, `sesame_grants{by="door"} 1`, `sesame_grants{by="person"} 1`,
		`sesame_health_reason{code="metrics-unserved",severity="degraded"} 1`)
	s.opens(ssh4)
	other.Close()
	s.stop()
	s.start()
	s.has("sesame_up", "1")
	if began := s.value("process_start_time_seconds"); began == "none" {
		t.Error("the confined process does not tell when it began")
	}
}

// knocksAt waits until the daemon has looked at so many knocks of a door, which the control socket
// tells, and returns what everyone reads then.
func (s *scraped) knocksAt(door string, stages int) string {
	s.Helper()
	line := fmt.Sprintf("sesame_door_stages_total{door=%q} %d\n", door, stages)
	s.eventually(line, func() bool { return strings.Contains(s.answer("metrics"), line) })
	read := s.value("sesame_read_timestamp_seconds")
	s.eventually("a new reading", func() bool { return s.value("sesame_read_timestamp_seconds") != read })
	text, err := s.get("http://" + metricsAddress + "/metrics")
	if err != nil {
		s.Fatal(err)
	}
	moves := regexp.MustCompile(`(?m)^(sesame_read_timestamp_seconds|sesame_conntrack_flows|process_open_fds) .*\n`)
	return moves.ReplaceAllString(text, "")
}

// Who reads the port does not learn that a knock was right, nor that it was one at all.
func TestRealMetricsTellNoKnock(t *testing.T) {
	s := newScraped(t, map[string]string{"ssh.lua": strings.Replace(longDoor, "guards", "on_stage = function(attempt) return false, \"never\" end, guards", 1)}, "")
	s.start()
	nothing := s.knocksAt("ssh", 0)
	s.knock(sshKnocks[0])
	if diff := cmp.Diff(nothing, s.knocksAt("ssh", 1)); diff != "" {
		t.Errorf("after a right first knock (-before +after):\n%s", diff)
	}
	s.knock(sshKnocks[1]) // a function refuses it
	if diff := cmp.Diff(nothing, s.knocksAt("ssh", 2)); diff != "" {
		t.Errorf("after a second one (-before +after):\n%s", diff)
	}
	s.knock(sshKnocks[0], "udp/9", sshKnocks[2])
	if diff := cmp.Diff(nothing, s.knocksAt("ssh", 3)); diff != "" {
		t.Errorf("after wrong ones (-before +after):\n%s", diff)
	}
	contains(t, s.answer("metrics"), `sesame_door_stage_refusals_total{door="ssh"} 1`)
}

// A visitor from outside does not reach the port.
func TestRealMetricsAreNotOutside(t *testing.T) {
	s := newScraped(t, map[string]string{"ssh.lua": longDoor}, "")
	s.start()
	s.has("sesame_up", "1")
	if s.net.Client.Connects(server4+":9873", time.Second) {
		t.Error("a visitor reached the port for metrics")
	}
}
