package client

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultDelay = 100 * time.Millisecond
	maxDelay     = time.Hour
)

// options are the parsed options of a command line.
type options struct {
	host          string
	knocks        []Knock
	then          *Knock
	delay         time.Duration
	ipv4, ipv6    bool // both or neither: both families
	udp           bool
	verbose       bool
	json          bool
	help, version bool
}

// A Flag is a flag as people see it: with a long name, and perhaps a letter and a value.
type Flag struct {
	Letter byte // 0, which no argument holds: none
	Name   string
	Value  string // what stands for the value; "" for none
	Text   string // what it does
}

// An option is a flag with what it sets.
type option struct {
	Flag
	set func(o *options, value string) error
}

var optionList = []option{
	{Flag{'u', "udp", "", "make all knocks UDP, whatever they say"}, func(o *options, _ string) error { o.udp = true; return nil }},
	{Flag{'d', "delay", "TIME", "time between two knocks: 250 (milliseconds), 1.5s (default 100ms)"}, (*options).setDelay},
	{Flag{'4', "ipv4", "", "knock over IPv4 alone"}, func(o *options, _ string) error { o.ipv4 = true; return nil }},
	{Flag{'6', "ipv6", "", "knock over IPv6 alone"}, func(o *options, _ string) error { o.ipv6 = true; return nil }},
	{Flag{0, "then", "PORT", "report whether this TCP port was closed before and is open after; a port that does not answer is tried for five seconds, one that refuses for one second"}, (*options).setThen},
	{Flag{0, "json", "", "print one JSON object: what was sent, and what --then found"}, func(o *options, _ string) error { o.json = true; return nil }},
	{Flag{'v', "verbose", "", "print each knock, and what was left out"}, func(o *options, _ string) error { o.verbose = true; return nil }},
	{Flag{'V', "version", "", "print the version"}, func(o *options, _ string) error { o.version = true; return nil }},
	{Flag{'h', "help", "", "print this"}, func(o *options, _ string) error { o.help = true; return nil }},
}

// Flags returns all flags, in the order of the help.
func Flags() []Flag {
	all := make([]Flag, len(optionList))
	for i := range optionList {
		all[i] = optionList[i].Flag
	}
	return all
}

// parseOptions parses a command line like getopt_long, and so like knockd's client: options
// may be anywhere, letters may be combined, a long name may be shortened while it is
// unique, and -- ends the options.
func parseOptions(args []string) (*options, error) {
	o := &options{delay: defaultDelay}
	var operands []string
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			operands = append(operands, args...)
			args = nil
		case strings.HasPrefix(arg, "--"):
			args, err = o.long(arg, args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			args, err = o.letters(arg[1:], args)
		default:
			operands = append(operands, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	if o.help || o.version {
		return o, nil
	}
	return o, o.setOperands(operands)
}

// long sets an option such as "--delay=200", and returns the remaining arguments.
func (o *options) long(arg string, rest []string) ([]string, error) {
	written, value, hasValue := strings.Cut(arg[2:], "=")
	found, err := findLong(written)
	if err != nil {
		return nil, err
	}
	switch {
	case found.Value == "" && hasValue:
		return nil, fmt.Errorf("option --%s takes no value", found.Name)
	case found.Value != "" && !hasValue:
		if len(rest) == 0 {
			return nil, fmt.Errorf("option --%s needs a value", found.Name)
		}
		value, rest = rest[0], rest[1:]
	}
	return rest, found.set(o, value)
}

// findLong returns the option with this long name, or the only one that begins so. An exact
// name wins over longer ones.
func findLong(written string) (*option, error) {
	var found *option
	for i := range optionList {
		switch name := optionList[i].Name; {
		case name == written:
			return &optionList[i], nil
		case !strings.HasPrefix(name, written):
		case found != nil:
			return nil, fmt.Errorf("option --%s can mean --%s or --%s", written, found.Name, name)
		default:
			found = &optionList[i]
		}
	}
	if found == nil {
		return nil, fmt.Errorf("unknown option --%s", written)
	}
	return found, nil
}

// letters sets options such as those of "-uvd200".
func (o *options) letters(letters string, rest []string) ([]string, error) {
	for i := range len(letters) {
		at := slices.IndexFunc(optionList, func(o option) bool { return o.Letter == letters[i] })
		if at < 0 {
			return nil, fmt.Errorf("unknown option %q in %q", "-"+letters[i:i+1], "-"+letters)
		}
		found := &optionList[at]
		if found.Value == "" {
			if err := found.set(o, ""); err != nil {
				return nil, err
			}
			continue
		}
		value := letters[i+1:]
		if value == "" {
			if len(rest) == 0 {
				return nil, fmt.Errorf("option -%c needs a value", found.Letter)
			}
			value, rest = rest[0], rest[1:]
		}
		return rest, found.set(o, value)
	}
	return rest, nil
}

// setDelay parses a delay: a number of milliseconds, as for the client of knockd, or a
// duration with a unit.
func (o *options) setDelay(s string) error {
	delay, err := time.ParseDuration(s)
	if ms, bare := strconv.ParseInt(s, 10, 64); bare == nil {
		// A number of milliseconds may be more than a duration holds, so it is clamped.
		delay, err = time.Duration(min(max(ms, -1), int64(maxDelay)))*time.Millisecond, nil
	}
	if err != nil || delay < 0 || delay > maxDelay {
		return fmt.Errorf("--delay %q: expected milliseconds, as in 250, or a duration from 0s to 1h, as in 1.5s", s)
	}
	o.delay = delay
	return nil
}

// setThen parses the port of --then. Only TCP answers a connection, so UDP is refused.
func (o *options) setThen(s string) error {
	then, err := ParseKnock(s)
	if err != nil {
		return fmt.Errorf("--then: %w", err)
	}
	if then.UDP {
		return fmt.Errorf("--then %s: only a TCP port tells whether it is open", then)
	}
	o.then = &then
	return nil
}

// setOperands parses the host and the knocks. All knocks are parsed before the first is sent.
func (o *options) setOperands(operands []string) error {
	if len(operands) == 0 {
		return errors.New("which host, and which knocks?")
	}
	o.host = operands[0]
	if len(operands) == 1 {
		return fmt.Errorf("which knocks? Name the ports of %q in their order", o.host)
	}
	for _, operand := range operands[1:] {
		knock, err := ParseKnock(operand)
		if err != nil {
			return err
		}
		knock.UDP = knock.UDP || o.udp
		o.knocks = append(o.knocks, knock)
	}
	return nil
}
