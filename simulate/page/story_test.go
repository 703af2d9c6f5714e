package page_test

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate"
	"sesame/simulate/page"
	"sesame/simulate/pcaptest"
)

// storyData returns the page of testdata/story.txt, as the shipped scripts judge it.
func storyData(t *testing.T) *page.Data {
	t.Helper()
	text, err := os.ReadFile("testdata/story.txt")
	if err != nil {
		t.Fatal(err)
	}
	files, err := source.Read("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	set, err := scripting.Load(files, scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	knocks, err := pcaptest.Capture(inOrder(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := page.NewCollector(0)
	report, err := simulate.Run(t.Context(), simulate.Config{Knocks: knocks, Set: set.Engine, Writer: c, Account: true, Judged: c.Judge})
	if err != nil {
		t.Fatal(err)
	}
	d := c.Data()
	d.Command, d.Title, d.Notes = "simulate", "monday.pcapng.gz", report.Notes()
	d.AddAccounts(report.Accounts(), 0)
	d.AddOpenTimes(&report.Open, false)
	return d
}

// inOrder sorts the packets by time: the file has those of a source together.
func inOrder(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || l[0] == '#' })
	seconds := func(line string) float64 {
		at, _, _ := strings.Cut(line, "s ")
		n, _ := strconv.ParseFloat(at, 64)
		return n
	}
	slices.SortStableFunc(lines, func(a, b string) int { return cmp.Compare(seconds(a), seconds(b)) })
	return strings.Join(lines, "\n")
}

// What the engine judges is on the page, in the words of the accounts.
func TestStory(t *testing.T) {
	got := text(storyData(t))
	for _, want := range []string{
		`203.0.113.9 ssh 4000-5500 opened 4/4 "" ["allow tcp/22 for 30s"] k1@4000:tcp/7421 k2@4400:udp/9133 k3@4900:tcp/2904 k4@5500:tcp/6117`,
		`198.51.100.23 ssh 14000-22800 stopped 3/4 "tcp/6117 came 800ms too late (packet 8, within 8s)"`,
		`e0@22000:tcp/6117 did not come in time (within 8s) e8@22800:tcp/6117 came 800ms too late (packet 8, within 8s)`,
		`203.0.113.33 admin 26000-29000 refused 4/4 "vpn: no grant" [] k9`,
		`203.0.113.61 ssh 30000-31300 stopped 1/4 "tcp/2904 came (packet 14), udp/9133 was expected" []`,
		`203.0.113.80 ana 52000-55500 refused 4/4 "waiting for Bob" []`,
		`203.0.113.33 admin 86000-89300 opened 4/4 "" ["log: vpn ends in 28775.9 seconds" "allow tcp/8443 for 1h"]`,
		`grant 203.0.113.9 ssh 5500-35500 tcp/22 "expired" false`,
		`grant 2001:db8:9::9 media 78300-14478300 command "expired" false`,
		`grant 203.0.113.80 bob 108200-138200 tcp/8200 "expired" false`, // to who knocked before
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}
