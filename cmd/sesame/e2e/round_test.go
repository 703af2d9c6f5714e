//go:build linux

package e2e

import (
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

func TestRealRound(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": sshDoor})
	w.opens(ssh4)
	w.start()
	w.shut(ssh4)
	w.shut(ssh6)

	w.knockAt(server4, sshKnocks...)
	w.opens(ssh4)
	end := w.end()
	w.shut(ssh6) // nobody knocked there
	conn, err := w.net.Client.Dial("tcp", ssh4, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	w.shuts(ssh4)
	w.notBefore(end)
	w.eventually("the grant has ended", func() bool { return len(w.grants()) == 0 })

	t.Log("# the session goes on")
	echoes(t, conn)
	contains(t, w.transcript(), `"event":"open","door":"ssh","source":"203.0.113.9"`, `"effect":"allow","grant":1,"port":"tcp/22","ttl":"2s"`,
		`"event":"close","door":"ssh","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired"`)

	t.Log("# again")
	w.knockAt(server4, sshKnocks...)
	w.opens(ssh4)
	w.eventually("the program prints the transcript", func() bool { return w.answer("events", "--json") == w.transcript() })
	recording := w.path("recording.pcapng")
	w.eventually("the program replays what the program recorded", func() bool {
		w.answer("record", "--force", recording)
		return withoutSummary(w.answerOffline("simulate", "--format", "jsonl", recording)) == w.transcript()
	})
	w.strict(done, "health: ok")
}

// echoes checks that the other end of a connection sends back what it gets.
func echoes(t *testing.T, conn interface {
	io.ReadWriter
	SetDeadline(time.Time) error
}) {
	t.Helper()
	const text = "still there"
	got := make([]byte, len(text))
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRealWrongOrder(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.knockAt(server4, "tcp/7421", "tcp/2904", "udp/9133")
	w.knockAt(server4, "udp/9133", "tcp/7421", "tcp/2904")
	w.knockAt(server4, "tcp/7421", "udp/9133", "tcp/2905") // another port than the door's: the attempt continues
	w.eventually("all knocks are counted", func() bool { return w.status().Counts.Knocks == 8 })
	w.shut(ssh4)
	w.knockAt(server4, "tcp/7421", "udp/9133", "tcp/7421", "tcp/2904")
	w.eventually("all knocks are counted", func() bool { return w.status().Counts.Knocks == 12 })
	w.shut(ssh4)
	if text := w.transcript(); strings.Contains(text, `"event":"open"`) {
		t.Errorf("a door opened:\n%s", text)
	}
	w.knockAt(server4, "udp/9133", "tcp/7421", "udp/9133", "tcp/2904") // a wrong one before does not matter
	w.opens(ssh4)
}

func TestRealIPv6(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": sshDoor})
	w.start()
	w.knockAt(server6, sshKnocks...)
	w.opens(ssh6)
	w.shut(ssh4)
	contains(t, w.transcript(), `"event":"open","door":"ssh","source":"2001:db8:9::9"`)
	w.shuts(ssh6)
}

// TestRealForeignClient knocks with the client of knockd.
func TestRealForeignClient(t *testing.T) {
	const program = "/usr/bin/knock"
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.net.Client.Exec(program, "-d", "20", server4, "7421:tcp", "9133:udp", "2904:tcp")
	w.opens(ssh4)
}

// TestRealThen knocks as people do, with the pace that is the default.
func TestRealThen(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	knock := func(last string) ended {
		return w.runOn(w.net.Client, "sesame", "knock", "--then", "tcp/22", server4, "tcp/7421", "udp/9133", last)
	}
	if e := knock("tcp/2905"); e.status != 1 {
		t.Errorf("wrong knocks: exit status %d\n%s%s", e.status, e.stdout, e.stderr)
	}
	if e := knock("tcp/2904"); e.status != 0 {
		t.Errorf("exit status %d\n%s%s", e.status, e.stdout, e.stderr)
	}
}

// TestRealTwoSources opens a door to one source alone.
func TestRealTwoSources(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.send(livetest.Source4(5), sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	if out := w.answer("grants"); !strings.Contains(out, livetest.Source4(5).String()) || !strings.Contains(out, "203.0.113.9") {
		t.Errorf("grants:\n%s", out)
	}
}
