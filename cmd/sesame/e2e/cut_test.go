//go:build linux

package e2e

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// ends waits until a session ends. A server that is cut off ends it with a reset.
func (w *world) ends(conn net.Conn) {
	w.Helper()
	w.eventually("the session ends", func() bool {
		if err := conn.SetDeadline(time.Now().Add(shutLimit)); err != nil {
			w.Fatal(err)
		}
		_, err := conn.Write([]byte("x"))
		if err == nil {
			_, err = conn.Read(make([]byte, 10))
		}
		return err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
	})
}

// session opens a session to the guarded port, and checks that it is answered.
func (w *world) session(address string) net.Conn {
	w.Helper()
	conn, err := w.net.Client.Dial("tcp", address, patience)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { conn.Close() })
	echoes(w.T, conn)
	return conn
}

// TestRealRevokeCut ends grants, with and without the sessions that they let in. The service goes
// on, and lets the next one in.
func TestRealRevokeCut(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	older := w.session(ssh6) // from before the guard, over the other family
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	first := w.session(ssh4)
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
	echoes(t, first)

	w.knock(sshKnocks...)
	w.opens(ssh4)
	second := w.session(ssh4)
	w.answer("revoke", "--cut", "203.0.113.9")
	w.shuts(ssh4)
	w.ends(second)
	echoes(t, older)

	w.knock(sshKnocks...)
	w.opens(ssh4)
	echoes(t, w.session(ssh4))
	w.nothingWrong()
}

// TestRealDoorThatCuts has a door whose sessions end with the grant.
func TestRealDoorThatCuts(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(sshDoor, `"2s"`, `"2s", cut = true`, 1)})
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	conn := w.session(ssh4)
	w.ends(conn)
	w.eventually("the grant has ended", func() bool { return len(w.grants()) == 0 })
	w.shut(ssh4)
	w.knock(sshKnocks...)
	w.opens(ssh4)
	echoes(t, w.session(ssh4))
	w.nothingWrong()
}
