package knockd

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// ScriptOptions choose how a script is written.
type ScriptOptions struct {
	// Native turns the commands that open a port in a well-known way into
	// guards.
	Native bool
}

const (
	// maxTemplate is the length of the longest argument of sesame.command in bytes: scripting holds
	// it.
	maxTemplate = 4096
	// maxLocals is how many commands are variables of the whole file. Lua has room for 200 in a
	// function. With more, each door is a block with variables of its own.
	maxLocals = 150
)

// Script returns the file as a Lua script that opens the same doors. The doors are in their order,
// with a comment for each warning and for each setting that a script cannot have. The same file
// gives the same text, byte by byte. Every script loads, whatever the file contains: FuzzScript
// proves it.
func (f *File) Script(o ScriptOptions) string {
	w := &writer{file: f, names: variables{}}
	if o.Native {
		w.conversions = f.conversions()
	}
	w.header(o)
	commands := 0
	for i := range f.Doors {
		commands += len(w.actions(i))
	}
	w.blocks = commands > maxLocals
	for i := range f.Doors {
		w.door(i)
	}
	return string(w.text)
}

// A writer writes one script.
type writer struct {
	text        []byte
	file        *File
	names       variables
	conversions []conversion // by door; nil: all commands stay
	blocks      bool         // each door is a block, because there are too many variables
}

func (w *writer) write(s string) { w.text = append(w.text, s...) }

// comment writes a text as lines of comment.
func (w *writer) comment(format string, args ...any) {
	w.write(commentLines(fmt.Sprintf(format, args...)))
}

// header writes the comment at the head of the script, and the policy.
func (w *writer) header(o ScriptOptions) {
	w.comment("The doors of %s, matched by knockd's rules. Made by sesame import knockd.", w.file.Path)
	w.write("--\n")
	w.options()
	w.write("--\n")
	w.comment(`Commands run as knockd runs them: by /bin/sh, with the source in the place of %%IP%%. A command that fails is logged, and counts as done (status = "any"). ` +
		"A stop command runs when the ttl of its start command is over, also when Sesame was restarted in between.")
	if o.Native {
		w.comment("Where guards stand, knockd ran a command that let the source through the firewall. A guard shuts its port to everyone without a " +
			"grant, IPv4 and IPv6, whatever another rule accepts: name those who may always come in as trusted in sesame.toml. " +
			"Another chain that drops by default must let in what is granted: sesame check and sesame run print the line that it needs.")
	}
	w.comment("All that is different from knockd is in docs/from-knockd.md.")
	for _, t := range w.file.Warnings {
		if t.Door == "" {
			w.write("--\n")
			w.warning(t)
		}
	}
	w.write("\nsesame.policy \"knockd\"\n")
}

// options writes for each setting of [options] what to write into sesame.toml instead.
func (w *writer) options() {
	o := w.file.Options
	w.comment("Its section [options] says how knockd runs. Sesame has the same settings in sesame.toml:")
	row := func(knockd, sesame string) {
		w.write("--   " + plain(knockd) + "  ->  " + plain(sesame) + "\n")
	}
	if o.LogFile != "" {
		row("logfile = "+o.LogFile, "[log] knockd = "+strconv.Quote(o.LogFile))
	}
	if o.Syslog {
		row("UseSyslog", "[log] knockd_syslog = true")
	}
	if o.LogFile == "" && !o.Syslog {
		row("no log", `knockd's lines are written with [log] knockd = "/var/log/knockd.log" or knockd_syslog = true`)
	}
	if o.Interface != "" {
		row("interface = "+o.Interface, "interfaces = ["+strconv.Quote(o.Interface)+"]")
	} else {
		row("no interface: eth0, or what -i names", "everywhere, unless it says where: interfaces = [\"eth0\"]")
	}
	if o.PIDFile != "" {
		row("pidfile = "+o.PIDFile, "none is needed")
	}
}

// warning writes a warning as a comment.
func (w *writer) warning(t Warning) {
	w.comment("%s:%d: %s", path.Base(cmp.Or(t.File, w.file.Path)), t.Line, t.Text)
}

// door writes one door with its warnings and commands. One that is Unreachable is a comment as a
// whole.
func (w *writer) door(i int) {
	d := &w.file.Doors[i]
	w.write("\n")
	for _, t := range w.file.Warnings {
		if t.Door == d.Name {
			w.warning(t)
		}
	}
	if d.Unreachable {
		w.comment("So it never opens, and is left out. It would be:")
		w.write("--\n" + commentedOut(w.doorText(i)))
		return
	}
	text := w.doorText(i)
	if w.blocks {
		text = "do\n" + text + "end\n"
	}
	w.write(text)
}

// doorText returns one door with its commands and the comments about them.
func (w *writer) doorText(i int) string {
	outer := w.text
	w.text = nil
	defer func() { w.text = outer }()
	d := &w.file.Doors[i]
	list := w.knockOptions(d)
	if w.conversions != nil && w.conversions[i].converted() {
		list = append(list, w.guardOptions(d, &w.conversions[i])...)
	} else {
		list = append(list, w.commandOptions(i)...)
	}
	w.write("sesame.door " + luaString(d.Name) + " {\n" + options(list) + "}\n")
	return string(w.text)
}

// commentedOut returns lines of Lua as comment.
func commentedOut(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight("-- "+line, " \n") + "\n")
	}
	return b.String()
}

