package page_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"iter"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/page"
)

// hostile are texts that would do something if they were taken for markup, script or style.
var hostile = []string{
	`</script><img src=x onerror=alert(1)>`, `<script>alert(2)</script>`, `"><svg onload=alert(3)>`, `'-alert(4)-'`,
	`<!--<script>`, `]]>`, `javascript:alert(5)`, `${alert(6)}`, `{{.}}`, "line\u2028separator\u2029", "\u202egnp.exe", "nul\x00\xff", `&lt;b&gt;`, `\u003c/script\u003e`,
}

// hostileData has a hostile text wherever a text can be.
func hostileData() *page.Data {
	next := 0
	text := func() string {
		next++
		return hostile[next%len(hostile)]
	}
	d := &page.Data{Command: "simulate", Title: text(), Begin: noon, End: at(90_000), Sides: []string{text(), text()}}
	for i := range hostile {
		d.Captures, d.Notes = append(d.Captures, text()), append(d.Notes, text())
		d.Attempts = append(d.Attempts, page.Attempt{
			Source: hostile[i], Door: text(), Side: i % 2, Begin: at(1000 * i), End: at(1000*i + 500), Verdict: page.Verdict(i % 5), Best: 1, Stages: 3, Text: text(),
			Gave: []string{text()}, Marks: []page.Mark{{Time: at(1000 * i), Packet: i, Capture: 1, Text: text()}},
		})
		d.Grants = append(d.Grants, page.Grant{Source: hostile[i], Door: text(), Begin: at(1000 * i), End: at(1000*i + 20_000), What: text(), Reason: text()})
		d.Accounts = append(d.Accounts, page.Account{Source: hostile[i], Door: text(), Verdict: page.NeverBegan, Lines: []string{text(), text()}, Suggestion: text()})
	}
	d.Sections = []page.Section{{Title: text(), Text: text(), Columns: []page.Column{{Name: text()}, {Name: text(), Number: true}}, Rows: [][]string{{text(), text()}}, Left: 2}}
	d.Of = text()
	return d
}

