// Package watch turns events of the file system into hints that files may have changed: a script
// set, with its modules and the files that it refers to, or large files of data.
package watch

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
	// One save is many events, and many files may be saved at once: a hint is given
	// when nothing has happened for settleTime, and after settleLimit in any case.
	settleTime  = 150 * time.Millisecond
	settleLimit = 2 * time.Second
	// A referenced file may be a list that somebody writes in place for a while. Half of it must
	// not be taken while its writer goes on.
	listSettle = time.Second
	listLimit  = time.Minute
	// The content of the files is hashed this often, with and without events.
	hashInterval = 30 * time.Second
	pollInterval = 3 * time.Second
)

// A Watcher gives hints that files may have changed. A hint is no proof: the caller
// reads the files and compares their hash.
//
// The watcher watches directories, because most editors save a file by putting
// another in its place, and the directories above, because a directory may be
// replaced in the same way. On file systems that send no events, such as NFS, it
// hashes the content of the files every 3 s. Elsewhere it does so every 30 s,
// because no list of the ways in which events get lost is complete.
//
// All fields belong to the goroutine in Run.
type Watcher struct {
	path       string
	log        hclog.Logger
	referenced <-chan []string // absolute paths of the referenced files, each time that they change; nil: there are none

	settle, limit, interval, poll time.Duration
	listSettle, listLimit         time.Duration           // settle and limit while a referenced file changes
	silent                        func(dir string) string // why a directory sends no events; empty: it does

	what   string // is watched, for the log
	find   func(add func(string) bool) places
	print  func() [sha256.Size]byte
	steady bool // a hint is given only when nothing changed for settle

	files    []string          // the referenced files, by absolute path
	events   *fsnotify.Watcher // nil: there is none
	places   places            // that are watched
	hash     [sha256.Size]byte // at the last hint
	last     [sha256.Size]byte // when changing was called last
	polling  bool
	lookSoon bool      // the next look was brought forward
	writing  bool      // a referenced file changed since the last hint
	since    time.Time // of the first event that no hint was given for; zero: there is none
}

// New returns a watcher of a directory of scripts, or of one script, and of the
// modules below lib beside it. The path need not exist yet. Each list from
// referenced takes the place of the one before. Nothing runs before Run.
func New(path string, referenced <-chan []string, log hclog.Logger) *Watcher {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	w := &Watcher{
		path: filepath.Clean(path), log: log, referenced: referenced, silent: withoutEvents, what: "scripts",
		settle: settleTime, limit: settleLimit, interval: hashInterval, poll: pollInterval,
		listSettle: listSettle, listLimit: listLimit,
	}
	w.find = func(add func(string) bool) places { return findPlaces(w.path, w.files, add) }
	w.print = func() [sha256.Size]byte { return fingerprint(w.path, w.files) }
	return w
}

// Run watches until ctx ends, and returns nil then. The capacity of hints is 1: a
// hint that is not received yet stands for all. The first is given at once,
// since files may have changed before the call.
func (w *Watcher) Run(ctx context.Context, hints chan<- struct{}) error {
	defer w.closeEvents()
	w.hint(hints)
	var settled <-chan time.Time // nil: no event waits
	look := after(w.nextLook())
	for {
		var events chan fsnotify.Event
		var errs chan error
		if w.events != nil {
			events, errs = w.events.Events, w.events.Errors
		}
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-events:
			if !open {
				w.closeEvents()
			}
			switch {
			case !w.matters(event):
			case event.Op&^fsnotify.Chmod != 0:
				w.writing = w.writing || slices.Contains(w.files, event.Name)
				settled = after(w.delay())
			case !w.lookSoon:
				// A new mode may make a file readable or unreadable. It may also come from an
				// indexer, with nothing changed, so the content decides.
				w.lookSoon = true
				look = after(w.settle)
			}
		case err := <-errs:
			w.failed(err)
			settled = after(w.delay())
		case files := <-w.referenced:
			// They may have changed after they were read and before they are watched.
			if !slices.Equal(files, w.files) {
				w.files = files
				settled = after(w.delay())
			}
		case <-settled:
			settled, w.lookSoon = nil, false
			if w.changing() {
				settled = after(w.settle)
				continue
			}
			w.hint(hints)
			look = after(w.nextLook())
		case <-look:
			w.lookSoon = false
			switch w.update(); {
			case w.writing && w.delay() > 0: // its hint comes by itself
			case w.print() == w.hash:
			case w.changing():
				settled = after(w.settle)
			default:
				w.hint(hints)
			}
			look = after(w.nextLook())
		}
	}
}

