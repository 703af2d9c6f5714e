//go:build linux

package e2e

import (
	"strings"
	"testing"
)

func TestRealObserve(t *testing.T) {
	g := newGuestbook(t, "10m")
	g.gates("in", "out")
	g.flags = []string{"--observe"}
	g.start()
	g.opens(ssh4) // nothing is shut
	g.eventually("who would have been stopped is named", func() bool { return len(g.status().Stopped) == 1 })
	out := g.answer("status")
	if !strings.HasPrefix(out, "health: ok\nobserve: decisions are only reported; nothing is guarded, opened or run\nthese would have been stopped:\n") {
		t.Errorf("status:\n%s", out)
	}
	contains(t, out, "203.0.113.9      tcp/22, ")

	g.knock(sshKnocks...)
	g.eventually("the decision is reported", func() bool { return strings.Contains(g.transcript(), `"effect":"allow"`) })
	contains(t, g.transcript(), `"event":"open"`, `"effect":"exec"`)
	contains(t, g.answer("grants"), "(observed)")
	if status := g.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	if text := g.signed(); text != "" {
		t.Errorf("a command ran:\n%s", text)
	}

	t.Log("# enforced, from the same state")
	g.flags = nil
	g.start()
	g.shut(ssh4)
	if got := g.grants(); len(got) != 0 {
		t.Errorf("grants %+v", got)
	}
	g.knock(sshKnocks...)
	g.opens(ssh4)
	g.wrote("in ends", 1)
	g.nothingWrong()

	t.Log("# and back")
	g.kill()
	g.flags = []string{"--observe"}
	g.start()
	g.opens(ssh6)
	g.logged("ports that were guarded are open to everyone now: mode=observe ports=tcp/22")
}

func TestRealObservedDoor(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor, "web.lua": strings.Replace(webDoor, "ttl", `mode = "observe", ttl`, 1)})
	w.net.Server.Echo(web4)
	w.start()
	w.shut(ssh4)
	w.opens(web4)
	w.eventually("who would have been stopped is named", func() bool { return len(w.status().Stopped) == 1 })
	if out := w.answer("status"); !strings.HasPrefix(out, "health: ok\nobserve: decisions of web are only reported; tcp/443 is not guarded\nthese would have been stopped:\n") {
		t.Errorf("status:\n%s", out)
	} else {
		contains(t, out, "203.0.113.9", "tcp/443, ", "guards     tcp/22\n")
	}
	w.knock(webKnocks...)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.eventually("both doors opened", func() bool { return strings.Count(w.transcript(), `"event":"open"`) == 2 })

	t.Log("# now enforced")
	w.write("web.lua", webDoor)
	w.logged("scripts applied: generation=2")
	w.sesame("revoke", "203.0.113.9", "tcp/443") // what was only told before
	w.shuts(web4)
	w.opens(ssh4)
	w.knock(webKnocks...)
	w.opens(web4)
	w.nothingWrong()
}
