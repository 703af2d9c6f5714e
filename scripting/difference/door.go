package difference

import (
	"cmp"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting"
)

// door compares two doors of one name.
func (c *comparison) door(was, is **engine.Door) {
	switch {
	case was == nil:
		c.add((*is).File, Change{Kind: Door, Name: (*is).Name, What: New})
		return
	case is == nil:
		c.add((*was).File, Change{Kind: Door, Name: (*was).Name, What: Gone})
		return
	}
	a, b := *was, *is
	d := &doorComparison{comparison: c, door: b}
	d.value("file", a.File, b.File)
	c.moved[a.File] = true
	d.matching(a, b)
	d.value("guards", ports(a.Guards), ports(b.Guards))
	d.value("ports", ports(a.Ports), ports(b.Ports))
	d.value("ttl", duration(a.TTL), duration(b.TTL))
	d.value("cut", strconv.FormatBool(a.Cut), strconv.FormatBool(b.Cut))
	d.value("ends_with", period(a.EndsWith), period(b.EndsWith))
	d.value("limit", limit(a.Limit), limit(b.Limit))
	d.conditions(a.When, b.When)
	d.value("mode", mode(a), mode(b))
	d.functions()
}

// A doorComparison lists changes of one door.
type doorComparison struct {
	*comparison
	door *engine.Door // the later one
}

func (d *doorComparison) value(what, from, to string) {
	if from != to {
		d.add(d.door.File, changed(Door, d.door.Name, what, from, to))
	}
}

// secret lists that something changed which must not be shown.
func (d *doorComparison) secret(what string, differs bool) {
	if differs {
		d.add(d.door.File, Change{Kind: Door, Name: d.door.Name, What: what})
	}
}

// matching compares what decides which packets are knocks, and when a sequence is complete.
func (d *doorComparison) matching(a, b *engine.Door) {
	d.value("kind", kind(a), kind(b))
	d.value("policy", policy(a), policy(b))
	d.secret(sequenceName(b), a.OneTime == nil && b.OneTime == nil && !slices.EqualFunc(a.Sequence, b.Sequence, func(x, y engine.Knock) bool { return x.Port == y.Port }))
	d.secret("flags", len(a.Sequence) == len(b.Sequence) && flags(a) != flags(b))
	d.secret("one_time_sequences", oneTimeDiffers(a.OneTime, b.OneTime))
	d.secret("payload", !reflect.DeepEqual(a.Payload, b.Payload))
	d.value("target", target(a.Target), target(b.Target))
	d.value("within", duration(a.Within), duration(b.Within))
	d.value("step_timeout", duration(a.StepTimeout), duration(b.StepTimeout))
	d.value("on_wrong", [...]string{"reset", "ignore"}[a.OnWrong], [...]string{"reset", "ignore"}[b.OnWrong])
	d.value("duplicates", [...]string{"ignore", "wrong"}[a.Duplicates], [...]string{"ignore", "wrong"}[b.Duplicates])
	d.value("strict", strconv.FormatBool(a.Strict), strconv.FormatBool(b.Strict))
	d.value("tripwires", strconv.Itoa(a.Tripwires), strconv.Itoa(b.Tripwires))
	d.secret("except", !slices.Equal(a.Except, b.Except))
}

// functions compares the code of the functions of the door, by the name of the option that has
// them. Functions that are conditions are compared with the conditions, but for their code.
func (d *doorComparison) functions() {
	pair(d.before[d.door.Name], d.after[d.door.Name], func(c scripting.Code) string { return c.Name }, func(was, is *scripting.Code) {
		switch {
		case was != nil && is != nil:
			d.secret(is.Name, was.Sum != is.Sum)
		case was == nil && !strings.HasPrefix(is.Name, "when "):
			d.value(is.Name, "", "a function")
		case is == nil && !strings.HasPrefix(was.Name, "when "):
			d.value(was.Name, "a function", "")
		}
	})
}

// oneTimeDiffers reports whether a door got other one-time sequences. That some were used is no
// change.
func oneTimeDiffers(a, b *engine.OneTime) bool {
	if a == nil || b == nil {
		return a != b
	}
	had := map[string]int{}
	for _, s := range a.Sequences {
		had[fmt.Sprint(s)]++
	}
	for _, s := range b.Sequences {
		if had[fmt.Sprint(s)]--; had[fmt.Sprint(s)] < 0 {
			return true
		}
	}
	return a.File != b.File
}

func sequenceName(d *engine.Door) string {
	if d.Listen {
		return "on"
	}
	return "sequence"
}

func kind(d *engine.Door) string {
	if d.Listen {
		return "listener"
	}
	return "door"
}

func policy(d *engine.Door) string {
	if d.Policy == engine.PolicyKnockd {
		return "knockd"
	}
	return "sesame"
}

func mode(d *engine.Door) string {
	if d.Observe {
		return "observe"
	}
	return "enforce"
}

// flags returns all flag tests of a door, to be compared.
func flags(d *engine.Door) string {
	text := fmt.Sprint(d.Flags)
	for _, k := range d.Sequence {
		text += fmt.Sprint(" ", k.Flags)
	}
	return text
}

func ports(list []packet.Port) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}

func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return transcript.Duration(d)
}

func target(a netip.Addr) string {
	if !a.IsValid() {
		return "any of this host"
	}
	return a.String()
}

func limit(l *engine.Limit) string {
	if l == nil {
		return ""
	}
	return cmp.Or(l.Text, fmt.Sprintf("%d/%s", l.Count, transcript.Duration(l.Per)))
}

func period(p engine.Period) string {
	if p == nil {
		return ""
	}
	return p.String()
}