// written returns a page.
func written(t *testing.T, d *page.Data) string {
	t.Helper()
	var b bytes.Buffer
	if err := page.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// between returns the parts of a text between two others.
func between(text, from, to string) (all []string) {
	for {
		_, rest, found := strings.Cut(text, from)
		if !found {
			return all
		}
		part, rest, _ := strings.Cut(rest, to)
		all, text = append(all, part), rest
	}
}

func TestHostileTextsStayText(t *testing.T) {
	d := hostileData()
	text := written(t, d)
	data := between(text, `<script type="application/json" id="data">`, "</script>")[0]
	if strings.ContainsAny(data, "<>&\u2028\u2029") {
		t.Error("the data has a character that can end its element")
	}
	if !json.Valid([]byte(data)) {
		t.Error("the data is no JSON")
	}
	if strings.ContainsAny(data, "\u202e\x00") {
		t.Error("the data has a character that changes how a line looks")
	}
	outside := text
	for _, own := range slices.Concat(between(text, "<style>", "</style>"), between(text, `<script type="module">`, "</script>"), []string{data}) {
		outside = strings.Replace(outside, own, "", 1)
	}
	if n := strings.Count(outside, "<script"); n != 2 {
		t.Errorf("%d script elements: expected 2", n)
	}
	for _, element := range []string{"<img", "<svg", "onerror=alert(1)>", "<b>"} {
		if strings.Contains(outside, element) {
			t.Errorf("the page has %s", element)
		}
	}
	if strings.ContainsAny(outside, "\u202e\u2028\x00") {
		t.Error("the page has a character that changes how a line looks")
	}
	if !strings.Contains(html.UnescapeString(outside), hostile[0]) {
		t.Error("a text is not shown at all")
	}
}

// Whatever its data, a page loads nothing and connects to nowhere.
func TestNothingIsLoaded(t *testing.T) {
	text := written(t, hostileData())
	policy := html.UnescapeString(between(text, `http-equiv="Content-Security-Policy" content="`, `"`)[0])
	for _, own := range []string{between(text, "<style>", "</style>")[0], between(text, `<script type="module">`, "</script>")[0]} {
		sum := sha256.Sum256([]byte(own))
		if hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, hash) {
			t.Errorf("the policy does not allow our own %.30q", own)
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy allows more than it should: %s", policy)
	}
	empty := written(t, &page.Data{Command: "simulate", Title: "nothing"})
	for _, address := range regexp.MustCompile(`(https?:)?//[a-z0-9.]+[^ "'\x60]*`).FindAllString(strings.ReplaceAll(empty, "// ", ""), -1) {
		if address != "http://www.w3.org/2000/svg" { // a name, not a place
			t.Errorf("the page has the address %s", address)
		}
	}
}

func TestThePageIsTheSameEachTime(t *testing.T) {
	first := written(t, hostileData())
	if again := written(t, hostileData()); first != again {
		t.Error("two pages of the same data differ")
	}
}

func TestWhatThePageSaysWithoutItsScript(t *testing.T) {
	const most = "A page shows at most 65,536 of a kind. Left out: "
	for _, test := range []struct {
		name string
		data page.Data
		want string
	}{
		{"nothing", page.Data{}, `<p class="period">nothing happened</p>`},
		{"a moment", page.Data{Begin: noon, End: noon.Add(time.Microsecond)}, `<p class="period">Monday, 2 March 2026, 12:00:00 UTC</p>`},
		{"some minutes", page.Data{Begin: noon, End: at(90_400)}, `Monday, 2 March 2026, 12:00:00 to 12:01:30 UTC (1m30s)<`},
		{"more than a day", page.Data{Begin: noon, End: noon.Add(24 * time.Hour)}, `12:00:00 to Tuesday, 3 March 2026, 12:00:00 UTC (24h)<`},
		{"a year", page.Data{Begin: noon, End: noon.AddDate(1, 0, 0)}, `12:00:00 to Tuesday, 2 March 2027, 12:00:00 UTC (365 days)<`},
		{"two days", page.Data{Begin: noon, End: noon.Add(48 * time.Hour)}, `12:00:00 to Wednesday, 4 March 2026, 12:00:00 UTC (2 days)<`},
		{"another zone", page.Data{Begin: noon.In(time.FixedZone("", 7200)), End: noon}, `12:00:00 UTC`},
		{"totals", page.Data{Totals: []page.Total{{Name: "packets", Value: 1284201}}}, "<dt>packets</dt><dd>1,284,201</dd>"},
		{"one left out", page.Data{Left: page.Left{Grants: 1}}, most + "1 grant after the first."},
		{"much left out", page.Data{Left: page.Left{Attempts: 1200, Accounts: 2}}, most + "1,200 attempts that came least far, 2 sources that came least far."},
		{"captures", page.Data{Captures: []string{"a.pcap", "b.pcap"}}, "<li>a.pcap</li><li>b.pcap</li>"},
		{"of what", page.Data{Of: "The run with the seed 11"}, `<h2 class="of">The run with the seed 11</h2>`},
		{"of all", page.Data{}, "<div id=\"app\" hidden>\n<search"},
		{"a section", page.Data{Sections: []page.Section{{Title: "Ports", Text: "How long", Columns: []page.Column{{Name: "port"}, {Name: "s", Number: true}}, Rows: [][]string{{"tcp/22"}}}}},
			"<h2>Ports</h2>\n<p class=\"lead\">How long</p>\n"},
		{"a short row", page.Data{Sections: []page.Section{{Columns: []page.Column{{Name: "port"}, {Name: "s", Number: true}}, Rows: [][]string{{"tcp/22"}}}}},
			"<tr><td>tcp/22</td><td class=\"number\"></td></tr>"},
		{"a long row", page.Data{Sections: []page.Section{{Columns: []page.Column{{Name: "port"}}, Rows: [][]string{{"tcp/22", "x"}}}}}, "<tr><td>tcp/22</td></tr>"},
		{"rows left out", page.Data{Sections: []page.Section{{Left: 1234}}}, "And 1,234 rows more."},
		{"notes", page.Data{Notes: []string{"every destination counted"}}, "<li>every destination counted</li>"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if text := written(t, &test.data); !strings.Contains(text, test.want) {
				t.Errorf("the page has no %q", test.want)
			}
		})
	}
}

// failing is a writer that fails.
type failing struct{}

var errFull = errors.New("no room")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestWritingFails(t *testing.T) {
	if err := page.Write(failing{}, &page.Data{}); !errors.Is(err, errFull) {
		t.Errorf("the error is %v", err)
	}
}

