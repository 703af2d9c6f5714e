package knockd

import (
	"strings"

	"sesame/daemon/spelling"
)

// A flag is an option of knockd's command line (knockd(1), COMMANDLINE OPTIONS; -p and -g are in
// knockd.c alone).
type flag struct {
	short byte
	long  string
	takes bool // a value
	to    func(*Launch) *Setting
}

var flags = []flag{
	{'i', "interface", true, func(l *Launch) *Setting { return &l.Interface }},
	{'c', "config", true, func(l *Launch) *Setting { return &l.Config }},
	{'g', "logfile", true, func(l *Launch) *Setting { return &l.LogFile }},
	{'p', "pidfile", true, func(l *Launch) *Setting { return &l.PIDFile }},
	{'l', "lookup", false, func(l *Launch) *Setting { return &l.Lookup }},
	{'d', "daemon", false, func(l *Launch) *Setting { return &l.Daemon }},
	{'v', "verbose", false, func(l *Launch) *Setting { return &l.Verbose }},
	{'D', "debug", false, func(l *Launch) *Setting { return &l.Debug }},
	{'4', "only-ip-v4", false, func(l *Launch) *Setting { return &l.OnlyIPv4 }},
	{'h', "help", false, nil},
	{'V', "version", false, nil},
}

// options reads words as getopt_long(3) does for knockd: several short options in one word, a value
// in the same word or in the next, long options by any beginning that only one has, and all of it
// up to "--".
func (d *defaults) options(words []word) {
	for len(words) > 0 {
		w, rest := words[0], words[1:]
		switch text := w.text; {
		case text == "--":
			d.operands(rest)
			return
		case strings.HasPrefix(text, "--"):
			rest = d.long(w, rest)
		case strings.HasPrefix(text, "-") && text != "-":
			rest = d.short(w, rest)
		default:
			d.operands(words[:1])
		}
		words = rest
	}
}

// operands tells of words that are no options.
func (d *defaults) operands(words []word) {
	for _, w := range words {
		d.warn(w.at, "knockd does not look at %s: an option begins with -", shown(w.text))
	}
}

// long reads an option such as --interface=eth0. It returns the words that are left.
func (d *defaults) long(w word, rest []word) []word {
	name, value, given := strings.Cut(w.text[2:], "=")
	var found []flag
	for _, f := range flags {
		if f.long == name {
			found = []flag{f}
			break
		}
		if strings.HasPrefix(f.long, name) {
			found = append(found, f)
		}
	}
	switch {
	case len(found) != 1:
		var known []string
		for _, f := range flags {
			known = append(known, f.long)
		}
		d.refused(w, "--"+name, spelling.DidYouMean(name, known))
	case given && !found[0].takes:
		d.refused(w, w.text, ", since it takes no value")
	case given:
		d.set(found[0], w, value)
	default:
		return d.valued(found[0], w, rest)
	}
	return rest
}

// short reads a word such as -dvi, of which each letter is an option. It returns the words that are
// left.
func (d *defaults) short(w word, rest []word) []word {
	for i := 1; i < len(w.text); i++ {
		f := flag{}
		for _, candidate := range flags {
			if candidate.short == w.text[i] {
				f = candidate
			}
		}
		switch {
		case f.short == 0:
			d.refused(w, "-"+plain(w.text[i:i+1]), "")
			return rest
		case f.takes && i+1 < len(w.text):
			d.set(f, w, w.text[i+1:])
			return rest
		case f.takes:
			return d.valued(f, w, rest)
		}
		d.set(f, w, "")
	}
	return rest
}

// valued sets an option, to the next word if it takes a value. It returns the words that are left.
func (d *defaults) valued(f flag, w word, rest []word) []word {
	switch {
	case !f.takes:
		d.set(f, w, "")
	case len(rest) == 0:
		d.refused(w, w.text, ", since its value is missing")
	default:
		d.set(f, w, rest[0].text)
		return rest[1:]
	}
	return rest
}

// refused tells of an option with which knockd prints its usage and ends.
func (d *defaults) refused(w word, option, why string) {
	d.warn(w.at, "knockd 0.8 does not start with the option %s%s", shown(option), why)
}

// set sets an option. Of two the later one counts.
func (d *defaults) set(f flag, w word, value string) {
	if f.to == nil {
		d.warn(w.at, "with --%s knockd prints it and ends: remove it", f.long)
		return
	}
	*f.to(d.launch) = Setting{value, w.at.File, w.at.Line}
}
