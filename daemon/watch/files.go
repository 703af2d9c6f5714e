package watch

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Quiet is how long a large file must stay as it is before a hint is given. Those who write one in
// place may pause, but not for long.
const Quiet = 2 * time.Second

// NewFiles returns a watcher of large files, and of all files in some directories. The paths are
// absolute, and nothing need exist yet. Each list from files takes the place of the one before. A
// hint comes when nothing has changed for quiet. The files are compared by their size and their
// time, not by their content. Nothing runs before Run.
func NewFiles(files <-chan []string, directories []string, quiet time.Duration, log hclog.Logger) *Watcher {
	w := &Watcher{
		log: log, referenced: files, silent: withoutEvents, what: "databases", steady: true,
		settle: quiet, limit: time.Hour, interval: hashInterval, poll: pollInterval,
		listSettle: quiet, listLimit: time.Hour,
	}
	w.find = func(add func(string) bool) places { return findFiles(w.files, directories, add) }
	w.print = func() [sha256.Size]byte { return stamps(w.files, directories) }
	return w
}

// stamps returns a hash over the sizes and times of files, and of all files in some directories.
func stamps(files, directories []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	stamp := func(name string) {
		if info, err := os.Stat(name); err == nil {
			fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
	}
	for _, name := range files {
		stamp(name)
	}
	for _, dir := range directories {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it may come later
		}
		for _, entry := range entries {
			stamp(filepath.Join(dir, entry.Name()))
		}
	}
	h.Sum(sum[:0])
	return sum
}
