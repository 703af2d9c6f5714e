//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"sesame/daemon/journald"
	"sesame/daemon/privileged"
)

// Commands that only systemd, the daemon and the helper run.
const (
	helperName = "helper"
	loaderName = "load-set"
)

// inheritedHelper is the descriptor of the connection that a daemon passes to a helper which it
// starts itself.
const inheritedHelper = 3

// helperIdle is how long a helper waits for the next daemon. A restart takes less.
const helperIdle = 30 * time.Second

// helperFlags say how daemons reach a helper, and what it works with.
type helperFlags struct {
	configFlags

	inherited bool
	listen    string
	owner     int
	directory string
	idle      time.Duration
	settle    bool
}

func (p *program) helperCommand() *cobra.Command {
	f := &helperFlags{}
	c := &cobra.Command{
		Use:   helperName + " [flags]",
		Short: "Read scripts and run their commands for a daemon that is not root",
		Long: `Helper does as root what a daemon of another user asks for: it reads the scripts and the
files that they name, runs the commands that they declare and their undos, and comments out
one-time sequences. It takes the socket that systemd passes (sesame-helper.socket).

With --settle it runs the undo commands that are pending, without a daemon, and ends. Stop
sesame-helper.service before.

The exit status is 0 when it was done, 1 when --settle leaves undo commands pending, and 2 when
it failed.`,
		Example: "  sudo sesame helper --settle",
		Hidden:  true, // systemd starts it, but for --settle
		Args:    noArguments,
		RunE:    func(c *cobra.Command, _ []string) error { return p.help(c, f) },
	}
	f.add(c)
	c.Flags().BoolVar(&f.inherited, "inherited", false, "serve the connection at descriptor 3 until it ends, whatever signals come")
	c.Flags().StringVar(&f.listen, "listen", "", "listen at this path, when no service manager does")
	c.Flags().IntVar(&f.owner, "owner", 0, "the user, by number, who may connect to --listen beside root")
	c.Flags().StringVar(&f.directory, "directory", "", "directory for the journal of undos, of root alone (default the state directory with -helper)")
	c.Flags().DurationVar(&f.idle, "idle", helperIdle, "end when no daemon was connected for so long; 0: never")
	c.Flags().BoolVar(&f.settle, "settle", false, "run the undos that are pending, while no daemon runs, and end")
	return c
}

func loaderCommand() *cobra.Command {
	return &cobra.Command{
		Use:    loaderName,
		Short:  "Tell the helper what scripts declare, without privileges",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(*cobra.Command, []string) error { return privileged.Load(os.Stdin, os.Stdout) },
	}
}

// help runs the helper until it is not needed any more.
func (p *program) help(c *cobra.Command, f *helperFlags) error {
	if f.settle {
		return p.settle(c, f)
	}
	settings, err := f.load(c)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	if f.inherited {
		// Signals for the daemon reach its whole process group or unit. It still needs undos then,
		// and its end is the end of the connection.
		ctx = context.WithoutCancel(ctx)
	}
	serve, err := f.connection()
	if err != nil {
		return err
	}
	// As with run, a stopped terminal or a full pipe must not stop what is logged.
	log, flush := startLog(settings.Log, p.stderr, journald.Socket)
	defer flush()
	log = log.Named(helperName)
	if err := dropGroups(); err != nil {
		log.Warn("commands run with the groups of who started the helper", "error", err)
	}
	server, err := f.server(c, settings.State, log)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, server), server.Close())
}

func (f *helperFlags) server(c *cobra.Command, state string, log hclog.Logger) (*privileged.Server, error) {
	return privileged.New(privileged.Config{
		Settings: func() (privileged.Settings, error) { return f.settings(c) },
		Dir:      cmp.Or(f.directory, helperDir(state)), Loader: []string{"/proc/self/exe", loaderName}, Log: log,
	})
}

// dropGroups leaves the supplementary groups of who started the helper, which commands must not
// have.
func dropGroups() error {
	groups, err := os.Getgroups()
	if err != nil || len(groups) == 0 || os.Geteuid() != 0 {
		return err
	}
	return os.NewSyscallError("setgroups", syscall.Setgroups(nil))
}

// connection returns what serves the daemons, by the way that the flags and the environment say.
func (f *helperFlags) connection() (serve func(context.Context, *privileged.Server) error, err error) {
	if f.inherited {
		conn, err := privileged.Conn(os.NewFile(inheritedHelper, "daemon"))
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, s *privileged.Server) error { return s.Serve(ctx, conn) }, nil
	}
	var socket *net.UnixListener
	if f.listen != "" {
		socket, err = privileged.Listen(f.listen, f.owner)
	} else {
		socket, err = privileged.Activated()
	}
	if err != nil {
		return nil, err
	}
	if socket == nil {
		return nil, fmt.Errorf("systemd starts the helper when it is needed: systemctl enable --now sesame-helper.socket")
	}
	return func(ctx context.Context, s *privileged.Server) error { return s.ServeAt(ctx, socket, f.idle) }, nil
}

// settings returns what the configuration says now.
func (f *helperFlags) settings(c *cobra.Command) (privileged.Settings, error) {
	settings, err := f.load(c)
	if err != nil {
		return privileged.Settings{}, err
	}
	s := privileged.Settings{Scripts: settings.Scripts, Values: map[string]string{}, AllowWritable: settings.AllowWritable, File: settings.File, State: settings.State}
	for _, path := range settings.Readable {
		s.Readable = append(s.Readable, path.Text)
	}
	for name, v := range settings.Options {
		s.Values[name] = v.Text
		if v.List {
			s.Lists = append(s.Lists, name)
		}
	}
	return s, nil
}