func TestAccounts(t *testing.T) {
	addr := netip.MustParseAddr
	accounts := []*account.Account{
		{Source: addr("203.0.113.9"), Door: "ssh", Result: account.ResultWaiting, Best: 1, Stages: 3, Lines: []string{"waiting"}},
		{Source: addr("203.0.113.10"), Door: "ssh", Result: account.ResultOpened, Suggestion: "within >= 9s: opens"},
		{Source: addr("203.0.113.11"), Door: "ssh", Result: account.ResultRefused},
		{Source: addr("203.0.113.12"), Door: "ssh", Result: account.ResultStopped},
		{Source: addr("203.0.113.13"), Door: "ssh", Result: account.ResultNeverBegan},
	}
	d := &page.Data{Begin: noon, End: at(9000), Attempts: []page.Attempt{
		{Source: "203.0.113.9", Door: "ssh", Begin: noon, End: noon}, {Source: "203.0.113.9", Door: "ssh", Begin: at(5000), End: at(5000)}, {Source: "203.0.113.9", Door: "vpn", Begin: at(6000), End: at(6000)},
		{Source: "203.0.113.9", Door: "ssh", Side: 1, Begin: at(6000), End: at(6000)},
	}}
	d.AddAccounts(slices.Values(accounts), 0)
	var got []string
	for _, a := range d.Accounts {
		got = append(got, fmt.Sprintf("%s %d %d/%d %q %q", a.Source, a.Verdict, a.Best, a.Stages, a.Lines, a.Suggestion))
	}
	want := []string{
		fmt.Sprintf(`203.0.113.9 %d 1/3 ["waiting"] ""`, page.Waiting), fmt.Sprintf(`203.0.113.10 %d 0/0 [] "within >= 9s: opens"`, page.Opened),
		fmt.Sprintf(`203.0.113.11 %d 0/0 [] ""`, page.Refused), fmt.Sprintf(`203.0.113.12 %d 0/0 [] ""`, page.Stopped), fmt.Sprintf(`203.0.113.13 %d 0/0 [] ""`, page.NeverBegan),
	}
	if !slices.Equal(got, want) {
		t.Errorf("accounts are %q: expected %q", got, want)
	}
	for i, want := range []page.Verdict{page.Stopped, page.Waiting, page.Stopped, page.Stopped} {
		if a := d.Attempts[i]; a.Verdict != want || (want == page.Waiting) != a.End.Equal(d.End) {
			t.Errorf("attempt %d is %d and ends at %v: expected %d", i, a.Verdict, a.End, want)
		}
	}
}

func TestAccountsAreBounded(t *testing.T) {
	one := &account.Account{Source: netip.MustParseAddr("203.0.113.9"), Door: "ssh"}
	var many iter.Seq[*account.Account] = func(yield func(*account.Account) bool) {
		for range page.MaxAttempts + 3 {
			if !yield(one) {
				return
			}
		}
	}
	d := &page.Data{}
	if d.AddAccounts(many, 0); len(d.Accounts) != page.MaxAttempts || d.Left.Accounts != 3 {
		t.Errorf("%d accounts, %d left out", len(d.Accounts), d.Left.Accounts)
	}
}

