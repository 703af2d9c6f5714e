//go:build linux

package privileged

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"sesame/daemon/writable"
	"sesame/scripting/source"
)

// readAsUser reads the files again that the daemon's user can exchange, with the rights of that
// user. As root it would follow a symbolic link in the place of one to any file, and hand that to
// the daemon.
func (s *Settings) readAsUser(a *archive) error {
	user, group := s.rights()
	texts := map[int]string{} // paths by number
	for i, f := range a.stored {
		path := f.Path
		if !filepath.IsAbs(path) {
			path = filepath.Join(a.dir, path)
		}
		if s.exchangeable(path, user) {
			texts[i] = path
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return asUser(user, group, func() error {
		for i, path := range texts {
			text, err := source.ReadReferenced(path)
			a.stored[i].Source, a.stored[i].Failed = text, ""
			if err != nil {
				a.stored[i].Source, a.stored[i].Failed = nil, cut(withoutPath(err).Error(), maxReason)
			}
		}
		return nil
	})
}

// exchangeable reports whether others than root can exchange a file. Where the configuration allows
// that, it is whether the daemon's user can, who need not be able to read the files of others.
func (s *Settings) exchangeable(path string, user uint32) bool {
	found := writable.Find([]writable.Target{targetOf(path, false)})
	if known, _ := s.daemonUser(); !s.AllowWritable || known == 0 {
		return len(found) > 0
	}
	return slices.ContainsFunc(found, func(f writable.Finding) bool {
		var at unix.Stat_t
		return unix.Lstat(f.Path, &at) != nil || at.Uid == user || at.Mode&0o022 != 0 // also a link
	})
}

func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
