package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sesame/daemon/spelling"
)

// A reader fills a configuration from a file, and collects all problems.
type reader struct {
	file, dir string
	lines     map[string]int
	rows      []string // the lines of the document
	config    Config
	problems  Problems
	tolerant  bool // unknown keys are noted, and no problem
}

// read parses the document and reads each of its keys. The order of a map does not matter: problems
// are sorted by line.
func (r *reader) read(text []byte) {
	r.rows = strings.Split(string(text), "\n")
	var document map[string]any
	if err := toml.Unmarshal(text, &document); err != nil {
		r.syntax(err)
		return
	}
	lines, texts := lines(text)
	r.lines = lines
	r.pasted(texts)
	for name, v := range document {
		table, ok := v.(map[string]any)
		switch {
		case strings.Contains(name, "."): // the key was in quotes, or TOML would split it
			r.fail(name, "unknown key %q: leave out the quotes around the key", name)
		case !slices.Contains(tables(), name):
			r.setting(name, v)
		case !ok:
			r.fail(name, "%s is a table: expected [%s] on a line of its own, and its keys below", name, name)
		case name == "options":
			r.options(table)
		default:
			for key, v := range table {
				r.setting(join(name, key), v)
			}
		}
	}
	if len(r.problems) == 0 {
		r.together()
	}
}

// syntax reports a syntax error of TOML.
func (r *reader) syntax(err error) {
	line := 1
	if at, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ = at.Position()
	}
	message := strings.TrimPrefix(err.Error(), "toml: ")
	if strings.HasSuffix(message, "at start of value") {
		message += "; text stands in quotes"
	}
	r.problems = append(r.problems, Problem{r.file, line, "not TOML: " + message + r.hint(line)})
}

// setting reads the value of one key, or reports an unknown key.
func (r *reader) setting(path string, v any) {
	all := Keys()
	i := slices.IndexFunc(all, func(k Key) bool { return k.Name == path })
	if i < 0 {
		if r.tolerant {
			r.config.Newer = append(r.config.Newer, fmt.Sprintf("%s: the key %s of a newer version is not read", r.place(path), path))
			return
		}
		r.unknown(path, all)
		return
	}
	all[i].read(value{r, path, &all[i], v}, &r.config)
}

// unknown reports an unknown key. A known key below the wrong table is a common
// mistake, so the message then shows where the key belongs.
func (r *reader) unknown(path string, all []Key) {
	table, name := tableOf(path), path[strings.LastIndex(path, ".")+1:]
	var known []string
	for _, k := range all {
		if tableOf(k.Name) == table {
			known = append(known, k.Name)
		}
		if k.Name[strings.LastIndex(k.Name, ".")+1:] == name && k.Name != path {
			r.fail(path, "unknown key %q: %s", path, belongs(k.Name))
			return
		}
	}
	if table == "" {
		known = append(known, tables()...)
	}
	r.fail(path, "unknown key %q%s", path, spelling.DidYouMean(path, known))
}

// belongs returns where a key stands in the file.
func belongs(path string) string {
	table := tableOf(path)
	if table == "" {
		return fmt.Sprintf("%s belongs at the head of the file, before the first [table]", path)
	}
	return fmt.Sprintf("%s belongs below [%s]", strings.TrimPrefix(path, table+"."), table)
}

// options reads the values of scripts' options. Their names are checked when
// the scripts are loaded, since the scripts declare them.
func (r *reader) options(table map[string]any) {
	for name, v := range table {
		path := join("options", name)
		if list, ok := v.([]any); ok {
			r.optionList(name, path, list)
			continue
		}
		text, ok := asWritten(v)
		if !ok {
			r.fail(path, "%s: expected text, a number, true or false, or a list of them, got %s", path, kind(v))
			continue
		}
		r.config.Options[name] = Value{Text: text, From: r.place(path)}
	}
}

// optionList reads the value of an option that takes a list. It becomes the text that --set would
// give, where commas separate the entries. So no entry can hold one.
func (r *reader) optionList(name, path string, list []any) {
	texts := make([]string, len(list))
	for i, v := range list {
		text, ok := asWritten(v)
		at := entry(path, i)
		switch {
		case !ok:
			r.fail(at, "%s: expected text, a number, true or false, got %s", at, kind(v))
		case strings.TrimSpace(text) == "":
			r.fail(at, "%s: it is empty: write a value, or leave the entry out", at)
		case strings.Contains(text, ","):
			r.fail(at, "%s: %q has a comma, which separates the entries of a list: write one entry for each", at, shortened(text))
		}
		texts[i] = text
	}
	r.config.Options[name] = Value{Text: strings.Join(texts, ","), From: r.place(path), List: true}
}

