//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/transcript"
)

// request runs a request to the daemon, until a signal ends the program. A refusal of the
// daemon is printed and gives exit status 1.
func (p *program) request(c *cobra.Command, f *configFlags, question func(context.Context, *control.Client) error) error {
	settings, err := p.daemonSettings(c, f)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	daemon := control.Dial(settings.Socket)
	daemon.Claims = claims(c)
	daemon.Waiting = func(limit time.Duration) {
		p.note("the daemon at %s does not answer yet; it is waited for, at most %s", settings.Socket, span(limit))
	}
	err = question(ctx, daemon)
	if refusal, refused := errors.AsType[control.Refusal](err); refused {
		p.note("%s", refusal.Error())
		p.status = answerNo
		return nil
	}
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// daemonSettings returns the settings that find the daemon. When the configuration file is
// broken, it warns and uses the default socket: the daemon may run on with the configuration
// that it read before. Who names the file means the daemon of that file, so then the socket must
// be named too.
func (p *program) daemonSettings(c *cobra.Command, f *configFlags) (config.Config, error) {
	settings, err := f.load(c)
	named, socket := namesConfig(c), namesSocket(c)
	if _, usage := errors.AsType[*usageError](err); err == nil || usage || named && !socket {
		return settings, err
	}
	if named || !socket {
		p.complain(err)
	}
	settings = config.Default()
	if err := f.apply(c, &settings); err != nil || socket {
		return settings, err
	}
	p.warn("taken for the daemon's socket: %s; name another with --socket", settings.Socket)
	return settings, nil
}

// formatTime formats a time as UTC, like transcripts.
func formatTime(t time.Time) string { return transcript.Clock(t) }

// span formats a duration, rounded to seconds from one second on.
func span(d time.Duration) string { return transcript.Rounded(d) }
