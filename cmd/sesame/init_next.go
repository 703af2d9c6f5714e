package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"sesame/daemon/config"
)

// A beginning is where an init wrote its files, and what a person can run next there.
type beginning struct {
	dir     string // as it was named
	guards  string // the port of the door
	read    string // the scripts that a daemon reads which no flag tells otherwise
	ours    bool   // whether dir is read
	service bool   // whether systemd runs here and has our unit
	linux   bool   // whether a daemon can run here
	private bool   // whether the files are root's alone
	plain   bool   // whether a person is root without sudo, which may not be installed then
}

// unitPaths are where systemd looks for the unit of the daemon.
var unitPaths = []string{"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// begun looks around after an init, on the machine whose files are below root.
func begun(dir, guards, root string) beginning {
	settings, err := config.Load(root + config.Path) // as the units do, whatever the environment names
	if err != nil {
		settings = config.Default() // it is missing, or sesame run tells what is wrong with it
	}
	b := beginning{dir: dir, guards: guards, read: settings.Scripts, linux: runtime.GOOS == "linux"}
	b.by(os.Geteuid(), os.Getenv("SUDO_UID"))
	if here, err := os.Stat(dir); err == nil {
		read, err := os.Stat(b.read)
		b.ours = err == nil && os.SameFile(here, read)
	}
	for _, path := range unitPaths {
		b.service = b.service || exists(filepath.Join(root, path, "sesame.service"))
	}
	b.service = b.service && exists(filepath.Join(root, "/run/systemd/system"))
	return b
}

// by says who wrote the files: a user, and for root the one that sudo was run by, "" without it.
func (b *beginning) by(uid int, sudoUID string) {
	b.private = uid == 0
	b.plain = b.private && sudoUID == ""
}

// next returns the commands that make sense after an init. The first ones close nothing.
func (b *beginning) next() string {
	root, reader, scripts := "sudo ", "", " -s "+word(b.dir)
	if b.plain {
		root = ""
	}
	if b.private {
		reader = root
	}
	first := [][2]string{{reader + "sesame test" + scripts, ""}, {reader + "sesame check" + scripts, ""}}
	if !b.linux {
		return "Next:\n" + explained(first)
	}
	if b.ours {
		scripts = ""
	}
	first = append(first, [2]string{root + "sesame run --observe" + scripts, "closes nothing: knock, look, then press Ctrl-C"})
	text := "Next:\n" + explained(first)
	then := [][2]string{{root + "sesame run" + scripts, "in this terminal; with a second way in"}}
	if b.ours && b.service {
		then = [][2]string{{root + "systemctl enable --now sesame", "now and at each boot; with a second way in"}}
	}
	text += fmt.Sprintf("Then, to close %s to all who did not knock:\n", b.guards) + explained(then)
	if b.service && !b.ours {
		text += fmt.Sprintf("The service reads %s: name this directory as scripts in %s before you start it.\n", b.read, config.Path)
	}
	return text
}

// explained returns commands with what they do behind them.
func explained(commands [][2]string) string {
	width := 0
	for _, c := range commands {
		width = max(width, len(c[0]))
	}
	var text strings.Builder
	for _, c := range commands {
		line := "    " + c[0]
		if c[1] != "" {
			line = fmt.Sprintf("    %-*s  # %s", width, c[0], c[1])
		}
		text.WriteString(line + "\n")
	}
	return text.String()
}