// asWritten returns a value as it would be written on a command line. False: it
// is no text, boolean or finite number.
func asWritten(v any) (string, bool) {
	switch v := v.(type) {
	case string, bool, int64:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), v-v == 0 // not so for infinity and NaN
	}
	return "", false
}

// line returns the line of a path, or that of the nearest table or list around it.
func (r *reader) line(path string) int {
	for {
		if line, ok := r.lines[path]; ok {
			return line
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return 1
		}
		path = path[:i]
	}
}

// place returns the file and the line of a path, for messages.
func (r *reader) place(path string) string { return fmt.Sprintf("%s:%d", r.file, r.line(path)) }

func (r *reader) fail(path, format string, args ...any) {
	line := r.line(path)
	r.problems = append(r.problems, Problem{r.file, line, fmt.Sprintf(format, args...) + r.hint(line)})
}

func (r *reader) warn(path, format string, args ...any) {
	r.config.Warnings = append(r.config.Warnings, Problem{r.file, r.line(path), fmt.Sprintf(format, args...)})
}

// has reports whether the file sets a path.
func (r *reader) has(path string) bool { return r.lines[path] > 0 }

// consider warns of settings that make the guards void.
func (r *reader) consider() {
	c := &r.config
	for _, prefix := range c.Trusted {
		if prefix.Bits() == 0 {
			r.warn("trusted", "trusted: %s is every address of its kind: no guard stops anybody who comes with one", prefix)
		}
	}
	if len(c.Interfaces) > 0 && !slices.ContainsFunc(c.Interfaces, func(name string) bool { return !slices.Contains(c.TrustedInterfaces, name) }) {
		r.warn("trusted_interfaces", "trusted_interfaces: all interfaces that are heard are trusted: no guard stops anybody who comes through them")
	}
	if a, err := netip.ParseAddrPort(c.Metrics); err == nil && !a.Addr().Unmap().IsLoopback() {
		r.warn("metrics", "metrics: whoever reaches %s can read the names of the doors and when they open: let only Prometheus reach it, or serve it at 127.0.0.1", c.Metrics)
	}
	if a, err := netip.ParseAddrPort(c.Metrics); err == nil && a.Port() < 1024 {
		r.warn("metrics", "metrics: the port %d takes CAP_NET_BIND_SERVICE, which our units do not give: name one from 1024", a.Port())
	}
	if c.MetricsProgress && c.Metrics != "" {
		r.warn("metrics_progress", "metrics_progress: whoever reads %s, as each user of this machine can, is able to find the sequences of all doors, knock by knock: see docs/security.md", c.Metrics)
	}
	if c.Firewall.Mode == "set" && len(c.Trusted)+len(c.TrustedInterfaces) > 0 {
		r.warn("firewall.mode", "firewall.mode: in set mode the rules are yours, and trusted means nothing to them: accept those networks there")
	}
}

// together checks keys that depend on each other.
func (r *reader) together() {
	f := &r.config.Firewall
	named := []string{"firewall.table", "firewall.set4", "firewall.set6"}
	if f.Mode != "set" {
		for _, path := range named {
			if r.has(path) {
				r.fail(path, `%s is for set mode: add mode = "set" below [firewall], or leave it out`, path)
			}
		}
		return
	}
	if f.Table == "" && !r.has("firewall.table") {
		r.fail("firewall.mode", `set mode needs the table that your sets are in: add table = "inet filter" below [firewall]`)
	}
	for family, path := range map[string]string{"ip": "firewall.set6", "ip6": "firewall.set4"} {
		if f.Family == family && r.has(path) {
			r.fail(path, "%s: a table of the family %s sees no such addresses: name a table of the family inet, or leave it out", path, family)
		}
	}
	if !r.has("firewall.set4") && !r.has("firewall.set6") {
		r.fail("firewall.mode", `set mode needs a set: add set4 or set6, or both, below [firewall]`)
	}
	if r.has("firewall.answer") {
		r.fail("firewall.answer", "firewall.answer is for guard mode: in set mode the rules are yours, and decide what a port answers; leave it out")
	}
	if r.has("firewall.mark") {
		r.fail("firewall.mark", "firewall.mark is for guard mode: in set mode the rules are yours, and can set a mark themselves; leave it out")
	}
}

// tables returns the names of the tables, in the order of the documentation.
func tables() []string {
	found := map[string]bool{"options": true}
	for _, k := range Keys() {
		if table := tableOf(k.Name); table != "" {
			found[table] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
