package knockd

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode"
)

// knockdLog is where Sesame writes knockd's lines. As another user than root it cannot write into
// /var/log, and beside knockd it would write each line of knockd's file twice.
const knockdLog = "/var/log/sesame/knockd.log"

// Settings returns a sesame.toml with what the section [options] and the command line of knockd
// mean for Sesame: as a setting, or as a comment with the reason why there is none. It only
// observes, since knockd still runs when this is read first. It is TOML, whatever the files have.
func (f *File) Settings(l *Launch) string {
	w := &writer{file: f}
	read := append([]string{f.Path}, l.Files...)
	w.remark("How knockd runs, as settings of Sesame. Made by sesame import knockd of %s. This file belongs into /etc/sesame/sesame.toml.", strings.Join(read, " and "))
	w.write("\n")
	w.remark("Sesame decides everything and does nothing, while knockd still opens the doors. Remove the line when knockd is stopped.")
	w.write("observe = true\n\n")
	w.listenOn(l)
	w.write("\n[log]\n")
	w.knockdLines(l)
	w.unneeded(l)
	return string(w.text)
}

// remark writes a text as lines of a comment of TOML.
func (w *writer) remark(format string, args ...any) {
	for line := range strings.Lines(commentLines(fmt.Sprintf(format, args...))) {
		w.write("#" + strings.TrimPrefix(line, "--"))
	}
}

// place returns where a setting is: "-i in /etc/default/knockd:8".
func (s Setting) place(option string) string {
	return fmt.Sprintf("%s in %s:%d", option, s.File, s.Line)
}

// listenOn writes the interface. An option of the command line counts before one of the file.
func (w *writer) listenOn(l *Launch) {
	name, from := l.Interface.Value, "Interface in "+w.file.Path
	if l.Interface.Set() {
		from = l.Interface.place("-i")
	} else {
		name = w.file.Options.Interface
	}
	switch {
	case name == "":
		w.remark("knockd listens on eth0, since nothing names another interface. Sesame listens on all; for one alone, write:")
		w.write("# interfaces = [\"eth0\"]\n")
	case name == "any":
		w.remark("knockd gets nothing with %s, which names any. Sesame listens on all interfaces unless this names some.", from)
		w.write("# interfaces = [\"eth0\"]\n")
	case !isInterface(name):
		w.remark("%s names %s, which is no interface of Linux. Sesame listens on all, unless this names some.", from, shown(name))
		w.write("# interfaces = [\"eth0\"]\n")
	default:
		w.remark("%s. Without this line Sesame listens on all interfaces.", from)
		w.write("interfaces = [" + strconv.Quote(name) + "]\n")
	}
}

// isInterface reports whether a name can be that of an interface of Linux (dev_valid_name in
// net/core/dev.c), and can be shown.
func isInterface(name string) bool {
	return name != "" && len(name) <= 15 && name != "." && name != ".." && !strings.ContainsAny(name, "/: ") &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// knockdLines writes where knockd's lines go. A LogFile of the file counts before that of the
// command line.
func (w *writer) knockdLines(l *Launch) {
	o := w.file.Options
	logFile, from := o.LogFile, "LogFile in "+w.file.Path
	if logFile == "" && l.LogFile.Set() {
		logFile, from = l.LogFile.Value, l.LogFile.place("-g")
	}
	switch {
	case logFile != "":
		w.remark("knockd writes its lines into %s (%s). Sesame writes the same lines into a file of its own, so that both can be compared. "+
			"What reads knockd's file, such as fail2ban, must be told of this one when knockd is stopped.", logFile, from)
	case o.Syslog:
		w.remark("knockd writes its lines to the system's log (UseSyslog). Sesame writes the same lines into a file, so that both can be compared.")
	default:
		w.remark("knockd writes its lines nowhere. Sesame would write them with this line:")
		w.write("# knockd = " + strconv.Quote(knockdLog) + "\n")
		return
	}
	w.write("knockd = " + strconv.Quote(knockdLog) + "\n")
	if o.Syslog {
		w.remark("The same to the system's log, as soon as knockd is stopped:")
		w.write("# knockd_syslog = true\n")
	}
}

// unneeded writes for each other option why there is no setting.
func (w *writer) unneeded(l *Launch) {
	o := w.file.Options
	var rows []string
	row := func(set bool, from, why string) {
		if set {
			rows = append(rows, from+": "+why)
		}
	}
	row(l.Daemon.Set(), l.Daemon.place("-d"), "not needed, since systemd starts Sesame, and it stays in the foreground.")
	row(o.PIDFile != "", "PidFile in "+w.file.Path, "not needed, since systemd knows the process.")
	row(l.PIDFile.Set(), l.PIDFile.place("-p"), "not needed, since systemd knows the process.")
	row(l.Lookup.Set(), l.Lookup.place("-l"), "none. Names come from whoever owns an address, and asking for them tells others who knocks.")
	row(l.OnlyIPv4.Set(), l.OnlyIPv4.place("-4"), "none. Sesame takes knocks over IPv4 and IPv6.")
	row(l.Verbose.Set(), l.Verbose.place("-v"), "see sesame events -f.")
	row(l.Debug.Set(), l.Debug.place("-D"), "see sesame explain ADDRESS, and level = \"debug\" in [log].")
	row(l.Config.Set(), l.Config.place("-c"), "the script takes the place of the file.")
	if rows == nil {
		return
	}
	w.write("\n")
	w.remark("Options of knockd without a setting here:")
	for _, text := range rows {
		w.remark("- %s", text)
	}
}

// Reads returns the configuration that knockd reads when it is another than one that was imported,
// and "" when it is that one. Both are the same below a copy of /etc.
func (l *Launch) Reads(imported string) string {
	named := path.Clean(cmp.Or(l.Config.Value, imported))
	if !l.Config.Set() || named == path.Clean(imported) || strings.HasSuffix(path.Clean(imported), named) && path.IsAbs(named) {
		return ""
	}
	return l.Config.Value
}
