//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// An edit is one of a script and of its tests, and what must come of it.
type edit struct {
	name         string
	script, test string
	want         control.ReloadOutcome
	fails        bool     // a test, when it is rejected
	says         string   // how the error begins, when it is rejected
	not          []string // knocks that must not open afterwards; nil: none are tried
}

// An author makes random edits. It is a naive model of the daemon too: it knows the set that must
// be in force, because it knows which of its edits are good.
type author struct {
	r          *rand.Rand
	script     string
	test       string
	sequence   []string
	ttl        time.Duration
	generation int
	order      []int // of the kinds that are left in this round
}

func newAuthor(seed int) *author {
	a := &author{r: rand.New(rand.NewPCG(uint64(seed), 0)), ttl: 10 * time.Minute, generation: 1}
	a.sequence = a.ports()
	a.script, a.test = editedScript(a.sequence, a.ttl, "tcp/22"), editedTest(a.sequence)
	return a
}

// editedScript returns a door without tripwires: they would hear ports that the model does not
// know.
func editedScript(sequence []string, ttl time.Duration, guard string) string {
	return fmt.Sprintf("sesame.door \"ssh\" { sequence = { %s }, within = \"1m\", guards = %q, tripwires = 0, ttl = \"%ds\" }\n",
		quoted(sequence), guard, int(ttl.Seconds()))
}

// editedTest returns tests that no shorter sequence passes. An attempt that ends at its second
// knock or later is a miss, and one that goes on is none.
func editedTest(sequence []string) string {
	return fmt.Sprintf(`local sequence = { %s }
sesame.test "all knocks" { { knock = sequence, opens = "ssh", allows = { port = "tcp/22" } } }
for i in ipairs(sequence) do
  local fewer = { unpack(sequence) }
  table.remove(fewer, i)
  sesame.test("without knock " .. i) { { knock = fewer, misses = i > 2 and i < #sequence and "ssh" } }
end
`, quoted(sequence))
}

func quoted(ports []string) string { return `"` + strings.Join(ports, `", "`) + `"` }

// ports returns a sequence of three or four knocks, none of which is in the running one.
func (a *author) ports() []string {
	var ports []string
	for n := 3 + a.r.IntN(2); len(ports) < n; {
		port := fmt.Sprintf("%s/%d", []string{"tcp", "udp"}[a.r.IntN(2)], 2000+a.r.IntN(8000))
		if !slices.Contains(ports, port) && !slices.Contains(a.sequence, port) {
			ports = append(ports, port)
		}
	}
	return ports
}

// next returns an edit, and keeps it when it is good. Each kind comes once in a round.
//
// The two files are not replaced at once, and the daemon may read them in between. No set that it
// can find then passes its tests, unless it is the one that runs or the one that is meant.
func (a *author) next() edit {
	kinds := []func() edit{a.another, a.anotherSequence, a.asItWas, a.testAlone, a.shorter, a.guard, a.testFails, a.untested, a.syntax, a.option}
	if len(a.order) == 0 {
		a.order = a.r.Perm(len(kinds))
	}
	e := kinds[a.order[0]]()
	a.order = a.order[1:]
	if e.want == control.Applied {
		a.generation++
	}
	if e.want != control.Rejected {
		a.script, a.test = e.script, e.test
	}
	return e
}

func (a *author) another() edit {
	ttl := a.ttl
	for ttl == a.ttl {
		ttl = time.Duration(10+a.r.IntN(600)) * time.Minute
	}
	a.ttl = ttl
	return edit{name: "another ttl", script: editedScript(a.sequence, ttl, "tcp/22"), test: a.test, want: control.Applied}
}

func (a *author) anotherSequence() edit {
	earlier := a.sequence
	a.sequence = a.ports()
	return edit{name: "another sequence and its test", script: editedScript(a.sequence, a.ttl, "tcp/22"), test: editedTest(a.sequence), want: control.Applied, not: earlier}
}

func (a *author) asItWas() edit {
	return edit{name: "as it was", script: a.script, test: a.test, want: control.Unchanged}
}

func (a *author) testAlone() edit {
	return edit{name: "a test alone", script: a.script, test: a.test + "-- once more\n", want: control.Unchanged}
}

func (a *author) shorter() edit {
	at := a.r.IntN(len(a.sequence))
	fewer := slices.Delete(slices.Clone(a.sequence), at, at+1)
	return a.failing("a shorter sequence", editedScript(fewer, a.ttl, "tcp/22"), a.test, fewer)
}

func (a *author) guard() edit {
	return a.failing("another guard", editedScript(a.sequence, a.ttl, "tcp/23"), a.test, nil)
}

func (a *author) testFails() edit {
	return a.failing("a test alone that fails", a.script, a.test+`sesame.test "no" { { knock = sequence, opens = false } }`, nil)
}

func (a *author) untested() edit {
	other := a.ports()
	return a.failing("another sequence without its test", editedScript(other, a.ttl, "tcp/22"), a.test, other)
}

func (a *author) failing(name, script, test string, not []string) edit {
	return edit{name: name, script: script, test: test, want: control.Rejected, fails: true, says: "ssh_test.lua:", not: not}
}

// syntax cuts a script within its braces.
func (a *author) syntax() edit {
	other := a.ports()
	text := editedScript(other, a.ttl, "tcp/22")
	first, last := strings.Index(text, "{")+1, strings.LastIndex(text, "}")
	return edit{name: "a script that is cut", script: text[:first+a.r.IntN(last-first)], test: editedTest(other), want: control.Rejected, says: "ssh.lua:", not: other}
}

