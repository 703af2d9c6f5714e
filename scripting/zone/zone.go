// Package zone turns the name of a time zone into the bytes of its file.
//
// The rules of time zones change several times a year. So the files of the machine come first,
// which its package tzdata keeps up to date. A machine without them has those that are built in.
// The bytes belong to the script set that names the zone: see package source.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed" // for the zone files
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"time"

	"sesame/daemon/spelling"
)

// Dir is the directory of the machine's zone files. No environment variable changes it: a script
// would mean something else for each user.
const Dir = "/usr/share/zoneinfo"

// MaxSize is more bytes than any zone file has. The largest has less than 4 KiB.
const MaxSize = 1 << 20

//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" ."

// builtIn holds the files of the IANA time zone database as Go ships them, in an archive. The
// package time/tzdata holds the same, and does not give out the bytes.
//
//go:embed zoneinfo.zip
var builtIn []byte

// name matches the names of zones: words of letters, digits, "_", "+" and "-", with "/" between
// them.
var name = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`) })

// Check returns an error for a text that cannot be the name of a zone. Local time is none: it
// would make a script mean something else on each machine. Neither are the files below right/,
// which count leap seconds as no clock does.
func Check(s string) error {
	if len(s) > 64 || !name().MatchString(s) || s == "Local" || s == "localtime" || strings.HasPrefix(s, "right/") || strings.HasPrefix(s, "posix/") {
		return Unknown(s)
	}
	return nil
}

// Unknown returns the error for a name that no zone has.
func Unknown(s string) error {
	if len(s) > 64 {
		s = s[:64]
	}
	if near := spelling.DidYouMean(s, names()); near != "" {
		return fmt.Errorf("unknown time zone %q%s", s, near)
	}
	return fmt.Errorf(`unknown time zone %q: expected a name of the time zone database, such as "Europe/Madrid" or "UTC"`, s)
}

// Path returns the path that stands for a zone in a script set, whether its bytes are those of
// the machine or not.
func Path(name string) string { return Dir + "/" + name }

// Name is the opposite of [Path]. False: the path is not that of a zone.
func Name(path string) (string, bool) {
	name, below := strings.CutPrefix(path, Dir+"/")
	return name, below && Check(name) == nil
}

// Load reads a zone file (RFC 9636). The bytes may come from anybody: the result is an error, or a
// zone whose rules may be wrong.
func Load(name string, file []byte) (*time.Location, error) {
	if len(file) > MaxSize {
		return nil, fmt.Errorf("it is longer than %d MiB", MaxSize>>20)
	}
	location, err := time.LoadLocationFromTZData(name, file)
	if err != nil {
		return nil, errors.New("it is no file of a time zone")
	}
	return location, nil
}

// BuiltIn returns the file of a zone that is built in. The error is fs.ErrNotExist when there is
// none.
func BuiltIn(name string) ([]byte, error) {
	file, err := archive().Open(name)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err != nil || info.IsDir() {
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(io.LimitReader(file, MaxSize))
}

// archive opens the archive, which takes less than a millisecond. An archive that cannot be read
// would be a mistake in the build, and counts as empty.
func archive() *zip.Reader {
	r, err := zip.NewReader(bytes.NewReader(builtIn), int64(len(builtIn)))
	if err != nil {
		return &zip.Reader{}
	}
	return r
}

// names returns the names of the zones that are built in.
func names() []string {
	var all []string
	for _, file := range archive().File {
		if !strings.HasSuffix(file.Name, "/") {
			all = append(all, file.Name)
		}
	}
	return all
}
