package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

// errNoDaemon means that no daemon answers on this machine.
var errNoDaemon = control.ErrNoDaemon

// oldRunning asks the daemon of this machine what it recorded, which has its scripts. The error is
// errNoDaemon when none answers.
func (p *program) oldRunning(ctx context.Context, c *cobra.Command, f *diffFlags, is *newSide) (*oldSide, error) {
	daemon := control.Dial(f.daemonSocket(&is.settings))
	daemon.Claims = claims(c)
	status, err := daemon.Status(ctx)
	var recording bytes.Buffer
	if err == nil {
		err = daemon.Record(ctx, &recording)
	}
	if err != nil {
		return nil, err
	}
	was := &oldSide{recording: recording.Bytes()}
	if was.latest, err = simulate.LatestIn(was.recording, "the daemon's recording"); err != nil {
		return nil, err
	}
	if was.latest == nil {
		return nil, errors.New("what the daemon sent is no recording: is it of another version?")
	}
	if was.set, err = was.latest.Load(is.files.Base); err != nil {
		return nil, fmt.Errorf("the scripts that the daemon recorded: %w", err)
	}
	was.recorder = was.set.Engine
	was.name = fmt.Sprintf("the running daemon, generation %d, with %s", status.Scripts.Generation, transcript.Count(len(was.set.Engine.Doors), "door"))
	return was, nil
}

// daemonSocket returns the socket of the daemon: that of --socket, of the environment, of the
// configuration that was read, or of this machine's.
func (f *diffFlags) daemonSocket(settings *config.Config) string {
	if socket := givenSocket(f.socket); socket != "" {
		return socket
	}
	if settings.File == "" {
		if of, err := loadConfig(""); err == nil {
			return of.Socket
		}
	}
	return settings.Socket
}
