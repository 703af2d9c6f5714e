package scrub

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/simulate"
)

// prepare chooses the ports, which depend on all script sets of the recording.
func (s *scrubber) prepare(items []record.Item) error {
	older := items[0].Snapshot == nil || !items[0].Snapshot.State.Tripwires
	all := scriptsOf(items)
	if err := s.ranges(all); err != nil {
		return err
	}
	before, err := loadAll(all, older)
	defer closeAll(before)
	if err != nil {
		return fmt.Errorf("the scripts of the recording: %w", err)
	}
	for i, set := range before {
		for _, o := range set.Options {
			s.types[o.Name] = o.Type
		}
		for _, d := range set.Engine.Doors {
			if d.OneTime != nil {
				s.oneTime[d.OneTime.File] = true
			}
		}
		s.chooseUsed(all[i])
	}
	s.choosePorts(before)
	if len(s.ports) == 0 {
		return nil
	}
	// How a script writes its ports is not known. So it is tried: in what is called a sequence,
	// and then wherever such a number stands.
	for _, s.everywhere = range []bool{false, true} {
		if err = s.tryPorts(all, before, older); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the ports of the knocks cannot be replaced in the scripts (--keep ports leaves them as they are): %w", err)
}

// ranges fails when a script or a list has a range of addresses. What takes the place of its
// addresses is no range, since only prefixes are kept.
func (s *scrubber) ranges(all []record.Scripts) error {
	for _, scripts := range all {
		for _, f := range scripts.Files {
			for _, found := range rangeText.FindAllStringSubmatchIndex(string(f.Source), -1) {
				from, to := string(f.Source[found[2]:found[3]]), string(f.Source[found[4]:found[5]])
				a, errA := netip.ParseAddr(from)
				b, errB := netip.ParseAddr(to)
				if errA == nil && errB == nil && (s.address(a) != a || s.address(b) != b) {
					line := 1 + bytes.Count(f.Source[:found[2]], []byte("\n"))
					return fmt.Errorf("%s:%d has the range %s-%s, and its addresses would be no range when they are replaced: write it as networks, or keep them with --keep addresses", f.Path, line, from, to)
				}
			}
		}
	}
	return nil
}

// tryPorts replaces the ports in the scripts. It fails when the doors do not have the other ports
// afterwards.
func (s *scrubber) tryPorts(all []record.Scripts, before []*scripting.Set, older bool) error {
	scrubbed := slices.Clone(all)
	for i := range scrubbed {
		scrubbed[i] = s.scripts(scrubbed[i])
	}
	after, err := loadAll(scrubbed, older)
	defer closeAll(after)
	if err != nil {
		return err
	}
	for i := range before {
		if err := s.replaced(before[i].Engine.Doors, after[i].Engine.Doors); err != nil {
			return err
		}
	}
	s.chooseTripwires(before, after)
	return nil
}

// replaced fails unless each door has its knocks with the ports that were chosen for them, so that
// no port is left, whether somebody knocked there or not.
func (s *scrubber) replaced(before, after []*engine.Door) error {
	if len(before) != len(after) {
		return errors.New("there would be other doors")
	}
	for i, was := range before {
		is := after[i]
		good := s.sameKnocks(was.Sequence, is.Sequence) && (was.OneTime == nil) == (is.OneTime == nil)
		if good && was.OneTime != nil {
			good = slices.EqualFunc(was.OneTime.Sequences, is.OneTime.Sequences, func(a, b engine.OneTimeSequence) bool { return s.sameKnocks(a.Knocks, b.Knocks) })
		}
		if !good {
			return fmt.Errorf("those of the door %q, %s:%d, do not stand there as numbers", was.Name, was.File, was.Line)
		}
	}
	return nil
}

func (s *scrubber) sameKnocks(was, is []engine.Knock) bool {
	return slices.EqualFunc(was, is, func(a, b engine.Knock) bool { return s.port(a.Port) == b.Port && a.Flags == b.Flags })
}

// scriptsOf returns all script sets of a recording.
func scriptsOf(items []record.Item) (all []record.Scripts) {
	for _, item := range items {
		switch {
		case item.Snapshot != nil:
			all = append(all, item.Snapshot.Scripts)
		case item.Input != nil && item.Input.Kind == record.InputSet:
			all = append(all, item.Input.Scripts)
		}
	}
	return all
}

// loadAll loads script sets, up to the first that does not load. The caller closes them.
func loadAll(all []record.Scripts, older bool) (sets []*scripting.Set, err error) {
	for _, scripts := range all {
		set, err := simulate.LoadRecorded(scripts, older)
		if err != nil {
			return sets, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func closeAll(sets []*scripting.Set) {
	for _, set := range sets {
		set.Close()
	}
}

// scripts replaces what scripts, referenced files and options name.
func (s *scrubber) scripts(scripts record.Scripts) record.Scripts {
	scripts.Files = slices.Clone(scripts.Files)
	for i := range scripts.Files {
		f := &scripts.Files[i]
		f.Source = wire.Bytes(s.script(string(f.Source), s.oneTime[string(f.Path)]))
	}
	values := wire.Options{}
	for name, value := range scripts.Values {
		values[name] = s.value(name, value)
	}
	scripts.Values = values
	return scripts
}

// value replaces the value of an option: the addresses and ports that it names, or else the letters
// of a text.
func (s *scrubber) value(name, value string) string {
	if to := s.text(value, false); to != value {
		return to
	}
	if s.keep[Options] || s.types[name] != "string" && s.types[name] != "strings" {
		return value
	}
	random := s.random("option " + name + "\x00" + value)
	to := []byte(value)
	for i, c := range to {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			to[i] = "abcdefghijklmnopqrstuvwxyz"[random.IntN(26)]
		}
	}
	s.values[value] = string(to)
	if s.types[name] == "strings" {
		replaced := strings.Split(string(to), ",")
		for i, one := range strings.Split(value, ",") {
			s.values[one] = replaced[i]
		}
	}
	return string(to)
}
