//go:build linux

package e2e

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/livetest"
)

// A rotator runs the real logrotate with our configuration, for the files of a daemon.
type rotator struct {
	*world
	conf, path string
	called     string // the file with the arguments of systemctl
}

// newRotator takes the file that we ship, with other places. A systemctl of the test's own sends
// the signal.
func newRotator(w *world, places ...string) *rotator {
	w.Helper()
	if _, err := exec.LookPath("logrotate"); err != nil {
		w.Skip(err)
	}
	text, err := os.ReadFile("../../../daemon/systemd/logrotate.conf")
	if err != nil {
		w.Fatal(err)
	}
	r := &rotator{world: w, conf: w.path("logrotate.conf"), called: w.path("called")}
	r.path = w.path("bin") + ":/usr/sbin:/usr/bin:/sbin:/bin"
	changed := strings.NewReplacer(append(places, "su sesame sesame", "su root root")...).Replace(string(text))
	systemctl := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%s\nkill -USR1 $(cat %s)\n", r.called, w.path("pid"))
	err = errors.Join(os.WriteFile(r.conf, []byte(changed), 0o644), os.Mkdir(w.path("bin"), 0o755), os.WriteFile(w.path("bin/systemctl"), []byte(systemctl), 0o755))
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// rotate moves all files away that have something in them.
func (r *rotator) rotate() {
	r.Helper()
	pid := fmt.Sprint(r.daemon.cmd.Process.Pid)
	if err := os.WriteFile(r.world.path("pid"), []byte(pid), 0o644); err != nil {
		r.Fatal(err)
	}
	cmd := exec.Command("logrotate", "-f", "-s", r.world.path("rotated"), r.conf)
	cmd.Env = []string{"PATH=" + r.path}
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		r.Fatalf("logrotate: %v\n%s", err, out)
	}
}

// lines returns the lines of a log and of all that it was before.
func (r *rotator) lines(path string) (all []string) {
	r.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		r.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err == nil && filepath.Ext(name) == ".gz" {
			text, err = unzipped(name)
		}
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, slices.Collect(strings.Lines(string(text)))...)
	}
	return all
}

func unzipped(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// TestRealLogrotate rotates while lines are written. None is lost, and no old file stays open.
func TestRealLogrotate(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	logs := w.path("logs")
	if err := errors.Join(os.Mkdir(logs, 0o750), os.WriteFile(w.path("sesame.toml"), []byte("[log]\nknockd = \"logs/knockd.log\"\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	r := newRotator(w, "/var/log/sesame", logs)
	w.flags = []string{"-c", w.path("sesame.toml")}
	w.start()
	path := filepath.Join(logs, "knockd.log")
	const rounds, each = 4, 60
	for round := range rounds {
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range each {
				w.send(livetest.Source4(round*each+i), sshKnocks[0])
			}
		}()
		w.eventually("there is something to rotate", func() bool {
			info, err := os.Stat(path)
			return err == nil && info.Size() > 0
		})
		r.rotate()
		<-sent
		w.eventually("the lines are written", func() bool { return strings.Count(strings.Join(r.lines(path), ""), "Stage 1") >= (round+1)*each })
	}
	var stages []string
	for _, line := range r.lines(path) {
		if strings.Contains(line, ": ssh: Stage 1") {
			stages = append(stages, strings.Fields(line)[2])
		}
	}
	slices.Sort(stages)
	if got := slices.Compact(slices.Clone(stages)); len(stages) != rounds*each || len(got) != rounds*each {
		t.Errorf("%d lines, of %d sources: expected %d", len(stages), len(got), rounds*each)
	}
	w.eventually("the daemon has the file open that has the path", func() bool { return slices.Equal(openLogs(w), []string{path}) })
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("the file has the mode %v, %v", info.Mode(), err)
	}
	if text, err := os.ReadFile(r.called); err != nil || string(text) != strings.Repeat("kill --kill-who=main --signal=USR1 sesame.service\n", rounds) {
		t.Errorf("systemctl was called with %q, %v", text, err)
	}
	if strings.Contains(w.log(), "scripts") || w.status().Scripts.Generation != 1 {
		t.Errorf("the signal had the scripts loaded again:\n%s", w.log())
	}
	w.nothingWrong()
}

// openLogs returns which files with "logs/" or "audit" in their path the daemon has open.
func openLogs(w *world) (paths []string) {
	w.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", w.daemon.cmd.Process.Pid))
	if err != nil {
		w.Fatal(err)
	}
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && (strings.Contains(path, "/logs/") || strings.Contains(path, "audit")) {
			paths = append(paths, path)
		}
	}
	return paths
}
