package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/logtest"
)

// A result is waited for as long as nobody wants the end, and then for some seconds.
func TestFinish(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name         string
		stop, result time.Duration // 0: never
		ended        bool
		took         time.Duration
	}{
		{"nobody wants the end", 0, time.Hour, true, time.Hour},
		{"a little after the end", time.Minute, time.Minute + diskPatience - 1, true, time.Minute + diskPatience - 1},
		{"never", time.Minute, 0, false, time.Minute + diskPatience},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				result, began := make(chan error, 1), time.Now()
				if test.stop > 0 {
					time.AfterFunc(test.stop, stop)
				}
				if test.result > 0 {
					time.AfterFunc(test.result, func() { result <- broken })
				}
				err, ended := finish(ctx, result)
				if ended != test.ended || ended != (err == broken) || time.Since(began) != test.took {
					t.Errorf("%v, %v after %v", err, ended, time.Since(began))
				}
			})
		})
	}
}

// Tasks that are over give their error; those that hang are left behind, with that of the first
// that failed.
func TestJoin(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name  string
		hangs bool
		cause error // why the tasks end; nil: somebody wants it
		want  error
	}{
		{"all end", false, nil, broken},
		{"one hangs", true, nil, nil},
		{"one failed, and one hangs", true, broken, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said := &logtest.Buffer{}
				d := &daemon{config: Config{Config: config.Config{}, Log: hclog.New(&hclog.LoggerOptions{Output: said})}}
				tasks, fail := context.WithCancelCause(t.Context())
				fail(test.cause)
				ended, end := context.WithCancel(t.Context())
				end()
				release := make(chan struct{})
				err := d.join(tasks, ended, func() error {
					if test.hangs {
						<-release
					}
					return broken
				})
				close(release)
				if err != test.want || strings.Contains(said.String(), "does not answer") != test.hangs {
					t.Errorf("%v, and %q", err, said)
				}
			})
		})
	}
}
