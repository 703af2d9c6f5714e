package lint

import (
	"fmt"

	"sesame/daemon/engine"
	"sesame/scripting"
	"sesame/scripting/knockd"
)

// warnings finds what stands in a knockd.conf or in a file of one-time sequences, and
// is hardly meant as it is read.
func (c *checker) warnings(m *Machine) {
	for _, t := range c.set.Warnings {
		if t.Options != nil && m != nil {
			if t.Text = scripting.IgnoredOptions(m.unsaid(*t.Options)); t.Text == "" {
				c.settled = append(c.settled, claim{Knockd, t.File, t.Line})
				continue
			}
		}
		c.found = append(c.found, Finding{
			ID: Knockd, File: t.File, Line: t.Line, Door: t.Door, Message: t.Text,
			Hint: "correct it; what is meant is allowed by a line of its own above: # sesame:allow knockd REASON",
		})
	}
}

// unsaid returns what a section [options] says and the machine's sesame.toml does
// not. A pid file needs nothing there.
func (m *Machine) unsaid(o knockd.Options) knockd.Options {
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
	// each is how many lines of a file of one-time sequences are told one by one. A
	// file with more is likely none.
	each = 10
	// counted is how many lines of a file are looked for.
	counted = 1000
)

// gathered returns findings, those of a file of one-time sequences with very many
// as one. All of a file stand together.
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
	told := map[string]bool{}
	var few []Finding
	for _, f := range all {
		if n := lines[f.File]; f.ID == Knockd && n > each {
			if told[f.File] {
				continue
			}
			told[f.File] = true
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

// left finds doors whose sequences were all used.
func (c *checker) left(d *engine.Door) {
	if d.OneTime != nil && len(d.Sequence) == 0 {
		c.door(UsedUp, d, d.OneTime.File+" has no sequence left: nothing opens this door", "write new ones into it, one a line")
	}
}