// changing reports whether the files are to be steady, and differ from those of the last time that
// it was asked. A large file that is written in place is not taken before its writer has paused.
func (w *Watcher) changing() bool {
	before := w.last
	if w.steady {
		w.last = w.print()
	}
	return w.last != before
}

// hint gives a hint. It first watches the places that exist now, so that each change
// after the hint is an event.
func (w *Watcher) hint(hints chan<- struct{}) {
	w.since, w.writing = time.Time{}, false
	w.update()
	w.hash = w.print()
	select {
	case hints <- struct{}{}:
	default:
	}
}

// delay returns how long to wait for further events, after one that matters.
func (w *Watcher) delay() time.Duration {
	t := now()
	if w.since.IsZero() {
		w.since = t
	}
	settle, limit := w.settle, w.limit
	if w.writing {
		settle, limit = w.listSettle, w.listLimit
	}
	return min(settle, w.since.Add(limit).Sub(t))
}

func (w *Watcher) nextLook() time.Duration {
	if w.polling {
		return w.poll
	}
	return w.interval
}

// matters reports whether an event can be about scripts. Other events may come all
// the time, for instance from a log in the same directory, and must not delay a hint.
func (w *Watcher) matters(event fsnotify.Event) bool {
	if w.places.names[event.Name] {
		return true
	}
	if !w.places.directories[filepath.Dir(event.Name)] {
		return false
	}
	name := filepath.Base(event.Name)
	switch {
	case name == "..data": // Kubernetes replaces all files of a volume by this link
		return true
	case strings.HasPrefix(name, "."):
		return false
	case strings.HasSuffix(name, ".lua") || w.places.all:
		return true
	case !event.Has(fsnotify.Create):
		return false
	}
	info, err := os.Lstat(event.Name)
	return err == nil && info.Mode()&(os.ModeDir|os.ModeSymlink) != 0
}

// failed handles an error of the event source. After an overflow events are lost, and
// the hint that follows covers them. After any other error update opens a new source.
func (w *Watcher) failed(err error) {
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		w.log.Warn("file events were lost: too many at once; all files are read again", "files", w.what)
		return
	}
	w.log.Warn("watching files failed; starting again", "files", w.what, "error", err)
	w.closeEvents()
}

func (w *Watcher) closeEvents() {
	if w.events != nil {
		_ = w.events.Close() // it was only read
		w.events = nil
	}
}

// update watches exactly the places that matter now. It is cheap when
// nothing changed.
func (w *Watcher) update() {
	reason := w.watchPlaces()
	if polling := reason != ""; polling != w.polling {
		w.polling = polling
		if polling {
			w.log.Warn("the kernel sends no events for these files; they are compared instead", "files", w.what, "reason", reason, "every", w.poll)
		} else {
			w.log.Info("the kernel sends events for these files again", "files", w.what)
		}
	}
}

// watchPlaces returns why events are missing; empty: they are not.
func (w *Watcher) watchPlaces() string {
	if w.events == nil {
		events, err := fsnotify.NewWatcher()
		if err != nil {
			return err.Error()
		}
		w.events = events
	}
	reason := ""
	w.places = w.find(func(name string) bool {
		err := w.events.Add(name)
		if err == nil {
			if silent := w.silent(name); silent != "" {
				reason = silent
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

// fingerprint returns a hash over the names and the content of all files that a script
// set at path can consist of, of the referenced files, and over what cannot be read.
// It is zero when nothing can be read.
func fingerprint(path string, referenced []string) [sha256.Size]byte {
	sum, err := source.Sum(path, referenced...)
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sum
}
