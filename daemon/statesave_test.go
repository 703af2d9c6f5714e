package daemon

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sesame/daemon/state"
	"sesame/daemon/wire"
)

// A slowDisk saves sets as slowly as a test wants.
type slowDisk struct {
	takes time.Duration
	fails error
	began []string
}

func (d *slowDisk) save(_ *state.Dir, s state.Saved) error {
	d.began = append(d.began, string(s.Name))
	<-after(d.takes)
	return d.fails
}

func (d *slowDisk) dir() *stateDir {
	s := newStateDir("", &state.Dir{}, nil)
	s.save = d.save
	return s
}

func named(name string) state.Saved { return state.Saved{Name: wire.Text(name)} }

// A disk that is slow, or hangs, keeps no caller longer than its patience. The result comes later,
// and of the sets that came meanwhile only the last is written.
func TestASlowSaveIsTakenLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{takes: time.Minute, fails: errors.New("no space left")}
		s := disk.dir()
		began := time.Now()
		for _, name := range []string{"a", "b", "c"} {
			if err := s.saveSet(named(name)); !errors.Is(err, errSaveRuns) || !errors.Is(err, errDiskHangs) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(began); took != 3*savePatience {
			t.Errorf("three sets took %v", took)
		}
		if err := <-s.saved; !errors.Is(err, disk.fails) || time.Since(began) != 2*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if !slices.Equal(disk.began, []string{"a", "c"}) {
			t.Errorf("written: %q", disk.began)
		}
	})
}

// The result of one set never counts for the next.
func TestALateResultIsOfTheLastSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{takes: 2 * savePatience, fails: errors.New("no space left")}
		s := disk.dir()
		if err := s.saveSet(named("a")); !errors.Is(err, errSaveRuns) {
			t.Errorf("a: %v", err)
		}
		<-after(time.Minute)
		synctest.Wait() // its result is there, and nobody took it
		disk.takes, disk.fails = 0, nil
		if err := s.saveSet(named("b")); err != nil {
			t.Errorf("b: %v", err)
		}
	})
}

// A set that takes long is written once. One that could not be written is written again.
func TestASlowSetIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{takes: time.Minute}
		s := disk.dir()
		var notes []string
		r := &reloader{saved: s.saved, noteSaved: func(err error) { notes = append(notes, fmt.Sprint(err)) }}
		r.kept(s.saveSet(named("a")))
		if r.saveAgain != nil {
			t.Error("it is written again while it is written")
		}
		if r.kept(<-r.saved); r.saveAgain != nil || len(disk.began) != 1 {
			t.Errorf("it was written %d times, and again: %t", len(disk.began), r.saveAgain != nil)
		}
		disk.fails = errors.New("no space left")
		r.kept(s.saveSet(named("b")))
		if r.kept(<-r.saved); r.saveAgain == nil {
			t.Error("a set that could not be written is not written again")
		}
		if want := []string{errSaveRuns.Error(), "<nil>", errSaveRuns.Error(), "no space left"}; !slices.Equal(notes, want) {
			t.Errorf("noted: %q", notes)
		}
	})
}

func TestWithoutADirectoryNoSetIsSaved(t *testing.T) {
	why := errors.New("read-only file system")
	if err := newStateDir("", nil, why).saveSet(named("a")); !errors.Is(err, why) {
		t.Errorf("saved: %v", err)
	}
}