func TestOpenTimes(t *testing.T) {
	tom := netip.MustParsePrefix("203.0.113.9/32")
	times := &account.OpenTimes{
		Grants: 61, Most: 12, MostAt: noon, Unlisted: 7,
		Sources: []account.SourceTime{{Source: tom, Port: tcp(22), Open: 62_500 * time.Millisecond, Periods: 2, First: noon, Last: at(62_500)}, {Source: tom, Port: tcp(443), Open: time.Hour, Periods: 1, First: noon}},
		Ports:   []account.PortTime{{Port: tcp(22), Open: time.Minute, Periods: 1, Sources: 2, Most: 2, MostAt: noon}, {Port: tcp(443), Sources: 1}},
	}
	d := &page.Data{}
	d.AddOpenTimes(&account.OpenTimes{}, false)
	d.AddOpenTimes(times, false)
	got := fmt.Sprintf("%+v", d.Sections)
	for _, want := range []string{
		"Title:How long ports were open, and to whom Text:At most 12 of 61 grants at once, first at 2026-03-02 12:00:00.000. ",
		"Rows:[[203.0.113.9 tcp/22 62.500 2 2026-03-02 12:00:00.000 2026-03-02 12:01:02.500] [203.0.113.9 tcp/443 3600.000 1 2026-03-02 12:00:00.000 still open]] Left:7}",
		"Title:How long each port was open ", "Rows:[[tcp/22 60.000 1 2 2 2026-03-02 12:00:00.000]] Left:0}",
	} {
		if len(d.Sections) != 2 || !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	times.Ports = times.Ports[1:]
	d = &page.Data{}
	if d.AddOpenTimes(times, true); len(d.Sections) != 1 || d.Sections[0].Title != "How long ports would have been open, and to whom" {
		t.Errorf("sections of what was observed: %+v", d.Sections)
	}
	for range 600 {
		times.Sources, times.Ports = append(times.Sources, times.Sources[0]), append(times.Ports, account.PortTime{Port: tcp(22), Sources: 2})
	}
	d = &page.Data{}
	if d.AddOpenTimes(times, false); len(d.Sections[0].Rows) != 500 || d.Sections[0].Left != 109 || len(d.Sections[1].Rows) != 500 || d.Sections[1].Left != 100 {
		t.Errorf("rows: %d and %d left out, %d and %d left out", len(d.Sections[0].Rows), d.Sections[0].Left, len(d.Sections[1].Rows), d.Sections[1].Left)
	}
}

func TestTotals(t *testing.T) {
	c := page.NewCollector(0)
	_ = c.Summary(transcript.Summary{Packets: 5, Knocks: 4, Opens: 3, Misses: 2, Refusals: 1})
	want := []page.Total{{Name: "packets", Value: 5}, {Name: "knocks", Value: 4}, {Name: "opens", Value: 3}, {Name: "misses", Value: 2}, {Name: "refusals", Value: 1}}
	if got := c.Data().Totals; !slices.Equal(got, want) {
		t.Errorf("totals are %v", got)
	}
	_ = c.Summary(transcript.Summary{Errors: 7, Failed: 8})
	if got := c.Data().Totals[5:]; !slices.Equal(got, []page.Total{{Name: "errors", Value: 7}, {Name: "failed effects", Value: 8}}) {
		t.Errorf("totals are %v", got)
	}
}

// A row has the numbers of its texts, and times in microseconds after the begin.
func TestRows(t *testing.T) {
	d := &page.Data{Begin: noon, End: at(5000), Attempts: []page.Attempt{{
		Source: "203.0.113.9", Door: "ssh", Side: 1, Begin: at(1000), End: at(4000), Verdict: page.Refused, Best: 2, Stages: 3, Text: "why", Gave: []string{"ssh"},
		Marks: []page.Mark{{Kind: page.MarkKnock, Time: at(2000), Packet: 7, Capture: 2, Text: "tcp/22"}, {Kind: page.MarkEnd, Time: at(3000), Text: "why"}},
	}}}
	data := between(written(t, d), `id="data">`, "</script>")[0]
	want := fmt.Sprintf(`"begin":%d,"length":5000000,"texts":["tcp/22","why","203.0.113.9","ssh"],"attempts":[[2,3,1,1000000,4000000,2,2,3,1,[3],[0,2000000,7,2,0,3,3000000,0,0,1]]],`, noon.UnixMicro())
	if !strings.Contains(data, want) {
		t.Errorf("the data is %s: expected %s", data, want)
	}
}

func TestJoin(t *testing.T) {
	d := &page.Data{Begin: at(1000), End: at(2000), Attempts: []page.Attempt{{Door: "a", Begin: at(1000)}}, Grants: []page.Grant{{Door: "a", Begin: at(1500)}}, Accounts: []page.Account{{Door: "a"}}, Left: page.Left{Attempts: 1, Grants: 2, Accounts: 3}}
	d.Join(&page.Data{Begin: at(500), End: at(3000), Attempts: []page.Attempt{{Door: "b", Side: 1, Begin: at(500)}, {Door: "c", Side: 1, Begin: at(1000)}}, Grants: []page.Grant{{Door: "b", Begin: at(700)}}, Accounts: []page.Account{{Door: "b"}}, Left: page.Left{Attempts: 10, Grants: 20, Accounts: 30}})
	d.Join(&page.Data{})
	if got := fmt.Sprint(d.Begin.Equal(at(500)), d.End.Equal(at(3000)), d.Attempts[0].Door, d.Attempts[1].Door, d.Attempts[2].Door, d.Grants[0].Door, d.Grants[1].Door, d.Accounts[1].Door, d.Left); got != "true truebacbab{11 22 33}" {
		t.Errorf("joined: %s", got)
	}
	empty := &page.Data{}
	if empty.Join(d); !empty.Begin.Equal(at(500)) || !empty.End.Equal(at(3000)) {
		t.Errorf("joined to nothing: %v to %v", empty.Begin, empty.End)
	}
}
