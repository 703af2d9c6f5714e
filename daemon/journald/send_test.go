//go:build linux

package journald

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logtest"
)

// listen takes the place of journald.
func listen(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// next returns the message of the next entry.
func next(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	buffer := make([]byte, 1<<20)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 { // a probe
			continue
		}
		fields, err := Parse(buffer[:n])
		if err != nil {
			t.Fatal(err)
		}
		return fields[2].Value
	}
}

func TestEntriesAreSent(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "journal")
	var stderr logtest.Buffer
	if _, err := Open(socket, &stderr); err == nil || !strings.Contains(err.Error(), "sending to the journal at "+socket+": no such file") {
		t.Errorf("without a socket: %v", err)
	}
	journal := listen(t, socket)
	s, err := Open(socket, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	log := NewLogger(s, hclog.Info)
	log.Info("one", "text", strings.Repeat("long ", 10_000))
	if got := next(t, journal); !strings.HasPrefix(got, "[INFO]  one: text=") || !strings.HasSuffix(got, cut) {
		t.Errorf("got %.100q", got)
	}

	t.Log("# the journal is gone")
	journal.Close()
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	log.Warn("two")
	if got := stderr.String(); got != "<4>[WARN]  two\n" {
		t.Errorf("standard error got %q", got)
	}

	t.Log("# and is there again")
	journal = listen(t, socket)
	log.Info("three")
	if got := next(t, journal); got != "[INFO]  three" {
		t.Errorf("got %q", got)
	}
	s.otherwise = refusing{}
	journal.Close()
	if _, err := s.Write(Lost(1, nil)); err == nil {
		t.Error("an entry that nobody took was taken")
	}
}

type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, os.ErrClosed }

// TestAFullJournalIsWaitedFor has a journal that does not read for a while. Nothing is lost, and a
// new sender does not wait.
func TestAFullJournalIsWaitedFor(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "journal")
	journal := listen(t, socket)
	var stderr bytes.Buffer
	s, err := Open(socket, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 2000 // more than net.unix.max_dgram_qlen
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		log := NewLogger(s, hclog.Info)
		for range lines {
			log.Info("a line")
		}
	}()
	for full := false; !full; {
		err := s.send(nil, 0x40) // MSG_DONTWAIT
		full = err != nil
	}
	if _, err := Open(socket, &stderr); err != nil {
		t.Errorf("a full journal is taken for none: %v", err)
	}
	for range lines {
		next(t, journal)
	}
	<-sent
	if stderr.Len() > 0 {
		t.Errorf("standard error got %q", stderr.String())
	}
}
