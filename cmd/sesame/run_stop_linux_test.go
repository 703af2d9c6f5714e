package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon"
	"sesame/daemon/config"
	"sesame/daemon/logtest"
)

// A start that waits for the disk of the state directory blames the disk when it does not answer,
// and nothing when a signal comes.
func TestASignalWhileTheStateIsPrepared(t *testing.T) {
	const never = time.Hour
	broken := handed{Err: "broken"}
	for _, test := range []struct {
		name           string
		signal, answer time.Duration // when they come
		killed         bool          // the answer is that a signal ended the process
		err            string
		stops          bool
		took           time.Duration
	}{
		{"it answers", never, time.Second, false, "broken", false, time.Second},
		{"the disk does not answer", never, never, false, "the disk does not answer", false, handPatience},
		{"the signal came before", 0, never, false, "", true, 0},
		{"the signal comes first", time.Second, 2 * time.Second, false, "", true, time.Second},
		{"the signal ends the process first", 2 * time.Second, time.Second, true, "", true, 2 * time.Second},
		{"a signal for the process alone", never, time.Second, true, "broken", false, handPatience},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				answered, began := make(chan handed, 1), time.Now()
				defer time.AfterFunc(test.signal, stop).Stop()
				defer time.AfterFunc(test.answer, func() {
					answer := broken
					answer.killed = test.killed
					answered <- answer
				}).Stop()
				if test.signal == 0 {
					stop()
				}
				result, err := awaitHanded(ctx, answered)
				if test.stops != errors.Is(err, context.Canceled) || !test.stops && result.Err != test.err || time.Since(began) != test.took {
					t.Errorf("%q, %v after %v", result.Err, err, time.Since(began))
				}
			})
		})
	}
}

// TestRealSignalBeforeRootIsLeft has root told to end before it becomes another user: nothing is
// logged, and the state directory is not touched.
func TestRealSignalBeforeRootIsLeft(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	dir, log := t.TempDir(), &logtest.Buffer{}
	settings := config.Default()
	settings.State, settings.Socket = filepath.Join(dir, "state"), filepath.Join(dir, "run/socket")
	settings.User = config.Value{Text: "root"}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	d := &daemon.Config{Config: settings, Log: hclog.New(&hclog.LoggerOptions{Output: log})}
	if err := leaveRoot(ctx, d, (&program{}).runCommand().Flags()); !errors.Is(err, context.Canceled) || log.String() != "" {
		t.Errorf("%v, and it says %q", err, log)
	}
	if _, err := os.Stat(settings.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory: %v", err)
	}
}
