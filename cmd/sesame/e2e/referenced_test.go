//go:build linux

package e2e

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/livetest"
)

// outside gives a file that is no script its text, by renaming.
func (w *world) outside(name, text string) {
	w.Helper()
	if err := errors.Join(os.WriteFile(w.path(name+".new"), []byte(text), 0o600), os.Rename(w.path(name+".new"), w.path(name))); err != nil {
		w.Fatal(err)
	}
}

func (w *world) content(name string) string {
	text, err := os.ReadFile(w.path(name))
	if err != nil && !os.IsNotExist(err) {
		w.Fatal(err)
	}
	return string(text)
}

// TestRealKnockdConfDirectly has the doors of a knockd.conf that a script reads,
// while that is edited.
func TestRealKnockdConfDirectly(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	conf := "[touch]\n\tsequence = 4519,8204:udp,3127\n\ttcpflags = syn\n\tcommand = echo %IP% >> " + w.path("done") + "\n"
	w.outside("knockd.conf", conf)
	w.write("knockd.lua", `sesame.knockd "../knockd.conf"`)
	w.start()
	w.logged("privileges are kept for commands")
	w.knock(webKnocks...)
	w.eventually("the command ran", func() bool { return w.content("done") == w.net.Client.IPv4.Addr().String()+"\n" })

	t.Log("# edited")
	w.outside("knockd.conf", strings.Replace(conf, "3127", "3128", 1))
	w.logged("scripts applied: generation=2")
	w.knock("tcp/4519", "udp/8204", "tcp/3128")
	w.eventually("the new sequence opens", func() bool { return strings.Count(w.content("done"), "\n") == 2 })

	t.Log("# broken: the old one stays, and its line is told")
	w.outside("knockd.conf", conf+"timeouts = 3\n")
	w.logged("scripts rejected")
	w.logged(w.path("knockd.conf") + ":5: ")
	w.knock("tcp/4519", "udp/8204", "tcp/3128")
	w.eventually("the old sequence opens", func() bool { return strings.Count(w.content("done"), "\n") == 3 })
	if e := w.reload(); e.status != 1 || !strings.Contains(e.stderr, "knockd.conf:5: ") {
		t.Errorf("%+v", e)
	}

	t.Log("# mended by an edit in place")
	if err := os.WriteFile(w.path("knockd.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	w.logged("scripts applied: generation=3")
	w.nothingWrong()

	t.Log("# gone at the next start: the last good one runs")
	w.stop()
	if err := os.Remove(w.path("knockd.conf")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.logged("the scripts that were applied last run")
	w.knock(webKnocks...)
	w.eventually("it opens", func() bool { return strings.Count(w.content("done"), "\n") == 4 })
}

// TestRealOneTimeSequencesAndReloads uses sequences of a file, each of which makes
// the daemon read it again.
func TestRealOneTimeSequencesAndReloads(t *testing.T) {
	w := newWorld(t, map[string]string{"long.lua": `sesame.door "long" { sequence = { "tcp/1111", "tcp/2222", "tcp/3333" }, within = "1m", guards = "tcp/23", ttl = "10m" }`})
	w.outside("once", "7421,9133:udp,2904\n4519,8204:udp,3127\n7421,9133:udp,2904\n")
	w.write("ssh.lua", `sesame.door "ssh" { one_time_sequences = "../once", guards = "tcp/22", ttl = "10m" }`)
	w.start()
	w.send(livetest.Source4(5), "tcp/1111", "tcp/2222")
	marked := func(text string) {
		t.Helper()
		w.eventually("the line is marked, and the file read", func() bool { return w.content("once") == text && !w.status().Scripts.Drift })
	}
	w.send(livetest.Source4(1), sshKnocks...)
	marked("#421,9133:udp,2904\n4519,8204:udp,3127\n7421,9133:udp,2904\n")
	w.send(livetest.Source4(2), sshKnocks...) // used
	w.send(livetest.Source4(3), webKnocks...)
	marked("#421,9133:udp,2904\n#519,8204:udp,3127\n7421,9133:udp,2904\n")
	w.send(livetest.Source4(5), "tcp/3333") // an attempt that all of this left alone
	w.eventually("three have opened", func() bool { return w.status().Counts.Opens == 3 })
	if s := w.status(); s.Scripts.Generation != 1 || s.LastReload.Outcome.Outcome != "" {
		t.Errorf("generation %d, after %+v", s.Scripts.Generation, s.LastReload)
	}
	if log := w.log(); strings.Contains(log, "scripts applied") || strings.Contains(log, "reject") {
		t.Errorf("the log:\n%s", log)
	}
	w.nothingWrong()

	t.Log("# the recording has the file, and is exact")
	live, recording := w.recorded()
	replayed := w.answerOffline("simulate", "--format", "jsonl", recording)
	if diff := cmp.Diff(strings.Split(live, "\n"), strings.Split(withoutSummary(replayed), "\n")); diff != "" {
		t.Errorf("the transcripts differ (-live +replayed):\n%s", diff)
	}

	t.Log("# after a crash, too, what was used is used")
	w.kill()
	w.start()
	w.send(livetest.Source4(6), webKnocks...)
	w.send(livetest.Source4(7), sshKnocks...)
	marked("#421,9133:udp,2904\n#519,8204:udp,3127\n#421,9133:udp,2904\n")
	w.send(livetest.Source4(8), sshKnocks...)
	w.send(livetest.Source4(8), webKnocks...)
	w.logged("no one-time sequence left")
	w.eventually("all were received", func() bool { return w.status().Counts.Knocks >= 3 })
	if s := w.status(); s.Counts.Opens != 1 {
		t.Errorf("%d opens", s.Counts.Opens)
	}
}
