//go:build linux

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"sesame/daemon/livetest"
)

// spy counts the connections that the server accepts at port 22, in a table of its own.
const spy = `table inet spy {
	counter accepted {}
	chain out { type filter hook output priority 0; tcp sport 22 tcp flags & (syn | ack) == (syn | ack) counter name accepted; }
}`

// accepted returns how many SYN+ACKs the server sent from port 22.
func (w *world) accepted() int {
	w.Helper()
	fields := strings.Fields(w.net.Server.Exec("nft", "list", "counter", "inet", "spy", "accepted"))
	for i, field := range fields {
		if field == "packets" {
			n, err := strconv.Atoi(fields[i+1])
			if err != nil {
				w.Fatal(err)
			}
			return n
		}
	}
	w.Fatalf("no counter: %v", fields)
	return 0
}

// whileTried does something while strangers try port 22 two thousand times a second, each from
// another source.
func (w *world) whileTried(do func()) {
	w.Helper()
	const most, rate = 200_000, 2_000
	ctx, stop := context.WithCancel(w.Context())
	defer stop()
	tried := make(chan int, 1)
	go func() {
		sent, _, _ := w.net.Client.Send(ctx, livetest.Flood(most, livetest.Source4, livetest.MaxSource4, "tcp/22"), rate)
		tried <- sent
	}()
	w.pass(50 * time.Millisecond)
	do()
	w.pass(50 * time.Millisecond)
	stop()
	if n := <-tried; n == 0 {
		w.Error("nobody tried")
	} else {
		w.Logf("%d strangers tried", n)
	}
}

// TestRealUpgrade starts the daemon where a table of an older version stands. The table is made
// anew without a moment in which the port is open, and a session goes on that began with a grant.
func TestRealUpgrade(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	old, err := os.ReadFile(filepath.Join("..", "..", "..", "daemon", "effect", "firewall", "testdata", "guard_before.nft"))
	if err != nil {
		t.Fatal(err)
	}
	w.nft(spy)
	w.nft(string(old) + "\nadd element inet sesame guarded { tcp . 22 }\nadd element inet sesame grants4 { 203.0.113.9 . tcp . 22 timeout 1h }\n")
	conn, err := w.net.Client.Dial("tcp", ssh4, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	echoes(t, conn)
	before := w.accepted()
	w.whileTried(w.start)
	if n := w.accepted() - before; n > 0 {
		t.Errorf("%d strangers got in while the daemon started", n)
	}
	echoes(t, conn)
	w.shut(ssh6)
	if text := w.net.Server.Exec("nft", "list", "table", "inet", "sesame"); strings.Contains(text, `comment "of a standing flow"`) && !strings.Contains(text, "chain input") {
		t.Logf("the table is as it was:\n%s", text)
	}

	t.Log("# and where its own stands: killed, and stopped by a person")
	w.knock(sshKnocks...)
	w.opens(ssh4)
	before = w.accepted()
	w.whileTried(func() {
		w.kill()
		w.start()
		w.stop()
		w.start()
	})
	if n := w.accepted() - before; n > 0 {
		t.Errorf("%d strangers got in while the daemon started again", n)
	}
	w.opens(ssh4)
	echoes(t, conn)
	w.nothingWrong()
}
