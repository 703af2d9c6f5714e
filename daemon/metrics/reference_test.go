package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sesame/docs/pagetest"
)

func goversion() string { return runtime.Version() }

const (
	referencePath = "../../docs/monitoring.md"
	alertsPath    = "../../docs/monitoring/alerts.yml"
	dashboardPath = "../../docs/monitoring/dashboard.json"
)

// TestReference compares docs/monitoring.md with the tables of metrics and with the alert rules.
// Run with -update to write it anew. Prose of the page stands in its template.
func TestReference(t *testing.T) {
	page := pagetest.Fill(t, referencePath, map[string]any{
		"families": familyTables, "alerts": func() string { return alertTable(t) }, "seriesOfDoor": SeriesOfDoor,
		"progressPanels": func() string { return progressPanels(t) },
	})
	pagetest.Compare(t, referencePath, page, *update)
}

func familyTables() string {
	var b strings.Builder
	group := ""
	for _, f := range Families() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&b, "\n### %s\n| metric | type | labels | progress | |\n| --- | --- | --- | --- | --- |\n", group)
		}
		progress := ""
		if f.Progress {
			progress = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Type, strings.Join(f.Labels, ", "), progress, f.Help)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// hidden returns the metrics of a query that not everyone gets.
func hidden(query string) (names []string) {
	public := slices.Clone(forEveryone[:])
	for _, f := range Families() {
		if !f.Progress {
			public = append(public, f.Name)
		}
	}
	for _, name := range regexp.MustCompile(`\b(sesame|process|go)_\w+`).FindAllString(query, -1) {
		if !slices.Contains(public, name) {
			names = append(names, name)
		}
	}
	return names
}

// progressPanels lists the panels of the dashboard that need metrics which not everyone gets.
func progressPanels(t *testing.T) string {
	text, err := os.ReadFile(dashboardPath)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, p := range dashboard.Panels {
		missing := 0
		for _, target := range p.Targets {
			missing += min(1, len(hidden(target.Expr)))
		}
		switch {
		case missing > 0 && missing == len(p.Targets):
			all = append(all, "- "+p.Title)
		case missing > 0:
			all = append(all, "- "+p.Title+" (a part)")
		}
	}
	return strings.Join(all, "\n")
}

// Alerts work by the port alone.
func TestAlertsNeedNoProgress(t *testing.T) {
	text, err := os.ReadFile(alertsPath)
	if err != nil {
		t.Fatal(err)
	}
	if names := hidden(string(text)); len(names) > 0 {
		t.Errorf("alerts use what not everyone gets: %q", names)
	}
	if names := hidden("rate(sesame_knocks_total[1m]) + process_cpu_seconds_total + sesame_up"); len(names) != 2 {
		t.Errorf("got %q", names)
	}
}

// alertTable reads the rules, which all have the same form.
func alertTable(t *testing.T) string {
	text, err := os.ReadFile(alertsPath)
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`- alert: (\w+)\n +expr: (.+)\n(?: +for: (\w+)\n)? +labels: \{severity: (\w+)\}\n +annotations:\n +summary: ".+"\n +description: ".+"\n`)
	var b strings.Builder
	all := rule.FindAllStringSubmatch(string(text), -1)
	for _, r := range all {
		lasts := ""
		if r[3] != "" {
			lasts = ", for " + r[3]
		}
		fmt.Fprintf(&b, "| `%s` | `%s`%s | %s |\n", r[1], r[2], lasts, r[4])
	}
	if n := strings.Count(string(text), "alert:"); n != len(all) {
		t.Errorf("%d alerts, of which %d have the form of the others", n, len(all))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Prometheus's own tool finds nothing to say about names and texts, and each alert fires when it
// must, and not before.
func TestRealPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	for _, tt := range []struct {
		stdin     string
		arguments []string
	}{
		{scrape(t, full()), []string{"check", "metrics"}},
		{"", []string{"check", "rules", "--lint-fatal", alertsPath}},
		{"", []string{"test", "rules", strings.TrimSuffix(alertsPath, ".yml") + "_test.yml"}},
	} {
		c := exec.Command(promtool, tt.arguments...)
		c.Stdin = strings.NewReader(tt.stdin)
		out, err := c.CombinedOutput()
		if err != nil || tt.stdin != "" && len(out) > 0 {
			t.Errorf("promtool %s: %v\n%s", strings.Join(tt.arguments, " "), err, out)
		}
	}
}
