package audit

import (
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logfile"
	"sesame/daemon/output"
)

// Name is the name of the file in the state directory.
const Name = "audit.log"

// Suffix is that of the file before, when one became too large.
const Suffix = ".1"

// FileMode is that of a new file: who did what is for root alone.
const FileMode = 0o600

// maxFile is the size in bytes from which on our own file is moved away. So the two files are
// bounded where no logrotate is.
const maxFile = 16 << 20

// A Log writes entries to a file, and to the log. Its methods wait for nothing, and may be called
// from any goroutine.
type Log struct {
	lines *output.Queue // nil: there is no file
	file  *file
	log   hclog.Logger
}

// New returns an audit log. A path of "" means that there is no file. A file that is our own, in
// the state directory, is moved away when it is too large; others are logrotate's.
func New(path string, own bool, log hclog.Logger) *Log {
	l := &Log{log: log, file: &file{path: path, log: log}}
	if own {
		l.file.max = maxFile
	}
	if path != "" {
		l.lines = output.New(l.file, lostEntries)
	}
	return l
}

// Start writes entries in a goroutine of its own. flush waits until all are written, but at most a
// second.
func (l *Log) Start() (flush func()) {
	if l.lines == nil {
		return func() {}
	}
	return l.lines.Start()
}

// Add adds an entry. One for which there is no room in the queue is lost, and counted.
func (l *Log) Add(e Entry) {
	l.log.Info("audit", e.Pairs()...)
	if l.lines != nil {
		_, _ = l.lines.Write(e.Line()) // it never fails
	}
}

// Failure returns why the last entry is not in the file; "": it is.
func (l *Log) Failure() string { return l.file.lost.String() }

// A file is opened for each entry: people do little, and so it does not matter who moves it away,
// or replaces its directory.
type file struct {
	path string
	max  int64 // size in bytes; 0: none
	log  hclog.Logger
	lost logfile.Failure
}

// Write appends one line.
func (f *file) Write(line []byte) (int, error) {
	err := f.append(line)
	if f.lost.Set(err) {
		f.log.Warn("entries of the audit log are not in its file, and only here", "error", err)
	}
	if err != nil {
		return 0, err
	}
	return len(line), nil
}

func (f *file) append(line []byte) error {
	if info, err := os.Stat(f.path); err == nil && f.max > 0 && info.Mode().IsRegular() && info.Size()+int64(len(line)) > f.max {
		_ = os.Rename(f.path, f.path+Suffix) // else it goes on growing
	}
	file, err := logfile.OpenAppend(f.path, FileMode)
	if err != nil {
		return err
	}
	return appendTo(file, line)
}

// appendTo appends a line to a file and closes it. A part of a line does not stay, so that each
// line can be read.
func appendTo(file *os.File, line []byte) error {
	n, err := file.Write(line)
	if err != nil && n > 0 {
		if info, infoErr := file.Stat(); infoErr == nil {
			err = errors.Join(err, file.Truncate(info.Size()-int64(n)))
		}
	}
	return errors.Join(err, file.Close())
}
