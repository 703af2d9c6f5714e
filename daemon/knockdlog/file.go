package knockdlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"sesame/daemon/config"
	"sesame/daemon/logfile"
)

// FileMode is that of a new file: the group must be able to read the log.
const FileMode = 0o640

func openFile(path string, log hclog.Logger) (*logfile.File, error) {
	return logfile.Open(path, FileMode, func(err error) {
		log.Warn("lines for those who read knockd's log are lost", "error", err)
	})
}

// openError returns the error of a start that cannot open its log, with the remedy.
func openError(place config.Value, err error) error {
	advice := ""
	switch {
	case errors.Is(err, fs.ErrNotExist):
		advice = "; make its directory first"
	case errors.Is(err, unix.EROFS):
		advice = fmt.Sprintf("; where a unit confines Sesame, add the line ReadWritePaths=%s to it", filepath.Dir(place.Text))
	case errors.Is(err, fs.ErrPermission):
		advice = logfile.NotOurs
	}
	return fmt.Errorf("%s: log.knockd: %w%s", place.From, err, advice)
}
