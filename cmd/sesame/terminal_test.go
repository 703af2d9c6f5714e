package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestColor(t *testing.T) {
	var pipe bytes.Buffer
	if !color("always", &pipe) || color("never", &pipe) || color("auto", &pipe) {
		t.Error("a pipe has colours only when they are asked for")
	}
	t.Setenv("NO_COLOR", "1")
	if !color("always", &pipe) {
		t.Error("an explicit wish is stronger than NO_COLOR")
	}
}

// What comes from elsewhere is waited for at an interrupt: its end is not this program's to choose.
func TestStreams(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	passed := fmt.Sprintf("/dev/fd/%d", out.Fd()) // as of <(tcpdump -w -), and as /dev/stdin is one
	for _, test := range []struct{ captures, want []string }{
		{nil, nil},
		{[]string{file, dir, filepath.Join(dir, "none")}, nil},
		{[]string{file, "-"}, []string{"standard input"}},
		{[]string{pipe, file, passed}, []string{pipe, passed}},
	} {
		if got := streams(test.captures); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.captures, got, test.want)
		}
	}
}

func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	bar := &progress{w: &screen}
	bar.draw("small.pcap", 1<<20, worthwhile-1)
	bar.clear()
	if screen.Len() > 0 {
		t.Errorf("a small file has a bar: %q", screen.String())
	}
	for read := range int64(1000) {
		bar.draw("big\x1b.pcap", read<<20, 1000<<20)
	}
	if drawn := strings.Count(screen.String(), "\r"); drawn != 100 {
		t.Errorf("drawn %d times, want once a percent", drawn)
	}
	if want := "\r\x1b[Kbig\ufffd.pcap [" + strings.Repeat("=", 29) + " ] 99%"; !strings.HasSuffix(screen.String(), want) {
		t.Errorf("ends %q, want %q", screen.String()[screen.Len()-60:], want)
	}
	screen.Reset()
	out := behindBar{bar, &screen}
	out.Write([]byte("a line\n"))
	out.Write([]byte("another\n"))
	if want := "\r\x1b[Ka line\nanother\n"; screen.String() != want {
		t.Errorf("a line behind a bar is %q, want %q", screen.String(), want)
	}
	bar.draw("grows.pcap", 200<<20, 100<<20) // it grew since it was opened
}

func TestProgressOfRuns(t *testing.T) {
	var screen bytes.Buffer
	bar := &progress{w: &screen}
	if bar.runs(1, worthwhilePackets) != nil || bar.runs(1000, worthwhilePackets/1000-1) != nil {
		t.Error("what takes no time has a bar")
	}
	made := bar.runs(1000, worthwhilePackets/1000)
	for i := range 1000 {
		made(i + 1)
	}
	if drawn := strings.Count(screen.String(), "\r"); drawn != 101 {
		t.Errorf("drawn %d times, want once a percent", drawn)
	}
	if want := "\r\x1b[K1,000 runs [" + strings.Repeat("=", 30) + "] 100%"; !strings.HasSuffix(screen.String(), want) {
		t.Errorf("ends %q, want %q", screen.String()[screen.Len()-60:], want)
	}
}
