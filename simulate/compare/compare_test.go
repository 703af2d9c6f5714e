package compare_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/source/sourcetest"
	"sesame/simulate"
	"sesame/simulate/compare"
	"sesame/simulate/pcaptest"
)

// load loads a script set from the text of one script.
func load(t testing.TB, text string) *scripting.Set {
	t.Helper()
	set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// facts returns what answers --fact.
func facts(t testing.TB, texts ...string) *simulate.Given {
	t.Helper()
	g := &simulate.Given{}
	for _, text := range texts {
		if err := g.Add(text); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// compared compares what two scripts do with packets.
func compared(t testing.TB, before, then, lines string) *compare.Report {
	t.Helper()
	file, err := pcaptest.Capture(lines)
	if err != nil {
		t.Fatal(err)
	}
	known := facts(t, "203.0.113.0/24 country=ES")
	report, err := compare.Run(context.Background(), compare.Config{
		Old: compare.Side{Set: load(t, before), Facts: known}, New: compare.Side{Set: load(t, then), Facts: known},
		Knocks: file, Until: time.Minute, Me: netip.MustParseAddr("203.0.113.9"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestSame says whether nothing differs, by behaviour and by what the scripts say.
func TestSame(t *testing.T) {
	for _, r := range []compare.Report{
		{Lost: make([]compare.Lost, 1)}, {Gained: make([]compare.Gained, 1)}, {Changed: make([]compare.Changed, 1)},
		{Refusals: make([]compare.Refusal, 1)}, {Effects: make([]compare.Effect, 1)},
	} {
		if r.SameBehaviour() || r.Same() {
			t.Errorf("%+v is told as no difference", r)
		}
	}
	says := func(what string) *compare.Report {
		return &compare.Report{Declarations: []difference.Change{{Kind: difference.File, Name: "a.lua", What: what}}}
	}
	if r := says(difference.Changed); r.Same() || !r.SameBehaviour() {
		t.Error("a change of a file is told as none")
	}
	if !says(difference.Comments).Same() || !new(compare.Report).Same() {
		t.Error("comments, or nothing, are told as a difference")
	}
}

// lines returns a report as lines, without the declarations.
func lines(r *compare.Report) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for _, one := range r.Lost {
		add("lost %s %s %d: %s", one.Door, one.Source, one.Packet, one.Why)
	}
	for _, one := range r.Gained {
		add("gained %s %s %d, before: %s", one.Door, one.Source, one.Packet, one.Before)
	}
	for _, one := range r.Changed {
		add("changed %s %s %d: %s", one.Door, one.Source, one.Packet, strings.Join(one.Differences, ", "))
	}
	for _, one := range r.Refusals {
		add("refusal %s %s %d: %q -> %q", one.Door, one.Source, one.Packet, one.Old, one.New)
	}
	for _, one := range r.Effects {
		add("effect %s %s %s %s %v: %d -> %d", one.Door, one.Source, one.Effect, one.Port, one.Command, one.Old, one.New)
	}
	for _, d := range r.Doors {
		if d.Was != "" {
			add("%s was %s", d.Door, d.Was)
		}
	}
	if m := r.Mine; m.Why != "" {
		add("mine: %s", m.Why)
	}
	return append(all, fmt.Sprintf("%d opens, %d now", r.Opens.Old, r.Opens.New))
}

const script = `local hours = sesame.window { days = "mon-sun", from = "08:00", to = "19:00", tz = "UTC" }
local home = sesame.country { "ES" }
local audit = sesame.command { "/bin/audit", "{source}" }
sesame.door "ssh" {
  sequence = { "tcp/7001", "udp/7002", "tcp/7003", "tcp/7004" }, within = "8s", guards = "tcp/22", ttl = "30s",
  tripwires = 0, when = { hours, home },
  on_open = function(attempt) attempt:allow() attempt:exec(audit) end,
}
sesame.door "web" { sequence = { "tcp/8001", "tcp/8002", "tcp/8003" }, guards = "tcp/443", tripwires = 0, limit = "1/h" }
`

// packets open ssh twice, in four seconds and at once, and web once; a second time is over the
// limit.
const packets = `0s 203.0.113.9 tcp/7001
1s 203.0.113.9 udp/7002
2s 203.0.113.9 tcp/7003
4s 203.0.113.9 tcp/7004
60s 203.0.113.7 tcp/7001
61s 203.0.113.7 udp/7002
62s 203.0.113.7 tcp/7003
63s 203.0.113.7 tcp/7004
70s 203.0.113.7 tcp/8001
71s 203.0.113.7 tcp/8002
72s 203.0.113.7 tcp/8003
80s 203.0.113.7 tcp/8001
81s 203.0.113.7 tcp/8002
82s 203.0.113.7 tcp/8003
`

func TestWhatDiffers(t *testing.T) {
	for _, tt := range []struct {
		name     string
		from, to string
		want     []string
	}{
		{"nothing", `"ssh"`, `"ssh"`, []string{"3 opens, 3 now"}},
		{"a comment", `sesame.door`, "-- doors\nsesame.door", []string{"3 opens, 3 now"}},
		{"less time", `within = "8s"`, `within = "3500ms"`, []string{
			"lost ssh 203.0.113.9 4: stopped at 3 of 4: tcp/7004 came 500ms too late (packet 4, within 3.5s)",
			"mine: stopped at 3 of 4: tcp/7004 came 500ms too late (packet 4, within 3.5s)",
			"3 opens, 2 now"}},
		{"a shorter sequence", `, "tcp/7004"`, ``, []string{
			"changed ssh 203.0.113.9 4: opens with packet 3, before with packet 4", "changed ssh 203.0.113.7 8: opens with packet 7, before with packet 8",
			"3 opens, 3 now"}},
		{"another sequence", `"tcp/7003"`, `"tcp/7009"`, []string{
			"lost ssh 203.0.113.9 4: stopped at 2 of 4: tcp/7003 came (packet 3), tcp/7009 was expected",
			"lost ssh 203.0.113.7 8: stopped at 2 of 4: tcp/7003 came (packet 7), tcp/7009 was expected; tcp/7009 in place of tcp/7003 (packet 7): opens",
			"mine: stopped at 2 of 4: tcp/7003 came (packet 3), tcp/7009 was expected", "3 opens, 1 now"}},
		{"a window of another zone", `tz = "UTC"`, `tz = "America/New_York"`, []string{
			"lost ssh 203.0.113.9 4: refused: hours: mon-sun 08:00-19:00 America/New_York; it was Mon 07:00; holds again Mon 08:00",
			"lost ssh 203.0.113.7 8: refused: hours: mon-sun 08:00-19:00 America/New_York; it was Mon 07:01; holds again Mon 08:00",
			"mine: refused: hours: mon-sun 08:00-19:00 America/New_York; it was Mon 07:00; holds again Mon 08:00", "3 opens, 1 now"}},
		{"a country less", `"ES"`, `"PT"`, []string{
			"lost ssh 203.0.113.9 4: refused: home: PT; 203.0.113.9 is in ES (--fact 203.0.113.0/24)",
			"lost ssh 203.0.113.7 8: refused: home: PT; 203.0.113.7 is in ES (--fact 203.0.113.0/24)",
			"mine: refused: home: PT; 203.0.113.9 is in ES (--fact 203.0.113.0/24)", "3 opens, 1 now"}},
		{"no country", `{ hours, home }`, `hours`, []string{"3 opens, 3 now"}},
		{"a shorter grant", `ttl = "30s"`, `ttl = "20s"`, []string{
			"changed ssh 203.0.113.9 4: tcp/22 for 30s -> 20s", "changed ssh 203.0.113.7 8: tcp/22 for 30s -> 20s", "3 opens, 3 now"}},
		{"another port", `guards = "tcp/22"`, `guards = "tcp/2222"`, []string{
			"changed ssh 203.0.113.9 4: no longer tcp/22 for 30s, also tcp/2222 for 30s", "changed ssh 203.0.113.7 8: no longer tcp/22 for 30s, also tcp/2222 for 30s", "3 opens, 3 now"}},
		{"no command", ` attempt:exec(audit)`, ``, []string{
			"changed ssh 203.0.113.9 4: no longer runs /bin/audit 203.0.113.9", "changed ssh 203.0.113.7 8: no longer runs /bin/audit 203.0.113.7", "3 opens, 3 now"}},
		{"a door that only observes", `tripwires = 0, when`, `mode = "observe", tripwires = 0, when`, []string{
			"lost ssh 203.0.113.9 4: the door only observes now", "lost ssh 203.0.113.7 8: the door only observes now", "mine: the door only observes now", "3 opens, 3 now"}},
		{"a door less", script[strings.Index(script, `sesame.door "web"`):], "", []string{"lost web 203.0.113.7 11: the new scripts have no such door", `refusal web 203.0.113.7 14: "refused: limit: 1/h" -> ""`, "3 opens, 2 now"}},
		{"another name", `"web"`, `"www"`, []string{"www was web", "3 opens, 3 now"}},
		{"no limit", `, limit = "1/h"`, ``, []string{"gained web 203.0.113.7 14, before: refused: limit: 1/h", "3 opens, 4 now"}},
		{"another reason", `limit = "1/h"`, `when = function() return false, "never" end`, []string{
			"lost web 203.0.113.7 11: refused: never", `refusal web 203.0.113.7 14: "refused: limit: 1/h" -> "refused: never"`, "3 opens, 2 now"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			then := strings.Replace(script, tt.from, tt.to, 1)
			if tt.name != "nothing" && then == script {
				t.Fatalf("the script has no %q", tt.from)
			}
			if diff := cmp.Diff(tt.want, lines(compared(t, script, then, packets))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhatElseDiffers has two scripts and packets of their own for each difference.
func TestWhatElseDiffers(t *testing.T) {
	const knock = "0s 203.0.113.9 tcp/7001\n1s 203.0.113.9 tcp/7002\n2s 203.0.113.9 tcp/7003\n"
	door := func(options string) string {
		return `local tell = sesame.command { "/bin/tell", "{source}" }
local undone = sesame.command { "/bin/on", "{source}", undo = { "/bin/off" }, ttl = "20s" }
sesame.handler("remind", function(timer) timer:exec(tell) end)
sesame.door "a" { sequence = { "tcp/7001", "tcp/7002", "tcp/7003" }, guards = { "tcp/22", "tcp/80" }, tripwires = 0, ttl = "30s", ` + options + " }"
	}
	on := func(body string) string { return door("on_open = function(attempt) " + body + " end") }
	for _, tt := range []struct {
		name         string
		before, then string
		packets      string
		want         []string
	}{
		{"a grant for a network", on("attempt:allow()"), on("attempt:allow { prefix4 = 24 }"), knock, []string{
			"changed a 203.0.113.9 3: no longer tcp/22 for 30s, no longer tcp/80 for 30s, also tcp/22 to 203.0.113.0/24 for 30s, also tcp/80 to 203.0.113.0/24 for 30s", "1 opens, 1 now"}},
		{"a port less", on("attempt:allow()"), on(`attempt:allow { port = "tcp/80" }`), knock, []string{"changed a 203.0.113.9 3: no longer tcp/22 for 30s", "1 opens, 1 now"}},
		{"a cut", door(`cut = false`), door(`cut = true`), knock, []string{
			"changed a 203.0.113.9 3: tcp/22: sessions go on -> end with the grant, tcp/80: sessions go on -> end with the grant", "1 opens, 1 now"}},
		{"a grant that another door ends", door("") + closing("tcp/9001"), door("") + closing("tcp/9002"), knock + "5s 203.0.113.9 tcp/9001", []string{
			"changed a 203.0.113.9 3: tcp/22: closed by door after 3s -> expired after 30s, tcp/80: closed by door after 3s -> expired after 30s", "1 opens, 1 now"}},
		{"another command", on("attempt:exec(tell)"), on("attempt:exec(undone)"), knock, []string{
			"changed a 203.0.113.9 3: no longer runs /bin/tell 203.0.113.9, runs /bin/on 203.0.113.9", "1 opens, 1 now"}},
		{"a command twice", on("attempt:exec(tell)"), on("attempt:exec(tell) attempt:exec(tell)"), knock, []string{"changed a 203.0.113.9 3: runs /bin/tell 203.0.113.9", "1 opens, 1 now"}},
		{"a timer less", on(`attempt:after("10s", "remind")`), on(""), knock, []string{"effect a 203.0.113.9 exec  [/bin/tell 203.0.113.9]: 1 -> 0", "1 opens, 1 now"}},
		{"a timer more", on(""), on(`attempt:after("10s", "remind")`), knock, []string{"effect a 203.0.113.9 exec  [/bin/tell 203.0.113.9]: 0 -> 1", "1 opens, 1 now"}},
		{"a later timer", on(`attempt:after("10s", "remind")`), on(`attempt:after("12s", "remind")`), knock, []string{"1 opens, 1 now"}},
		{"a door that is enforced", door(`mode = "observe"`), door(``), knock, []string{"gained a 203.0.113.9 3, before: the door only observed", "1 opens, 1 now"}},
		{"a door that is enforced, and ends sessions", door(`mode = "observe"`), door(`cut = true`), knock, []string{"gained a 203.0.113.9 3, before: the door only observed", "1 opens, 1 now"}},
		{"an error in place of a refusal", door(`limit = "1/h"`), on("error('no')"), knock + "60s 203.0.113.9 tcp/7001\n61s 203.0.113.9 tcp/7002\n62s 203.0.113.9 tcp/7003\n", []string{
			"lost a 203.0.113.9 3: failed: a.lua:4: no", `refusal a 203.0.113.9 6: "refused: limit: 1/h" -> "failed: a.lua:4: no"`, "mine: failed: a.lua:4: no", "1 opens, 0 now"}},
		{"a shorter sequence, of a refused one", strings.Replace(door("when = function() return false, 'no' end"), `, "tcp/7003"`, `, "tcp/7003", "tcp/7004"`, 1), door(""), knock + "3s 203.0.113.9 tcp/7004\n", []string{
			"gained a 203.0.113.9 3, before: refused: no", "0 opens, 1 now"}},
		{"a longer sequence, which is refused", door(""), strings.Replace(door("when = function() return false, 'no' end"), `, "tcp/7003"`, `, "tcp/7003", "tcp/7004"`, 1), knock + "3s 203.0.113.9 tcp/7004\n", []string{
			"lost a 203.0.113.9 3: refused: no", "mine: refused: no", "1 opens, 0 now"}},
		{"two that are far apart", door(""), strings.Replace(door(""), "7003", "7004", 1), knock + "500s 203.0.113.9 tcp/7001\n501s 203.0.113.9 tcp/7002\n502s 203.0.113.9 tcp/7004\n", []string{
			"lost a 203.0.113.9 3: stopped at 2 of 3: total timeout",
			"gained a 203.0.113.9 6, before: stopped at 2 of 3: its next knock did not come",
			"mine: stopped at 2 of 3: total timeout", "1 opens, 1 now"}},
		{"two that are far apart, the new one first", strings.Replace(door(""), "7003", "7004", 1), door(""), knock + "500s 203.0.113.9 tcp/7001\n501s 203.0.113.9 tcp/7002\n502s 203.0.113.9 tcp/7004\n", []string{
			"lost a 203.0.113.9 6: stopped at 2 of 3: its next knock did not come",
			"gained a 203.0.113.9 3, before: stopped at 2 of 3: total timeout",
			"mine: stopped at 2 of 3: its next knock did not come", "1 opens, 1 now"}},
		{"a miss with a packet", strings.Replace(door(""), `"tcp/7003" }`, `"tcp/7004", "tcp/7003" }`, 1), door(""), knock, []string{
			"gained a 203.0.113.9 3, before: stopped at 2 of 4: out of order (packet 3)", "0 opens, 1 now"}},
		{"a miss of long ago", strings.Replace(door(`limit = "9/h"`), `"tcp/7003" }`, `"tcp/7004", "tcp/7003" }`, 1), strings.Replace(door(""), `"tcp/7002", "tcp/7003"`, `"tcp/7003"`, 1), knock + "500s 203.0.113.9 tcp/7001\n501s 203.0.113.9 tcp/7003\n", []string{
			"gained a 203.0.113.9 3, before: stopped at 2 of 4: out of order (packet 3)", "gained a 203.0.113.9 5, before: ", "0 opens, 2 now"}},
		{"a door that observes all the time", door(`mode = "observe"`), door(`mode = "observe", limit = "9/h"`), knock, []string{"1 opens, 1 now"}},
		{"an error of the script", on("attempt:allow()"), on("attempt:allow() error('no')"), knock, []string{
			"lost a 203.0.113.9 3: failed: a.lua:4: no", "mine: failed: a.lua:4: no", "1 opens, 0 now"}},
		{"a condition of another name", `local one = sesame.networks { "192.0.2.0/24" }` + "\n" + door("when = one"), `local two = sesame.networks { "192.0.2.0/24" }` + "\n" + door("when = two"), knock, []string{
			`refusal a 203.0.113.9 3: "refused: one: 192.0.2.0/24" -> "refused: two: 192.0.2.0/24"`, "0 opens, 0 now"}},
		{"a condition of the same name", `local one = sesame.networks { "192.0.2.0/24" }` + "\n" + door("when = one"), `local one = sesame.networks { "192.0.2.0/25" }` + "\n" + door("when = one"), knock, []string{"0 opens, 0 now"}},
		{"refused now, and nothing before", strings.Replace(door(""), "7003", "7004", 1), door("when = function() return false, 'no' end"), knock, []string{`refusal a 203.0.113.9 3: "" -> "refused: no"`, "0 opens, 0 now"}},
		{"one of two openings", door(""), door(`limit = "1/h"`), knock + "60s 203.0.113.9 tcp/7001\n61s 203.0.113.9 tcp/7002\n62s 203.0.113.9 tcp/7003\n", []string{
			"lost a 203.0.113.9 6: refused: limit: 1/h", "mine: refused: limit: 1/h", "2 opens, 1 now"}},
		{"one of two openings that is too late", door(`within = "1m"`), door(`within = "3s"`), knock + "60s 203.0.113.9 tcp/7001\n65s 203.0.113.9 tcp/7002\n70s 203.0.113.9 tcp/7003\n", []string{
			"lost a 203.0.113.9 6: stopped at 1 of 3: tcp/7002 came 2s too late (packet 5, within 3s)",
			"mine: stopped at 1 of 3: tcp/7002 came 2s too late (packet 5, within 3s)", "2 opens, 1 now"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, lines(compared(t, tt.before, tt.then, tt.packets))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// closing returns a listener that ends the grants of door a.
func closing(port string) string {
	return fmt.Sprintf("\nsesame.listen \"end\" { on = %q, on_knock = function(attempt) attempt:close \"a\" end }", port)
}

// TestOpeningsBeyondTheBound compares no more than was asked for, and says how many are left.
func TestOpeningsBeyondTheBound(t *testing.T) {
	file, err := pcaptest.Capture(packets)
	if err != nil {
		t.Fatal(err)
	}
	known := facts(t, "203.0.113.0/24 country=ES")
	set := func() compare.Side { return compare.Side{Set: load(t, script), Facts: known} }
	r, err := compare.Run(context.Background(), compare.Config{Old: set(), New: set(), Knocks: file, Most: 2})
	if err != nil {
		t.Fatal(err)
	}
	me := netip.MustParseAddr("203.0.113.7")
	mine, err := compare.Run(context.Background(), compare.Config{Old: set(), New: set(), Knocks: file, Most: 1, Me: me})
	if err != nil {
		t.Fatal(err)
	}
	if m := mine.Mine; m.Door != "ssh" || !m.Opens || mine.Uncompared != 2 {
		t.Errorf("the caller's own beyond the bound: %+v, %d not compared", m, mine.Uncompared)
	}
	if r.Uncompared != 2 || r.Opens != (compare.Totals{Old: 3, New: 3}) || !r.SameBehaviour() {
		t.Errorf("%d openings not compared of %v: want 2 of 3 and 3", r.Uncompared, r.Opens)
	}
}

// TestDoorsThatWereNotRecorded names the doors to whose knocks a recording has no packets.
func TestDoorsThatWereNotRecorded(t *testing.T) {
	file, err := pcaptest.Capture(packets)
	if err != nil {
		t.Fatal(err)
	}
	const more = `sesame.door "tcp" { sequence = { "tcp/7001", "tcp/7002" }, guards = "tcp/22" }
sesame.door "udp" { sequence = { "udp/7002", "tcp/7001" }, guards = "tcp/22" }
sesame.door "far" { sequence = { "udp/7002", "tcp/9999" }, guards = "tcp/22" }
sesame.door "fin" { sequence = { "tcp/7003", { "tcp/7001", flags = "fin" } }, guards = "tcp/22" }
sesame.door "all" { sequence = { "tcp/7003", "tcp/7001" }, guards = "tcp/22", strict = true }`
	for _, tt := range []struct{ recorded, want string }{
		{script, "[tcp far fin all]"},
		{script + `sesame.door "strict" { sequence = { "tcp/1", "tcp/2", "tcp/3" }, guards = "tcp/22", strict = true }`, "[fin]"},
	} {
		recorded := load(t, tt.recorded)
		r, err := compare.Run(context.Background(), compare.Config{
			Old: compare.Side{Set: load(t, script)}, New: compare.Side{Set: load(t, more)}, Knocks: file, Recorded: recorded.Engine,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.Unrecorded); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// TestInterrupted compares nothing: the sides would end with different packets.
func TestInterrupted(t *testing.T) {
	file, err := pcaptest.Capture(packets)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	side := compare.Side{Set: load(t, script)}
	if _, err := compare.Run(ctx, compare.Config{Old: side, New: side, Knocks: file}); err == nil {
		t.Error("an interrupted comparison has a result")
	}
}

// TestTheRestOfAReport looks at times, unknown facts and the caller, whose last opening a door that
// only observed did not give.
func TestTheRestOfAReport(t *testing.T) {
	file, err := pcaptest.Capture(packets)
	if err != nil {
		t.Fatal(err)
	}
	side := compare.Side{Set: load(t, strings.Replace(script, `"ssh" {`, `"ssh" { mode = "observe",`, 1))}
	r, err := compare.Run(context.Background(), compare.Config{Old: side, New: side, Knocks: file, Me: netip.MustParseAddr("203.0.113.7")})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Unknown) != 1 || !strings.HasPrefix(r.Unknown[0], "the country of an address was needed ") {
		t.Errorf("unknown facts: %q", r.Unknown)
	}
	if want := pcaptest.Start.Add(82 * time.Second); !r.Begin.Equal(pcaptest.Start) || !r.End.Equal(want) {
		t.Errorf("from %v to %v, want %v to %v", r.Begin, r.End, pcaptest.Start, want)
	}
	if m := r.Mine; m.Door != "web" || !m.Opens || m.Why != "" {
		t.Errorf("the caller's own: %+v", m)
	}
	for _, sides := range [][2]compare.Side{{side, {Set: load(t, "-- nothing")}}, {{Set: load(t, "-- nothing")}, side}} {
		one, err := compare.Run(context.Background(), compare.Config{Old: sides[0], New: sides[1], Knocks: file})
		if err != nil {
			t.Fatal(err)
		}
		if !one.Begin.Equal(r.Begin) || !one.End.Equal(r.End) {
			t.Errorf("with a set without doors: from %v to %v", one.Begin, one.End)
		}
	}
	known := facts(t, "203.0.113.0/24 country=ES")
	observed := compare.Side{Set: side.Set, Facts: known}
	r, err = compare.Run(context.Background(), compare.Config{Old: observed, New: observed, Knocks: file, Me: netip.MustParseAddr("203.0.113.9")})
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Mine; m.Door != "" || m.Opens || r.Opens.Old != 3 {
		t.Errorf("the caller's own at a door that observes: %+v, %+v", m, r.Opens)
	}
}
