//go:build linux

package e2e

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sesame/daemon/control"
	"sesame/daemon/livetest"
)

// TestRealFullDisk fills the disk of the state directory.
func TestRealFullDisk(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(mountDoor, sshDoor, longDoor, 1)})
	w.mountState("size=256k,mode=0700")
	w.start()
	ballast, err := os.Create(filepath.Join(w.state, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for size := 4096; size > 0; {
		if _, err := ballast.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}

	// The journal has some room of its own, and until that is used up all goes well.
	opened := 0
	for ; opened < 2000 && !w.hasReason("journal-unwritable"); opened++ {
		w.send(livetest.Source4(opened), sshKnocks...)
		w.eventually("access is open", func() bool {
			s := w.status()
			return s.Counts.Opens == opened+1 && s.Effects.Queued == 0
		})
	}
	if !w.hasReason("journal-unwritable") {
		t.Fatal("the journal never was full")
	}
	w.knock(sshKnocks...)
	w.opens(ssh4)
	opened++
	w.send(livetest.Source4(0), mountKnocks...)
	w.eventually("the failure is reported", func() bool { return strings.Contains(w.transcript(), "no_journal") })
	contains(t, w.answer("status"), "no_journal", "no space left on device", "journal-unwritable")
	if got := len(w.grants()); got != opened {
		t.Errorf("%d grants of %d that opened", got, opened)
	}

	t.Log("# a restart on a full disk")
	w.kill()
	w.start()
	if got := len(w.grants()); got != opened {
		t.Errorf("%d grants, and %d before the restart", got, opened)
	}
	w.opens(ssh4)
	w.shut(ssh6)

	t.Log("# there is room again")
	if err := ballast.Truncate(0); err != nil {
		t.Fatal(err)
	}
	w.eventually("the journal is written", func() bool { return !w.hasReason("journal-unwritable") })
	w.send(livetest.Source4(0), mountKnocks...)
	w.eventually("the command runs", func() bool { return w.status().Counts.Opens == 1 && !strings.Contains(w.transcript(), "no_journal") })
	w.kill()
	w.start()
	w.opens(ssh4)
	if got := len(w.grants()); got < opened {
		t.Errorf("%d grants after the restart, want %d", got, opened)
	}
}

// TestRealTornJournal damages the journal while no daemon runs: in each of its
// last bytes, and with garbage in its middle.
func TestRealTornJournal(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	name := filepath.Join(w.state, "journal")
	for i := range 3 {
		w.send(livetest.Source4(i), sshKnocks...)
		// Opened is not yet written.
		w.eventually("access is recorded", func() bool {
			text, _ := os.ReadFile(name)
			return bytes.Contains(text, []byte(livetest.Source4(i).String()))
		})
	}
	w.kill()
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.TrimRight(whole, "\x00")
	for _, tt := range []struct {
		name    string
		journal []byte
		grants  int
		says    string
	}{
		{"torn", text[:len(text)-7], 2, "the last line of the journal was not whole"},
		{"torn with zeros behind", append(bytes.Clone(text[:len(text)-7]), make([]byte, 4096)...), 2, "the last line of the journal was not whole"},
		{"overwritten", bytes.Replace(text, []byte(livetest.Source4(1).String()), []byte("198.18.9.1"), 1), 2, "the journal was damaged"},
		{"empty", nil, 0, ""},
		{"garbage", bytes.Repeat([]byte{0xff, '\n'}, 1000), 0, "the journal was damaged"},
	} {
		// The kernel still has what the journal lost, and a daemon would adopt it.
		w.net.Server.Exec("nft", "flush", "ruleset")
		if err := os.WriteFile(name, tt.journal, 0o600); err != nil {
			t.Fatal(err)
		}
		w.start()
		if got := len(w.grants()); got != tt.grants {
			t.Errorf("%s: %d grants, want %d", tt.name, got, tt.grants)
		}
		contains(t, w.log(), tt.says)
		w.shut(ssh4)
		w.send(livetest.Source4(100), sshKnocks...)
		w.eventually("a knock opens", func() bool { return len(w.grants()) == tt.grants+1 })
		w.kill()
	}

	t.Log("# what is in the kernel alone is adopted")
	w.start()
	w.knock(sshKnocks...)
	w.opens(ssh4)
	w.kill()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.opens(ssh4)
	w.answer("revoke", "203.0.113.9")
	w.shuts(ssh4)
}

// TestRealCommands has commands that do what commands do.
func TestRealCommands(t *testing.T) {
	w := newWorld(t, nil)
	// Each door has a knock of its own, and an undo that writes that it ran.
	book, gate := w.path("book"), w.gate("gate")
	w.write("doors.lua", strings.NewReplacer("BOOK", book, "GATE", gate.path).Replace(`
local stuck = sesame.command { required = true, "/bin/sh", "-c", "cat GATE; true", timeout = "10m", undo = { "/bin/true" } }
local hangs = sesame.command { required = true, "/bin/sh", "-c", "sleep 60", timeout = "300ms", undo = { "/bin/sh", "-c", "echo undo hangs >> BOOK" } }
local deaf  = sesame.command { required = true, "/bin/sh", "-c", "trap '' TERM; sleep 60; sleep 60", timeout = "300ms", undo = { "/bin/sh", "-c", "echo undo deaf >> BOOK" } }
local fails = sesame.command { required = true, "/bin/sh", "-c", "echo some words >&2; exit 3", undo = { "/bin/sh", "-c", "echo undo fails >> BOOK" } }
local none  = sesame.command { required = true, "/no/such/program", undo = { "/bin/sh", "-c", "echo undo none >> BOOK" } }
local forks = sesame.command { required = true, "/bin/sh", "-c", "sleep 5 & echo forked", undo = { "/bin/sh", "-c", "echo undo forks >> BOOK" } }
local loud  = sesame.command { required = true, "/bin/sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x", undo = { "/bin/sh", "-c", "echo undo loud >> BOOK; exit 1" } }
local ttl = "10m" -- no access ends by itself
sesame.door "hangs" { sequence = { "tcp/7001", "tcp/7101" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(hangs) a:allow() end }
sesame.door "deaf"  { sequence = { "tcp/7002", "tcp/7102" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(deaf)  a:allow() end }
sesame.door "fails" { sequence = { "tcp/7003", "tcp/7103" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(fails) a:allow() end }
sesame.door "none"  { sequence = { "tcp/7004", "tcp/7104" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(none)  a:allow() end }
sesame.door "forks" { sequence = { "tcp/7005", "tcp/7105" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(forks) a:allow() end }
sesame.door "loud"  { sequence = { "tcp/7006", "tcp/7106" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(loud)  a:allow() end }
sesame.door "stuck" { sequence = { "tcp/7008", "tcp/7108" }, guards = "tcp/22", ttl = ttl, on_open = function(a) a:exec(stuck) a:allow() end }
sesame.door "plain" { sequence = { "tcp/7007", "tcp/7107" }, guards = "tcp/22", ttl = ttl }
`))
	w.start()
	me := w.net.Client.IPv4.Addr()
	for _, port := range []string{"1", "2", "3", "4"} {
		w.send(me, "tcp/700"+port, "tcp/710"+port)
	}
	w.shut(ssh4)
	w.send(me, "tcp/7008", "tcp/7108")
	w.send(me, "tcp/7007", "tcp/7107")
	w.opens(ssh4) // while the command of the door stuck still runs: it waits for the gate
	gate.open()
	w.logged("access opened: door=stuck")
	w.eventually("four doors have failed", func() bool { return strings.Count(w.transcript(), `"event":"failed"`) == 4 })
	revoke := func() {
		t.Helper()
		if _, err := w.client().Revoke(t.Context(), control.RevokeRequest{Source: control.Source{Prefix: netip.PrefixFrom(me, 32)}}); err != nil {
			t.Fatal(err)
		}
		w.shuts(ssh4)
	}
	revoke()
	contains(t, w.transcript(), "it still ran after 300ms", "exit status 3", "running /no/such/program: no such file or directory")
	contains(t, w.log(), "some words")

	w.send(me, "tcp/7005", "tcp/7105")
	w.opens(ssh4) // though a child of the command holds its output open
	revoke()
	w.send(me, "tcp/7006", "tcp/7106")
	w.opens(ssh4)
	revoke()
	w.eventually("nothing is pending", func() bool {
		s := w.status()
		return s.Live.Grants == 0 && s.Effects.Queued == 0
	})
	text, _ := os.ReadFile(book)
	contains(t, string(text), "undo forks", "undo loud")
	contains(t, w.answer("status"), "an undo command for 203.0.113.9 (door loud) failed at")
	if len(w.log()) > 100_000 {
		t.Errorf("the log has %d bytes", len(w.log()))
	}
	if codes := strings.Join(w.codes(), " "); codes != "command-missing command-fails" {
		t.Errorf("wrong: %s", codes)
	}
}

// TestRealNobodyReadsTheLog takes away who reads the log, or lets it read nothing.
func TestRealNobodyReadsTheLog(t *testing.T) {
	for _, gone := range []bool{true, false} {
		t.Run(map[bool]string{true: "gone", false: "stuck"}[gone], func(t *testing.T) {
			w := newWorld(t, map[string]string{"ssh.lua": longDoor})
			config := w.path("sesame.toml")
			if err := os.WriteFile(config, []byte("[log]\nlevel = \"trace\"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			w.flags = []string{"-c", config}
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			w.launchInto(write)
			w.eventually("the daemon answers", func() bool {
				_, err := w.client().Status(w.Context())
				return err == nil
			})
			if gone {
				read.Close()
			}
			for i := range 300 { // more than a pipe takes
				w.send(livetest.Source4(i), sshKnocks...)
			}
			w.eventually("all get in", func() bool { return len(w.grants()) == 300 })
			w.knock(sshKnocks...)
			w.opens(ssh4)
			if status := w.stop(); status != done {
				t.Errorf("exit status %d", status)
			}
			w.opens(ssh4)
		})
	}
}

// TestRealFrozen stops the daemon as a debugger does, or a machine that swaps: when
// it continues, it decides by when knocks came, and not by when it saw them. The door has seconds,
// since two knocks may be that far apart on a busy machine.
func TestRealFrozen(t *testing.T) {
	const within, longer = 6 * time.Second, 7 * time.Second
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(longDoor, "10s", within.String(), 1)})
	w.start()
	freeze := func(s os.Signal) {
		if err := w.daemon.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	early, late := livetest.Source4(1), livetest.Source4(2)

	freeze(syscall.SIGSTOP)
	w.send(early, sshKnocks...) // in time, and seen too late
	w.send(late, sshKnocks[:2]...)
	w.pass(longer)
	w.send(late, sshKnocks[2]) // too late, and seen at once after
	freeze(syscall.SIGCONT)
	w.eventually("all is received", func() bool { return w.status().Counts.Knocks == 6 })
	text := w.transcript()
	contains(t, text, `"event":"open","door":"ssh","source":"`+early.String()+`"`, `"source":"`+late.String()+`","stage":2,"stages":3,"reason":"total_timeout"`)
	if strings.Count(text, `"event":"open"`) != 1 {
		t.Errorf("too late a knock opened:\n%s", text)
	}

	t.Log("# a timer is due while it is frozen, and a knock came before it was")
	w.send(late, sshKnocks[:2]...)
	w.eventually("the attempt is on its way", func() bool { return w.status().Live.Attempts == 1 })
	freeze(syscall.SIGSTOP)
	w.send(late, sshKnocks[2])
	w.pass(longer)
	freeze(syscall.SIGCONT)
	w.eventually("it opens", func() bool { return w.status().Counts.Opens == 2 })
	live, recording := w.recorded()
	if replayed := w.answerOffline("simulate", "--format", "jsonl", recording); withoutSummary(replayed) != live {
		t.Errorf("live:\n%s\nreplayed:\n%s", live, replayed)
	}
}
