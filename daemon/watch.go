package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/scripting/source"
)

const (
	// One save is many events, and many files may be saved at once: a hint comes
	// when nothing has happened for watchQuiet, and after watchMost whatever
	// happens.
	watchQuiet = 150 * time.Millisecond
	watchMost  = 2 * time.Second
	// The files are looked at this often, with and without events.
	watchBackstop = 30 * time.Second
	watchPoll     = 3 * time.Second
)

// A watcher says when the scripts may have changed, or the files outside their
// directory that they name. It only hints: whether they did is told by their hash,
// of which nobody can miss an event.
//
// It watches directories, since most editors save a file by putting another in
// its place, and the directories above, since a directory may be replaced in the
// same way. Where the kernel tells nothing, as on network file systems, it looks
// at the content of the files instead; and it does so now and then everywhere,
// because no list of the ways in which events get lost is complete.
type watcher struct {
	path    string
	log     hclog.Logger
	outside <-chan []string // the files outside, each time that they are others; nil: there are none

	quiet, most, backstop, poll time.Duration
	deaf                        func(dir string) string // why a directory gives no events; empty: it does

	clock   clock
	named   []string          // the files outside, by absolute path
	events  *fsnotify.Watcher // nil: there are none
	places  places            // that are watched
	seen    [sha256.Size]byte // at the last look
	polling bool
	soon    bool      // a look was brought forward
	since   time.Time // of the first event that no hint was given for; zero: there is none
}

// newWatcher returns a watcher of a directory of scripts, or of one script, and
// the modules below lib beside it. The path need not exist yet.
func newWatcher(path string, log hclog.Logger) *watcher {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return &watcher{
		path: filepath.Clean(path), log: log, deaf: deafFileSystem,
		quiet: watchQuiet, most: watchMost, backstop: watchBackstop, poll: watchPoll,
	}
}

// Run watches until ctx ends, and returns nil then. Hint has a capacity of 1: a
// hint that waits already says all. The first is given at once, since nobody knows
// what happened before.
func (w *watcher) Run(ctx context.Context, hint chan<- struct{}) error {
	w.clock = newClock()
	settled, look := newAlarm(), newAlarm()
	defer settled.stop()
	defer look.stop()
	defer w.deafen()
	w.tell(hint)
	look.set(w.interval())
	for {
		var events chan fsnotify.Event
		var errs chan error
		if w.events != nil {
			events, errs = w.events.Events, w.events.Errors
		}
		select {
		case <-ctx.Done():
			return nil
		case event, ok := <-events:
			if !ok {
				w.deafen()
			}
			switch {
			case !w.matters(event):
			case event.Op&^fsnotify.Chmod != 0:
				settled.set(w.delay())
			case !w.soon:
				// A file may be readable no more, or again; or an antivirus program
				// or an indexer was there, and all is as before.
				w.soon = true
				look.set(w.quiet)
			}
		case err := <-errs:
			w.failed(err)
			settled.set(w.delay())
		case named := <-w.outside:
			// They may have changed since they were read, and before they are watched.
			if !slices.Equal(named, w.named) {
				w.named = named
				settled.set(w.delay())
			}
		case <-settled.C():
			w.soon = false
			w.tell(hint)
			look.set(w.interval())
		case <-look.C():
			w.soon = false
			if w.arm(); fingerprint(w.path, w.named) != w.seen {
				w.tell(hint)
			}
			look.set(w.interval())
		}
	}
}

// tell gives a hint. First it watches what there is now, so that a change after
// the hint is an event again.
func (w *watcher) tell(hint chan<- struct{}) {
	w.since = time.Time{}
	w.arm()
	w.seen = fingerprint(w.path, w.named)
	select {
	case hint <- struct{}{}:
	default:
	}
}

// delay returns how long to wait for more, after an event that matters.
func (w *watcher) delay() time.Duration {
	now := w.clock.now()
	if w.since.IsZero() {
		w.since = now
	}
	return min(w.quiet, w.since.Add(w.most).Sub(now))
}

func (w *watcher) interval() time.Duration {
	if w.polling {
		return w.poll
	}
	return w.backstop
}

// matters reports whether an event can be about scripts. Others may come all the
// time, as when a log is in the same directory, and must delay nothing.
func (w *watcher) matters(event fsnotify.Event) bool {
	if w.places.names[event.Name] {
		return true
	}
	if !w.places.inside[filepath.Dir(event.Name)] {
		return false
	}
	name := filepath.Base(event.Name)
	switch {
	case name == "..data": // Kubernetes exchanges all files of a volume by this link
		return true
	case strings.HasPrefix(name, "."):
		return false
	case strings.HasSuffix(name, ".lua"):
		return true
	case !event.Has(fsnotify.Create):
		return false
	}
	info, err := os.Lstat(event.Name)
	return err == nil && info.Mode()&(os.ModeDir|os.ModeSymlink) != 0
}

// failed takes an error of the event source. It may have lost events, or be of
// no use any more: then the next arm makes another.
func (w *watcher) failed(err error) {
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		w.log.Warn("more changed at once than the kernel could tell; all scripts are looked at")
		return
	}
	w.log.Warn("watching the scripts failed; starting again", "error", err)
	w.deafen()
}

func (w *watcher) deafen() {
	if w.events != nil {
		_ = w.events.Close() // there is nothing to lose
		w.events = nil
	}
}

// arm watches all that is to be watched now, and nothing else. It is cheap when
// nothing changed.
func (w *watcher) arm() {
	reason := w.listen()
	if polling := reason != ""; polling != w.polling {
		w.polling = polling
		if polling {
			w.log.Warn("changes of the scripts are not told by the kernel; looking at them instead", "reason", reason, "every", w.poll)
		} else {
			w.log.Info("changes of the scripts are told by the kernel again")
		}
	}
}

// listen returns why events are missing; empty: they are not.
func (w *watcher) listen() string {
	if w.events == nil {
		events, err := fsnotify.NewWatcher()
		if err != nil {
			return err.Error()
		}
		w.events = events
	}
	reason := ""
	w.places = findPlaces(w.path, w.named, func(name string) bool {
		err := w.events.Add(name)
		if err == nil {
			if deaf := w.deaf(name); deaf != "" {
				reason = deaf
			}
			return true
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			reason = err.Error()
		}
		return false
	})
	for _, name := range w.events.WatchList() {
		if !slices.Contains(w.places.watched, name) {
			_ = w.events.Remove(name) // it may be gone by itself
		}
	}
	return reason
}

// fingerprint returns a hash of all that a script set at path can consist of, and of
// the files that it names: names and content, and what cannot be read. It is zero
// when nothing can be.
func fingerprint(path string, named []string) [sha256.Size]byte {
	files, err := source.Read(path, named...)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return files.Sum
}
