package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/config"
)

func TestTheLogInTheJournal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", stat.Dev, stat.Ino))
	log, flush := startLog(config.Log{Format: "auto", Level: "debug"}, file, filepath.Join(t.TempDir(), "none"))
	log.Info("listening", "interfaces", []string{"eth0"})
	log.Warn("lost", "packets", 3)
	log.Error("reload rejected", "error", errors.New("a.lua:1: \x1b[2Jno\nb.lua:2: no"))
	log.Debug("source", "address", "203.0.113.9")
	log.Trace("never told")
	flush()
	got, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	want := `<6>[INFO]  listening: interfaces=["eth0"]
<4>[WARN]  lost: packets=3
<3>[ERROR] reload rejected:
  error=
  | a.lua:1: \x1b[2Jno
  | b.lua:2: no
  ` + `
<7>[DEBUG] source: address=203.0.113.9
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("the journal reads (-want +got):\n%s", diff)
	}

	t.Log("# the journal has its socket, too")
	socket := filepath.Join(t.TempDir(), "journal")
	journal, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	log, flush = startLog(config.Log{Format: "auto", Level: "info"}, file, socket)
	log.Debug("never told")
	log.Info("open", "door", "ssh")
	flush()
	entry := make([]byte, 1000)
	for range 2 { // the first is a probe
		n, err := journal.Read(entry)
		if err != nil {
			t.Fatal(err)
		}
		entry = entry[:n:1000]
		if n == 0 {
			entry = entry[:1000]
		}
	}
	if want := "PRIORITY=6\nSYSLOG_IDENTIFIER=sesame\nMESSAGE=[INFO]  open: door=ssh\nEVENT=open\nDOOR=ssh\n"; string(entry) != want {
		t.Errorf("the journal got %q", entry)
	}

	t.Log("# with JSON, a program reads what is on standard error")
	log, flush = startLog(config.Log{Format: "json", Level: "info"}, file, socket)
	log.Info("open", "door", "ssh")
	flush()
	if text, err := os.ReadFile(file.Name()); err != nil || !strings.Contains(string(text), `"door":"ssh"`) {
		t.Errorf("standard error got %s, %v", text, err)
	}

	t.Log("# somebody started from a unit, whose output goes elsewhere")
	t.Setenv("JOURNAL_STREAM", "1:1")
	if toJournal(file, "1:1") || toJournal(&bytes.Buffer{}, "1:1") || toJournal(file, "") {
		t.Error("a file that is no journal is taken for one")
	}
}

func TestTheLogForPrograms(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(config.Log{Format: "json", Level: "warn"}, &b, &b)
	log.Info("listening")
	log.Warn("lost", "packets", 3)
	if got := b.String(); !strings.HasPrefix(got, `{"@level":"warn","@message":"lost","@timestamp":"`) || !strings.HasSuffix(got, `","packets":3}`+"\n") {
		t.Errorf("the log reads %s", got)
	}
}

func TestTheLogElsewhere(t *testing.T) {
	var b bytes.Buffer
	log := newLogger(config.Log{Format: "auto", Level: "off"}, &b, &b)
	log.Error("never told")
	log = newLogger(config.Log{Format: "text", Level: "info"}, &b, &b)
	log.Info("listening")
	if got := b.String(); !strings.HasSuffix(got, " [INFO]  listening\n") || len(got) < 30 || strings.Contains(got, "\x1b") {
		t.Errorf("the log reads %q: expected a time, and no colours", got)
	}
}