func (a *author) option() edit {
	other := a.ports()
	text := strings.Replace(editedScript(other, a.ttl, "tcp/22"), "ttl =", "tlt =", 1)
	return edit{name: "an unknown option", script: text, test: editedTest(other), want: control.Rejected, says: "ssh.lua:", not: other}
}

// TestRealEdits edits a script and its tests at random, while a crowd knocks at another door. After
// each edit the outcome and the generation are those of a naive model, and the door opens to the
// knocks of the model alone. At the end each packet was counted. SESAME_EDITS is the number of
// edits, SESAME_EDITS_SEED makes others.
func TestRealEdits(t *testing.T) {
	edits, seed := fromEnvironment(t, "SESAME_EDITS", 40), fromEnvironment(t, "SESAME_EDITS_SEED", 1)
	a := newAuthor(seed)
	w := newWorld(t, map[string]string{"ssh.lua": a.script, "ssh_test.lua": a.test, "crowd.lua": crowdDoor})
	// All tests must run, also on a busy machine: this is the longest budget.
	config := w.path("sesame.toml")
	if err := os.WriteFile(config, []byte("[tests]\nbudget = \"1m\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.flags = []string{"-c", config}
	w.start()
	c := w.crowd(edits)
	outcomes := map[control.ReloadOutcome]int{}
	for i := range edits {
		e := a.next()
		c.waitForBatch()
		w.write("ssh.lua", e.script)
		w.write("ssh_test.lua", e.test)
		w.reloadsAs(a, e)
		w.opensAs(c, a, e, i)
		if t.Failed() {
			t.Fatalf("edit %d of seed %d: %s\n%s%s", i+1, seed, e.name, e.script, e.test)
		}
		outcomes[e.want]++
	}
	rate := c.end()
	w.allCounted(c, edits)
	if got := w.status().Scripts.Generation; got != a.generation {
		t.Errorf("generation %d: expected %d", got, a.generation)
	}
	t.Logf("%d edits: %v; %d knocks, %d a second", edits, outcomes, c.knocks.Load(), rate)
}

// allCounted checks that each packet was counted, and each knock of the crowd is a miss, or an
// attempt that is not over. The knocks that opened the other door may have left some more.
func (w *world) allCounted(c *crowd, opens int) {
	w.Helper()
	packets, knocks := int(c.packets.Load()), int(c.knocks.Load())
	w.eventually("all is judged", func() bool { return w.status().Counts.Packets >= packets })
	s := w.status()
	// Packets to no address of the host are not ours.
	packets += s.Counts.Dropped["not_local"]
	if s.Counts.Packets != packets || s.Counts.Knocks != knocks || s.Counts.Opens != opens || s.Capture.Lost != 0 {
		w.Errorf("%+v, %d lost: expected %d packets, %d knocks, %d opens", s.Counts, s.Capture.Lost, packets, knocks, opens)
	}
	crowd := int(c.batches.Load()) * crowdBatch
	if ended := s.Counts.Misses + s.Live.Attempts; ended < crowd || ended > knocks {
		w.Errorf("%d misses and %d attempts: expected %d to %d of both", s.Counts.Misses, s.Live.Attempts, crowd, knocks)
	}
}

// reloadsAs reloads, and checks what comes of it. The daemon notices edits by itself too. When it
// did so first, nothing is left to apply.
func (w *world) reloadsAs(a *author, e edit) {
	w.Helper()
	ran := w.sesame("reload", "--json")
	var o control.Outcome
	if err := json.Unmarshal([]byte(ran.stdout), &o); err != nil {
		w.Fatalf("%v: %+v", err, ran)
	}
	rejected := e.want == control.Rejected
	noticed := e.want == control.Applied && o.Outcome == control.Unchanged
	if o.Outcome != e.want && !noticed || o.Generation != a.generation || (ran.status == done) == rejected {
		w.Errorf("exit status %d, %+v: expected %s, generation %d", ran.status, o, e.want, a.generation)
	}
	if failed := o.Tests != nil && o.Tests.Failed > 0; failed != e.fails || rejected && !strings.HasPrefix(o.Error, e.says) {
		w.Errorf("%+v, tests %+v: expected an error that begins with %q, and that a test fails: %t", o, o.Tests, e.says, e.fails)
	}
	if o.Tests != nil && (o.Tests.Off != "" || o.Tests.NotRunCount+o.Tests.SkippedCount > 0) {
		w.Errorf("not all tests ran: %+v", o.Tests)
	}
}

// opensAs tries the knocks that must not open, and then those of the model. The packets are judged
// in this order. So when the second have opened, the first have been judged.
func (w *world) opensAs(c *crowd, a *author, e edit, number int) {
	w.Helper()
	before := w.status().Counts.Opens
	c.send(livetest.Source6(2*number), a.sequence, e.not)
	who := livetest.Source6(2*number + 1)
	c.send(who, a.sequence, a.sequence)
	w.eventually("the sequence of the model opens", func() bool { return w.status().Counts.Opens > before })
	if opens := w.status().Counts.Opens; opens != before+1 {
		w.Errorf("%d opens: expected one more than %d", opens, before)
	}
	grants := w.grants()
	at := slices.IndexFunc(grants, func(g control.Grant) bool { return g.By == who })
	if at < 0 {
		w.Errorf("%s has no grant", who)
		return
	}
	if g := grants[at]; g.Door != "ssh" || g.Port.String() != "tcp/22" || time.Duration(g.TTL) != a.ttl {
		w.Errorf("%+v: expected tcp/22 for %v", g, a.ttl)
	}
}
