package lint

import (
	"fmt"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/knockd"
)

// warnings makes findings of the warnings about referenced files. The warning
// about a section [options] is left out on a machine whose sesame.toml has the
// settings that take its place.
func (c *checker) warnings(m *Machine) {
	for _, t := range c.set.Warnings {
		if t.Options != nil && m != nil {
			if t.Text = scripting.IgnoredOptions(m.unset(*t.Options)); t.Text == "" {
				c.elsewhere = append(c.elsewhere, claim{Knockd, t.File, t.Line})
				continue
			}
		}
		if t.Zone {
			c.found = append(c.found, Finding{ID: ZoneFile, File: t.File, Line: t.Line, Message: t.Text, Hint: "install the package tzdata again"})
			continue
		}
		c.found = append(c.found, Finding{
			ID: Knockd, File: t.File, Line: t.Line, Door: t.Door, Message: t.Text,
			Hint: "correct it; what is meant is allowed by a line of its own above: # sesame:allow knockd REASON",
		})
	}
}

// unset returns the options of a section [options] whose counterparts in
// sesame.toml are not set. A pid file has none.
func (m *Machine) unset(o knockd.Options) knockd.Options {
	o.PIDFile = ""
	if m.Interfaces {
		o.Interface = ""
	}
	if m.Lines {
		o.LogFile, o.Syslog = "", false
	}
	return o
}

const (
	// each is how many lines of a file of one-time sequences become findings of
	// their own. A file with more wrong lines is probably another kind of file.
	each = 10
	// counted bounds the wrong lines of one file: knockd.Unused reports no
	// more.
	counted = 1000
)

// gathered replaces the findings of a file of one-time sequences by one when
// there are more than each. The findings must be sorted by file.
func (c *checker) gathered(all []Finding) []Finding {
	oneTime, lines := map[string]bool{}, map[string]int{}
	for _, file := range c.set.Files {
		oneTime[file.Path] = file.OneTime
	}
	for _, f := range all {
		if f.ID == Knockd && oneTime[f.File] {
			lines[f.File]++
		}
	}
	gathered := map[string]bool{}
	var few []Finding
	for _, f := range all {
		if n := lines[f.File]; f.ID == Knockd && n > each {
			if gathered[f.File] {
				continue
			}
			gathered[f.File] = true
			more := ""
			if n >= counted {
				more = " and more"
			}
			f.Message = fmt.Sprintf("%d lines%s are hardly meant as they are read; the first is here: %s", n, more, f.Message)
			f.Hint = "is this the file that is meant? " + f.Hint
		}
		few = append(few, f)
	}
	return few
}

// left finds doors whose one-time sequences were all consumed.
func (c *checker) left(d *engine.Door) {
	if d.OneTime != nil && len(d.Sequence) == 0 {
		c.door(UsedUp, d, d.OneTime.File+" has no sequence left: nothing opens this door", "write new ones into it, one a line")
	}
}
