//go:build linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/livetest"
)

// TestRealConfEditedWhileKnocking edits a knockd.conf while somebody is on the way
// through a door that stays as it was. With knockd all attempts end, and a mistake
// ends knockd.
func TestRealConfEditedWhileKnocking(t *testing.T) {
	touch := fmt.Sprintf(touchConf, 600)
	const other = "[other]\n\tsequence = 5001,5002\n\tcommand = echo other >> BOOK\n"
	w := newKnockd(t, touch+other)
	w.start()
	onTheWay := func(source int) {
		t.Helper()
		w.send(livetest.Source4(source), "tcp/4519", "udp/8204")
		w.eventually("an attempt is on its way", func() bool { return w.status().Live.Attempts == 1 })
	}
	var ran []string
	arrives := func(source int) {
		t.Helper()
		w.send(livetest.Source4(source), "tcp/3127")
		ran = append(ran, "in_"+livetest.Source4(source).String())
		w.hasRun(ran...)
	}

	t.Log("# another door is changed")
	onTheWay(1)
	w.conf(touch + strings.Replace(other, "5002", "5003", 1))
	w.logged("scripts applied: generation=2")
	arrives(1)

	t.Log("# a mistake, on the line before the last")
	onTheWay(2)
	broken := touch + other[:len(other)-len("\tcommand = echo other >> BOOK\n")] + "\tcomand = echo other >> BOOK\n\n"
	line := fmt.Sprintf("%s:%d: ", w.path("knockd.conf"), strings.Count(broken, "\n")-1)
	w.conf(broken)
	w.logged(line)
	contains(t, w.log(), "scripts rejected: the old ones stay: generation=2", `"comand"`)
	if e := w.sesame("status", "--strict"); e.status != answerNo {
		t.Errorf("exit status %d", e.status)
	} else {
		contains(t, e.stdout, "wrong: the scripts were rejected at ", "and generation 2 still runs:\n", line)
	}
	arrives(2)
	w.knockds(server4, "5001", "5003")
	ran = append(ran, "other")
	w.hasRun(ran...)

	t.Log("# put back as it was")
	onTheWay(3)
	w.conf(touch + strings.Replace(other, "5002", "5003", 1))
	w.becomes()
	arrives(3)
	if e := w.reload(); e.status != done || !strings.HasPrefix(e.stdout, "unchanged: ") {
		t.Errorf("%+v", e)
	}
	if s := w.status(); s.Scripts.Generation != 2 || s.Counts.Misses != 0 {
		t.Errorf("generation %d, %d misses", s.Scripts.Generation, s.Counts.Misses)
	}

	t.Log("# the same mistake again is told again")
	w.conf(broken)
	w.eventually("it is reported", func() bool { return strings.Count(w.log(), "scripts rejected") == 2 })
	w.conf(touch + other)
	w.logged("scripts applied: generation=3")
	w.nothingWrong()
}

// TestRealShippedKnockdConf runs the shipped knockd.conf with another program in
// the place of the one that starts and stops the SSH server: the log has knockd's
// lines, and nothing else.
func TestRealShippedKnockdConf(t *testing.T) {
	const shipped, service = "../../../scripts/knockd/", "/etc/init.d/ssh"
	w := newWorld(t, nil)
	for _, name := range []string{"knockd.lua", "knockd.conf"} {
		text, err := os.ReadFile(shipped + name)
		if err != nil {
			t.Fatal(err)
		}
		// A machine with much else to do may need longer for the knocks of a real client.
		w.write(name, strings.NewReplacer(service, w.path("ssh"), "seq_timeout = 5", "seq_timeout = 300").Replace(string(text)))
	}
	program, settings := w.path("ssh"), w.path("sesame.toml")
	for path, file := range map[string]struct {
		text string
		mode os.FileMode
	}{
		program:  {"#!/bin/sh\necho service \"$1\" >> " + w.path("book") + "\n", 0o755},
		settings: {"[log]\nknockd = \"knockd.log\"\n", 0o644},
	} {
		if err := os.WriteFile(path, []byte(file.text), file.mode); err != nil {
			t.Fatal(err)
		}
	}
	w.flags = []string{"-c", settings, "-i", w.net.Server.Interface}
	w.start()
	w.knockds(server4, "7000", "3000", "55000", "1500")
	w.hasRun("service_start")
	w.knockds(server6, "9000", "8000", "7000")
	w.hasRun("service_start", "service_stop")

	t.Log("# what knockd has no line for")
	w.send(livetest.Source4(1), "udp/7000", "tcp/4000") // not its ports
	w.send(livetest.Source4(2), "tcp/7000", "tcp/9000") // wrong
	w.send(livetest.Source4(3), "tcp/9000", "tcp/8000") // on its way at the end
	w.eventually("they are received", func() bool { return w.status().Counts.Knocks >= 7+4 })
	if err := w.daemon.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	log := &logReader{world: w, name: "sesame", file: w.path("knockd.log")}
	again := reread + w.scripts
	w.eventually(again, func() bool { return slices.Contains(log.inFile(), again) })
	if status := w.stop(); status != done {
		t.Errorf("exit status %d", status)
	}
	six := w.net.Client.IPv6.Addr().String()
	if diff := cmp.Diff([]string{
		"starting up, listening on " + w.net.Server.Interface,
		"203.0.113.9: openSSH: Stage 1",
		"203.0.113.9: openSSH: Stage 2",
		"203.0.113.9: openSSH: Stage 3",
		"203.0.113.9: openSSH: Stage 4",
		"203.0.113.9: openSSH: OPEN SESAME",
		"openSSH: running command: " + program + " start",
		six + ": closeSSH: Stage 1",
		six + ": closeSSH: Stage 2",
		six + ": closeSSH: Stage 3",
		six + ": closeSSH: OPEN SESAME",
		"closeSSH: running command: " + program + " stop",
		"198.18.0.2: openSSH: Stage 1",
		"198.18.0.3: closeSSH: Stage 1",
		"198.18.0.3: closeSSH: Stage 2",
		again,
		"shutting down",
	}, log.inFile()); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	text := w.content("knockd.log")
	for line := range strings.Lines(text) {
		if !fileHead.MatchString(line) || !strings.HasSuffix(line, "\n") {
			t.Errorf("no line of knockd's: %q", line)
		}
	}
}
