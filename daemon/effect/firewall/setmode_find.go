package firewall

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// A missingSet is the error of a set that is not there. It is an [effect.ErrGone], whose text is
// about our own table.
type missingSet struct{ text string }

func (e missingSet) Error() string        { return e.text }
func (e missingSet) Is(target error) bool { return target == effect.ErrGone }

// Check returns what is wrong with the sets that the configuration names: each that is missing, or
// that cannot hold what doors give, with the line that makes it. It changes nothing. The error
// means that the firewall cannot be read, as without CAP_NET_ADMIN.
func (s *Sets) Check() (problems []error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, problems, err = s.look()
	return problems, err
}

// find reads the definitions of the sets. Its error describes how to make each set that is missing
// or does not fit.
func (s *Sets) find() error {
	sets, problems, err := s.look()
	switch {
	case err != nil:
		return err
	case len(problems) == 1:
		return problems[0]
	case len(problems) == 2:
		return fmt.Errorf("%w; %w", problems[0], problems[1])
	}
	s.sets = sets
	return nil
}

// look returns the sets of the configuration as the kernel has them, and a problem for each that
// is not as it must be.
func (s *Sets) look() (sets []sourceSet, problems []error, err error) {
	found, err := s.socket.sets(s.table)
	noTable := errors.Is(err, unix.ENOENT)
	if err != nil && !noTable {
		return nil, nil, err
	}
	for _, wanted := range []struct {
		name string
		v6   bool
	}{{s.cfg.Set4, false}, {s.cfg.Set6, true}} {
		if wanted.name == "" {
			continue
		}
		set, problem := s.fit(found, wanted.name, wanted.v6, noTable)
		if problem != nil {
			problems = append(problems, problem)
			continue
		}
		sets = append(sets, set)
	}
	return sets, problems, nil
}

// fit returns the set with a name among those of the table, or what is wrong with it.
func (s *Sets) fit(found []setFound, name string, v6, noTable bool) (sourceSet, error) {
	types := keyTypes(v6)
	full := fmt.Sprintf("set %s in table %s %s", name, s.cfg.Family, s.cfg.Table)
	remedy := fmt.Sprintf("nft add set %s %s %s '{ type %s; flags interval,timeout; }'",
		s.cfg.Family, s.cfg.Table, name, types[sourcePort].Name)
	if noTable {
		remedy = fmt.Sprintf("nft add table %s %s && %s", s.cfg.Family, s.cfg.Table, remedy)
	}
	remedy = "make it with: " + remedy
	i := slices.IndexFunc(found, func(f setFound) bool { return f.name == name })
	if i < 0 {
		return sourceSet{}, missingSet{fmt.Sprintf("no %s: %s", full, remedy)}
	}
	f := found[i]
	// Only the type of the keys defines the meaning of a key: a set made with typeof
	// has the same number as one made with type.
	kind := slices.IndexFunc(types, func(t nftables.SetDatatype) bool { return t.GetNFTMagic() == f.magic })
	switch {
	case kind < 0 || f.flags&(unix.NFT_SET_MAP|unix.NFT_SET_CONSTANT|unix.NFT_SET_OBJECT) != 0:
		return sourceSet{}, fmt.Errorf("%s has other keys: expected %s, or %s, or %s; remove it, and %s", full,
			types[sourcePort].Name, types[sourceNumber].Name, types[sourceAlone].Name, remedy)
	case f.flags&unix.NFT_SET_TIMEOUT == 0:
		return sourceSet{}, fmt.Errorf("%s has no flag timeout, so that nothing in it would ever end: remove it, and %s", full, remedy)
	}
	return sourceSet{table: s.table, name: name, v6: v6, layout: layout(kind), interval: f.flags&unix.NFT_SET_INTERVAL != 0}, nil
}
