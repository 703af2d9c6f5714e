// Package config turns sesame.toml into settings.
//
// A file is read strictly. Every key must be known and every value must make sense; otherwise all
// errors of the file are reported at once, each with its line. Defaults, documentation and checks
// of a key are in one table, in schema.go.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"sesame/daemon/openfile"
)

// Path is the configuration file that [Load] reads when no other is named.
const Path = "/etc/sesame/sesame.toml"

// Version is the version of the configuration file. It is raised when a key changes its meaning, or
// goes: then a file does not say the same to programs of two versions. New keys do not raise it.
const Version = 1

// Form is the number of the set of keys: whoever adds a key raises it, and a test holds that. The
// state directory has the number of the last program that knew all keys of its file. A program with
// a lower one takes keys that it does not know for those of a newer version: see [LoadFor].
const Form = 1

// A Config holds the settings of a daemon, without its scripts.
type Config struct {
	File string // that it was read from; "" when there was none
	Form int    // of the last program that knew all keys of the file
	// Newer are keys of a newer version, with their places, which are not read.
	Newer []string

	// Scripts is a directory of scripts, or one script.
	Scripts    string
	Reload     string   // of scripts that change: "auto" or "manual"
	Interfaces []string // to capture on; nil: all
	// Local holds addresses that count as this host's, beside those of its links.
	Local []netip.Prefix
	// No guard stops packets from Trusted or on TrustedInterfaces.
	Trusted           []netip.Prefix
	TrustedInterfaces []string
	State             string  // a directory
	Socket            string  // a path
	Metrics           string  // an IP address and a port; "": none
	MetricsProgress   bool    // Metrics also has what moves before a sequence is complete
	Helper            string  // a path; "": none
	User              Value   // that a daemon of root becomes; From is "" for the default
	Confine           bool    // after the start, when this process runs no command
	Readable          []Value // paths that a confined daemon may read, too
	Observe           bool    // decide everything, change nothing
	AllowWritable     bool    // load scripts that users other than root can change

	Options  map[string]Value // of scripts, by name
	Log      Log
	Firewall Firewall
	Clock    Clock
	Geo      Geo
	Record   Record
	Limits   Limits
	Tests    Tests

	// Warnings are about settings that are legal and may not be meant.
	Warnings Problems
}

// A Value is a text as people wrote it, with its place.
type Value struct {
	Text string
	From string // its place, for messages: "sesame.toml:12"
	List bool   // it was written as a list; the text has commas between its entries
}

// Log sets the format and the level of the log.
type Log struct {
	Format string // "auto", "text" or "json"
	Level  string // "trace", "debug", "info", "warn", "error" or "off"
	// Knockd is the path of a file for the lines that knockd would write, "" for
	// none. KnockdSyslog sends them to the system's log.
	Knockd       Value
	KnockdSyslog bool
	// Audit is the path of the audit log, "" for none. The zero value is a file in the state
	// directory.
	Audit Value
}

// Firewall sets how ports are guarded and opened.
type Firewall struct {
	// Mode is "guard" for a guard chain of our own, or "set" for elements in sets
	// of the user's table.
	Mode string
	// Mark has the bits that are set in the packet mark of granted packets. Other
	// chains accept them by it.
	Mark uint32
	// Answer is what a guarded port answers without a grant: "auto", "drop" or "reject", see
	// [sesame/daemon/effect/firewall.Answer].
	Answer string
	// Family and Table name the user's table, Set4 and Set6 the sets in it. In set
	// mode at least one set is named. In guard mode all four are empty.
	Family, Table string
	Set4, Set6    string
}

// Geo sets what tells the country and the autonomous system of an address.
type Geo struct {
	Databases []Value // paths of files, absolute if that of the configuration is; nil: not configured; empty: none
}

// Clock sets what the wall clock means when it is not synchronised.
type Clock struct {
	Unsynchronised string // "auto", "refuse" or "ignore"
}

// Record bounds the flight recorder.
type Record struct {
	Size int64 // bytes in memory; 0: nothing is recorded
}

// Tests sets what a reload does with the tests of scripts.
type Tests struct {
	Budget time.Duration // for all tests of a reload; 0: none run
}

// Limits bound the memory and the commands of the daemon. All are above zero.
type Limits struct {
	Attempts, Grants int // see [sesame/daemon/engine.Config]
	Commands         int // that run at a time
}

// DefaultUser is the user that a daemon of root becomes if the machine has it.
const DefaultUser = "sesame"

// Default returns the settings of a machine without a configuration file.
func Default() Config {
	return Config{
		Form:    Form,
		Scripts: "/etc/sesame/scripts",
		Reload:  "auto",
		State:   "/var/lib/sesame",
		Socket:  "/run/sesame/sesame.sock",
		Helper:  "/run/sesame-helper.sock",
		User:    Value{Text: DefaultUser},
		Confine: true,
		Options: map[string]Value{},
		Log:     Log{Format: "auto", Level: "info"},
		Firewall: Firewall{
			Mode:   "guard",
			Mark:   0x10000000,
			Answer: "auto",
		},
		Clock:  Clock{Unsynchronised: "auto"},
		Record: Record{Size: 16 << 20},
		Limits: Limits{Attempts: 1 << 20, Grants: 1 << 16, Commands: 16},
		Tests:  Tests{Budget: 2 * time.Second},
	}
}

// Load reads the configuration file at path. With "" it reads the one at [Path], which may be
// missing. When the file could be read and is wrong, the error is of type [Problems].
func Load(path string) (Config, error) {
	named := path != ""
	if !named {
		path = Path
	}
	text, err := readFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return Default(), nil
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, fmt.Errorf("configuration: %s does not exist: name a file that does with -c, or leave -c out", path)
	case err != nil:
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, text)
}

// LoadFor is Load for a machine that may have gone back to an older version: unknown keys are then
// noted, and the rest counts, so that the guard starts. Form returns the number that a state
// directory has. A file that is wrong in another way is an error, and so is an unknown key on a
// machine that had no newer version.
func LoadFor(path string, form func(state string) int) (Config, error) {
	c, err := Load(path)
	if _, wrong := errors.AsType[Problems](err); !wrong {
		return c, err
	}
	if path == "" {
		path = Path
	}
	text, again := readFile(path)
	if again != nil {
		return c, err
	}
	r := &reader{tolerant: true}
	if tolerated, wrong := r.parse(path, text); wrong == nil {
		if last := form(tolerated.State); last > Form {
			tolerated.Form = last
			return tolerated, nil
		}
	}
	return c, err
}

// maxFile is more than any configuration needs. A larger file was named by
// mistake.
const maxFile = 1 << 20

// readFile reads a file without the byte order mark that some editors write.
func readFile(path string) ([]byte, error) {
	file, err := openfile.Ready(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB: expected a file such as %s", path, Path)
	}
	return bytes.TrimPrefix(text, []byte("\ufeff")), nil
}

// Parse reads the text of a configuration file. Its relative paths begin at the directory of path.
// Messages name the file by path. An error is of type [Problems].
func Parse(path string, text []byte) (Config, error) {
	return (&reader{}).parse(path, text)
}

func (r *reader) parse(path string, text []byte) (Config, error) {
	r.file, r.dir, r.config = path, filepath.Dir(path), Default()
	r.config.File = path
	r.config.Scripts = filepath.Join(r.dir, "scripts")
	r.read(text)
	if len(r.problems) > 0 {
		return Config{}, r.problems.sorted()
	}
	r.consider()
	r.config.Warnings = r.config.Warnings.sorted()
	slices.Sort(r.config.Newer)
	return r.config, nil
}
