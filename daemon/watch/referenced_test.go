package watch

import (
	"errors"
	"os"
	"testing"
	"time"
)

// watchOutside watches a directory of scripts, which nothing changes, and files
// outside it.
func watchOutside(t *testing.T, change func(*Watcher), named ...string) (*watching, chan<- []string) {
	t.Helper()
	outside := make(chan []string, 1)
	outside <- named
	s := watchPath(t, t.TempDir(), func(w *Watcher) {
		w.referenced = outside
		if change != nil {
			change(w)
		}
	})
	s.want("the files outside were named") // they may have changed before that
	return s, outside
}

func TestEachWayToChangeAFileOutsideIsHinted(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(dir string) error
		steps  []func(dir string) error // each gives a hint
	}{
		{"a plain save", nil, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("2"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("3"), 0o600) },
		}},
		{"a save by renaming", nil, []func(string) error{
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+"/.knockd.conf.swp", []byte("2"), 0o600), os.Rename(dir+"/.knockd.conf.swp", dir+"/knockd.conf"))
			},
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+"/4913", []byte("3"), 0o600), os.Rename(dir+"/4913", dir+"/knockd.conf"))
			},
		}},
		{"a save that moves the old one away", nil, []func(string) error{
			func(dir string) error { return os.Rename(dir+"/knockd.conf", dir+"/knockd.conf~") },
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("2"), 0o600) },
		}},
		{"a file that is removed and comes back", nil, []func(string) error{
			func(dir string) error { return os.Remove(dir + "/knockd.conf") },
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("1"), 0o600) },
		}},
		{"a directory that appears later", func(dir string) error { return os.RemoveAll(dir) }, []func(string) error{
			func(dir string) error { return os.MkdirAll(dir, 0o700) },
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("1"), 0o600) },
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("2"), 0o600) },
		}},
		{"a directory that is exchanged", nil, []func(string) error{
			func(dir string) error {
				return errors.Join(os.Mkdir(dir+".new", 0o700), os.WriteFile(dir+".new/knockd.conf", []byte("2"), 0o600),
					os.Rename(dir, dir+".old"), os.Rename(dir+".new", dir))
			},
			func(dir string) error { return os.WriteFile(dir+"/knockd.conf", []byte("3"), 0o600) },
		}},
		{"a link to somewhere else", func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/else", 0o700), os.Rename(dir+"/knockd.conf", dir+"/else/real"), os.Symlink("else/real", dir+"/knockd.conf"))
		}, []func(string) error{
			func(dir string) error { return os.WriteFile(dir+"/else/real", []byte("2"), 0o600) },
			func(dir string) error {
				return errors.Join(os.WriteFile(dir+"/else/new", []byte("3"), 0o600), os.Rename(dir+"/else/new", dir+"/else/real"))
			},
			func(dir string) error {
				return errors.Join(os.Remove(dir+"/knockd.conf"), os.Symlink("real", dir+"/knockd.conf"))
			},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir() + "/etc"
			must(t, os.Mkdir(dir, 0o700))
			writeFile(t, dir+"/knockd.conf", "1")
			if tt.before != nil {
				must(t, tt.before(dir))
			}
			s, _ := watchOutside(t, nil, dir+"/knockd.conf")
			for i, step := range tt.steps {
				s.settle()
				must(t, step(dir))
				s.want(tt.name + ", step " + string(rune('1'+i)))
			}
		})
	}
}

// Others may write beside such a file all day, as in /etc or where a log is.
func TestWhatLiesBesideAFileOutsideIsNotHinted(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/knockd.conf", "1")
	s, outside := watchOutside(t, nil, dir+"/knockd.conf")
	s.settle()
	outside <- []string{dir + "/knockd.conf"} // it is the same list
	for i := range 20 {
		writeFile(t, dir+"/knockd.log", string(rune('a'+i)))
		writeFile(t, dir+"/other.lua", string(rune('a'+i)))
	}
	select {
	case <-s.hints:
		t.Error("a hint that nothing gave a reason for")
	case <-time.After(200 * time.Millisecond):
	}
	writeFile(t, dir+"/knockd.conf", "2")
	s.want("a change of the file")

	t.Log("# nobody names it any more")
	outside <- nil
	s.want("another list")
	s.settle()
	writeFile(t, dir+"/knockd.conf", "3")
	select {
	case <-s.hints:
		t.Error("a hint about a file that nobody names")
	case <-time.After(200 * time.Millisecond):
	}
}

// Where events get lost, the content tells.
func TestTheBackstopLooksOutside(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir+"/once", "1")
	s, _ := watchOutside(t, func(w *Watcher) {
		w.settle, w.limit, w.listLimit, w.interval = time.Hour, time.Hour, 0, 10*time.Millisecond
	}, dir+"/once")
	for _, text := range []string{"2", "3"} {
		s.settle()
		writeFile(t, dir+"/once", text)
		s.want("a change whose event was lost")
	}
}

// A list that somebody writes in place is not taken while the writer goes on: half of it may let
// in whom the rest would refuse.
func TestAListThatIsWrittenIsAwaited(t *testing.T) {
	w := New(t.TempDir(), nil, nil)
	w.since = now().Add(-10 * time.Second) // the first event
	if got := w.delay(); got > 0 {
		t.Errorf("scripts that go on changing: a hint in %v, want it at once", got)
	}
	w.writing = true
	if got := w.delay(); got <= 0 || got > listSettle {
		t.Errorf("a list that goes on changing: a hint in %v, want %v after the last event", got, listSettle)
	}
	w.since = now().Add(-2 * listLimit)
	if got := w.delay(); got > 0 {
		t.Errorf("a list that never stops changing: a hint in %v, want it at once", got)
	}
}
