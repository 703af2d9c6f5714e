//go:build linux

package e2e

import (
	"strings"
	"testing"
)

// wordDoor opens once for one word, and counts the knocks of each source.
const wordDoor = `
sesame.script "beacon"
sesame.listen "beacon" {
  on       = "udp/6220",
  guards   = "tcp/22",
  ttl      = "1s",
  on_knock = function(knock)
    knock.store:incr("knocks")
    if sesame.store:once("word", "1h") then knock:allow() end
  end,
}`

// TestRealStore shows what a live daemon has stored, and makes it forget that. What was forgotten
// stays forgotten, also when the daemon is killed right after the answer.
func TestRealStore(t *testing.T) {
	w := newWorld(t, map[string]string{"b.lua": wordDoor})
	w.start()
	knocks := func(want string) {
		w.Helper()
		w.send(w.net.Client.IPv4.Addr(), "udp/6220")
		w.eventually(want+" knocks are counted", func() bool {
			e := w.sesame("store", "get", "beacon", "knocks", "--source", w.net.Client.IPv4.Addr().String())
			return e.stdout == want+"\n"
		})
	}
	knocks("1")
	w.opens(ssh4)
	list := w.answer("store", "list", "beacon")
	for _, want := range []string{`beacon  shared`, `"word"    boolean`, `"knocks"  number`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list has no %s:\n%s", want, list)
		}
	}
	w.shuts(ssh4)
	w.kill()
	w.start()
	knocks("2")
	w.shut(ssh4)

	t.Log("# forgotten, and killed at once")
	if got := w.answer("store", "forget", "beacon", "word"); got != "forgot 1 value of beacon\n" {
		t.Errorf("forget: %q", got)
	}
	w.kill()
	w.start()
	if list := w.answer("store", "list"); strings.Contains(list, "word") || !strings.Contains(list, "knocks") {
		t.Errorf("after the crash the list is:\n%s", list)
	}
	knocks("3")
	w.opens(ssh4)
	w.shuts(ssh4)

	t.Log("# all of it, and the recording tells the same")
	if got := w.answer("store", "forget", "beacon", "--all"); got != "forgot 2 values of beacon\n" {
		t.Errorf("forget --all: %q", got)
	}
	w.logged("stored values were forgotten, as a person requested")
	if strings.Contains(w.log(), "word") {
		t.Error("the log has a key")
	}
	knocks("1")
	w.opens(ssh4)
	live, recording := w.recorded()
	replayed := withoutSummary(w.answerOffline("simulate", "--format", "jsonl", recording))
	if opens := strings.Count(replayed, `"event":"open"`); opens != 2 || replayed != live {
		t.Errorf("%d doors open in the replay, expected 2. Live:\n%s\nreplayed:\n%s", opens, live, replayed)
	}
	if e := w.sesame("store", "forget", "nobody", "--all"); e.status != 1 {
		t.Errorf("forget of what is not there: %+v", e)
	}
	w.nothingWrong()
}
