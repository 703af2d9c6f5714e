//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/transcript"
)

// ask puts a question to the daemon, until a signal ends the program. When the
// answer is no, that is said and is the exit status.
func (p *program) ask(c *cobra.Command, f *configFlags, question func(context.Context, *control.Client) error) error {
	settings, err := p.daemonSettings(c, f)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = question(ctx, control.Dial(settings.Socket))
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

// daemonSettings finds the daemon. It runs whatever has become of its
// configuration file meanwhile, so that a broken one keeps nobody from asking.
func (p *program) daemonSettings(c *cobra.Command, f *configFlags) (config.Config, error) {
	settings, err := f.load(c)
	if _, usage := errors.AsType[*usageError](err); err == nil || usage || c.Flags().Changed("config") {
		return settings, err
	}
	settings = config.Default()
	if f.socket != "" {
		settings.Socket = f.socket
		return settings, nil
	}
	p.complain(err)
	p.warn("taken for the daemon's socket: %s; name another with --socket", settings.Socket)
	return settings, nil
}

// moment writes a time for people, in the time zone of transcripts.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// span writes a duration for people, who need no fractions of a second.
func span(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	return transcript.Duration(d.Round(time.Millisecond))
}

// size writes a number of bytes for people.
func size(n int) string {
	switch {
	case n < 1<<10:
		return transcript.Count(n, "byte")
	case n < 1<<20:
		return strconv.Itoa(n>>10) + " KiB"
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
