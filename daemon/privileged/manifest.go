//go:build linux

package privileged

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sesame/scripting"
)

// Bounds of a manifest. A knockd.conf of a megabyte has some 20,000 commands.
const (
	maxManifest  = 32 << 20
	maxNamed     = 1000
	maxDoors     = 1 << 16
	maxDeclared  = 1 << 16
	maxArguments = 64
	maxArgument  = 1 << 20 // a knockd.conf may have a long command
	maxChoices   = 1 << 12
	maxTimeout   = time.Hour
	maxFilled    = 1 << 20 // bytes of the arguments of a command and of its undo together
)

// A manifest is what the loader found out about a set.
type manifest struct {
	problem  string      // why the set does not load; "": it does
	missing  []string    // files that the set names, and that were not among what the loader got
	files    []namedFile // that the set names, absolute paths
	doors    []string
	commands []declared // when it loads
}

// A namedFile is a referenced file.
type namedFile struct {
	path    string
	oneTime bool
}

// A declared is a command that a script or a knockd.conf declares.
type declared struct {
	argv, undo []string // with placeholders in braces; undo nil: there is none
	timeout    time.Duration
	anyStatus  bool
	choices    map[string][]string
}

func (m *manifest) code(c *codec) {
	c.text(&m.problem, maxText)
	c.texts(&m.missing, maxNamed, maxPath)
	list(c, &m.files, maxNamed, func(f *namedFile) {
		c.text(&f.path, maxPath)
		c.flag(&f.oneTime)
	})
	c.texts(&m.doors, maxDoors, maxName)
	list(c, &m.commands, maxDeclared, func(d *declared) { d.code(c) })
}

// list codes a list of anything.
func list[V any](c *codec, all *[]V, most int, one func(*V)) {
	n := len(*all)
	c.length(&n, most)
	if c.reading {
		*all = nil
	}
	for i := range n {
		if c.reading {
			*all = append(*all, *new(V)) // so that memory follows what was read
		}
		if one(&(*all)[i]); c.err != nil {
			return
		}
	}
}

func (d *declared) code(c *codec) {
	c.texts(&d.argv, maxArguments, maxArgument)
	c.texts(&d.undo, maxArguments, maxArgument)
	if c.reading && len(d.undo) == 0 {
		d.undo = nil
	}
	timeout := uint64(d.timeout)
	c.number(&timeout, uint64(maxTimeout))
	d.timeout = time.Duration(timeout)
	c.flag(&d.anyStatus)
	values(c, &d.choices, maxChoices, maxName, func(texts *[]string) { c.texts(texts, maxChoices, maxValue) })
	if c.err == nil && (len(d.argv) == 0 || d.timeout == 0) {
		c.fail(errors.New("a command without a program or a time limit"))
	}
}

func (m *manifest) encode() ([]byte, error) {
	c := codec{}
	m.code(&c)
	if c.err == nil && len(c.b) > maxManifest {
		c.fail(fmt.Errorf("%d bytes: at most %d", len(c.b), maxManifest))
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return c.b, nil
}

func decodeManifest(b []byte) (m manifest, err error) {
	c := codec{reading: true, b: b}
	m.code(&c)
	if err := c.end(); err != nil {
		return manifest{}, fmt.Errorf("reading the manifest: %w", err)
	}
	return m, nil
}

// fill returns what a declared command runs with these values, which may be anything. isDoor says
// which doors there are.
func (d *declared) fill(given map[string]string, isDoor func(string) bool) (argv, undo []string, err error) {
	for name, value := range given {
		if err := d.check(name, value, isDoor); err != nil {
			return nil, nil, err
		}
	}
	if argv, err = scripting.Fill(d.argv, given); err != nil {
		return nil, nil, err
	}
	if d.undo != nil {
		if undo, err = scripting.Fill(d.undo, given); err != nil {
			return nil, nil, err
		}
	}
	bytes := 0
	for _, argument := range slices.Concat(argv, undo) {
		bytes += len(argument)
	}
	if bytes > maxFilled {
		return nil, nil, fmt.Errorf("its arguments have %d bytes: at most %d", bytes, maxFilled)
	}
	return argv, undo, nil
}

// check returns why a value must not fill a placeholder. No value that passes has a zero byte,
// which would end an argument, or is a text that nobody declared.
func (d *declared) check(name, value string, isDoor func(string) bool) error {
	switch name {
	case "source":
		if a, err := netip.ParseAddr(value); err != nil || a.Zone() != "" || a.String() != value {
			return fmt.Errorf("{source} is %q: expected an address", value)
		}
	case "port":
		if n, err := strconv.ParseUint(value, 10, 16); err != nil || strconv.FormatUint(n, 10) != value {
			return fmt.Errorf("{port} is %q: expected a number from 0 to %d", value, math.MaxUint16)
		}
	case "door":
		if !isDoor(value) {
			return fmt.Errorf("{door} is %q, and there is no such door", value)
		}
	default:
		choices, known := d.choices[name]
		if !known {
			return fmt.Errorf("the command has no placeholder {%s}", name)
		}
		if !slices.Contains(choices, value) {
			return fmt.Errorf("{%s} is %q, which is none of its choices", name, value)
		}
	}
	return nil
}