// knockOptions returns the options that decide which packets are knocks of the door.
func (w *writer) knockOptions(d *Door) (list []option) {
	if len(d.Sequence) > 0 {
		list = append(list, option{key: "sequence", value: ports(d.Sequence, false)})
	}
	if d.OneTime != "" {
		list = append(list, option{key: "one_time_sequences", value: luaString(d.OneTime)})
	}
	list = append(list, option{key: "within", value: luaString(seconds(max(d.Timeout, 0)))})
	flags := option{key: "flags", value: luaString(flagText(d.Flags))}
	switch {
	case d.Flags != (engine.FlagTest{}):
	case d.takesTCP():
		flags.remark = "none in the file: any TCP packet is a knock"
	default:
		// What a TCP packet of another door must carry to end an attempt in this one.
		flags.remark = "none in the file: any TCP packet that counts ends an attempt"
	}
	if list = append(list, flags); d.Target.IsValid() {
		list = append(list, option{key: "target", value: luaString(d.Target.String())})
	}
	return list
}

// commandOptions writes the declarations of a door's commands, and returns the option on_open that
// runs them.
func (w *writer) commandOptions(i int) []option {
	d := &w.file.Doors[i]
	if w.conversions != nil && w.conversions[i].why != "" {
		w.comment("It stays a command: %s.", w.conversions[i].why)
	}
	run := map[family]string{}
	for _, a := range w.actions(i) {
		if problem := a.problem(); problem != "" {
			w.comment("Its command cannot be run, so that nothing is done: %s.", problem)
			w.comment("It was: %s", a.start)
			continue
		}
		name := w.names.name(d.Name, a.suffix)
		w.write("local " + name + " = sesame.command {\n" + options(a.options(d)) + "}\n\n")
		for _, f := range a.families {
			run[f] = name
		}
	}
	four, six := run[ipv4], run[ipv6]
	switch {
	case four == "" && six == "":
		return nil
	case four == six:
		return []option{{key: "on_open", value: "function(attempt) attempt:exec(" + four + ") end"}}
	case six == "":
		return []option{{key: "on_open", value: onlyFor("ipv4", four)}}
	case four == "":
		return []option{{key: "on_open", value: onlyFor("ipv6", six)}}
	}
	return []option{{key: "on_open", value: "function(attempt)\n" +
		"    if attempt.family == \"ipv6\" then attempt:exec(" + six + ") else attempt:exec(" + four + ") end\n  end"}}
}

// onlyFor returns an on_open that runs a command for one address family.
func onlyFor(family, command string) string {
	return "function(attempt)\n    if attempt.family == " + luaString(family) + " then attempt:exec(" + command + ") end\n  end"
}

// actions returns what a door runs in the script: nothing when it was converted.
func (w *writer) actions(i int) []action {
	if w.conversions != nil && w.conversions[i].converted() {
		return nil
	}
	return w.file.Doors[i].actions()
}

// problem returns the reason for which a command cannot be declared, or "".
func (a *action) problem() string {
	for _, command := range []string{a.start, a.stop} {
		switch {
		case len(template(command)) > maxTemplate:
			return fmt.Sprintf("it has more than %d bytes: put it into a file, and run that", maxTemplate)
		case strings.Contains(command, "\x00"):
			return "it has a zero byte"
		}
	}
	return ""
}

// options returns the options of sesame.command.
func (a *action) options(d *Door) []option {
	const shell = `"/bin/sh", "-c", `
	list := []option{{value: shell + luaString(template(a.start))}}
	if a.stop != "" {
		ttl := option{key: "ttl", value: luaString(seconds(d.CommandTimeout))}
		if d.CommandTimeout <= 0 {
			ttl = option{key: "ttl", value: luaString("1ms"), remark: "at once, as knockd does"}
		}
		list = append(list, option{key: "undo", value: "{ " + shell + luaString(template(a.stop)) + " }"}, ttl)
	}
	return append(list, option{key: "timeout", value: `"1m"`}, option{key: "status", value: `"any"`})
}

// ports returns ports as a table. With single, one port is a string by itself.
func ports(all []packet.Port, single bool) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	if single {
		return oneOrMore(texts)
	}
	return list(texts)
}

// flagText returns flags as scripts have them: "syn,!ack", or "any".
func flagText(test engine.FlagTest) string {
	var texts []string
	for _, f := range flagNames {
		switch name := strings.ToLower(f.name); {
		case test.Set&f.flag != 0:
			texts = append(texts, name)
		case test.Clear&f.flag != 0:
			texts = append(texts, "!"+name)
		}
	}
	if texts == nil {
		return "any"
	}
	return strings.Join(texts, ",")
}

// guardOptions writes what knockd runs for the door as comments, and returns the options that take
// the place of it.
func (w *writer) guardOptions(d *Door, n *conversion) []option {
	for _, of := range []family{ipv4, ipv6} {
		a := d.action(of)
		if of == ipv6 && a.start == d.Start.Text && a.stop == d.Stop.Text {
			continue
		}
		text := "knockd runs: " + a.start
		if a.stop != "" {
			text += " -- and after " + seconds(d.CommandTimeout) + ": " + a.stop
		}
		w.comment("%s", text)
	}
	for _, note := range n.notes {
		w.comment("%s", note)
	}
	if n.guards != nil {
		return []option{{key: "guards", value: ports(n.guards, true)}, {key: "ttl", value: luaString(n.ttl), remark: n.remark}}
	}
	var b strings.Builder
	b.WriteString("function(attempt)")
	if len(n.closes) == 1 {
		fmt.Fprintf(&b, " attempt:close %s end", luaString(n.closes[0]))
		return []option{{key: "on_open", value: b.String()}}
	}
	for _, name := range n.closes {
		fmt.Fprintf(&b, "\n    attempt:close %s", luaString(name))
	}
	b.WriteString("\n  end")
	return []option{{key: "on_open", value: b.String()}}
}
