package config

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"sesame/daemon/packet"
	"sesame/daemon/spelling"
)

// A value is one value of the file, with its key. Each method converts it to one type. When it does
// not fit, the method reports a problem and returns its argument, the default.
type value struct {
	*reader
	path string
	key  *Key
	any
}

// expected reports a value of the wrong type.
func (v value) expected() {
	v.fail(v.path, "%s: expected %s, got %s", v.path, v.key.Type, kind(v.any))
}

// wrong reports a value of the right type that makes no sense.
func (v value) wrong(format string, args ...any) {
	v.fail(v.path, "%s: %s", v.path, fmt.Sprintf(format, args...))
}

// kind describes a value of the wrong type, for messages.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(shortened(v))
	case int64, bool:
		return fmt.Sprint(v)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if v == math.Trunc(v) && math.Abs(v) < 1e15 {
			text += ".0"
		}
		return text
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case toml.LocalDate, toml.LocalTime, toml.LocalDateTime:
		return "a date or time without quotes"
	}
	return "a date without quotes"
}

// shortened cuts a long text, so that a message fits on a line.
func shortened(s string) string { return spelling.Shortened(s, 80) }

// text reads a text that is not empty. Zero bytes are refused, since the kernel ends a path at one.
func (v value) text() (string, bool) {
	s, ok := v.any.(string)
	switch {
	case !ok:
		v.expected()
	case s == "":
		v.wrong("it is empty: expected %s", v.key.Type)
	case strings.ContainsRune(s, 0):
		v.wrong("%q has a zero byte in it", shortened(s))
	default:
		return s, true
	}
	return "", false
}

func (v value) boolean(otherwise bool) bool {
	b, ok := v.any.(bool)
	if !ok {
		v.expected()
		return otherwise
	}
	return b
}

// integer reads a whole number from least to most.
func (v value) integer(otherwise, least, most int64) int64 {
	n, ok := v.any.(int64)
	if !ok || n < least || n > most {
		v.expected()
		return otherwise
	}
	return n
}

// oneOf reads one of the allowed words.
func (v value) oneOf(otherwise string, allowed ...string) string {
	s, ok := v.any.(string)
	switch {
	case !ok:
		v.expected()
	case !slices.Contains(allowed, s):
		v.wrong("unknown value %q%s", shortened(s), spelling.DidYouMean(s, allowed))
	default:
		return s
	}
	return otherwise
}

// location reads a path. The result is absolute if the path of the file is.
func (v value) location(otherwise string) string {
	s, ok := v.text()
	if !ok {
		return otherwise
	}
	if !filepath.IsAbs(s) {
		s = filepath.Join(v.dir, s)
	}
	return filepath.Clean(s)
}

// located reads a path and stores its place, for errors that show up only when
// the path is used.
func (v value) located(otherwise Value) Value {
	path := v.location(otherwise.Text)
	if path == otherwise.Text {
		return otherwise
	}
	return Value{Text: path, From: v.place(v.path)}
}

// fileOrNone reads a path that may be empty, and stores its place.
func (v value) fileOrNone() Value {
	if v.any == "" {
		return Value{From: v.place(v.path)}
	}
	return Value{Text: v.location(""), From: v.place(v.path)}
}

// user reads the name of a user. Whether the machine has it is looked up when it is needed.
func (v value) user(otherwise Value) Value {
	s, ok := v.text()
	switch {
	case !ok || s == otherwise.Text:
		return otherwise
	case strings.ContainsAny(s, ":/\n") || strings.TrimLeft(s, "0123456789") == "":
		v.wrong("%q is not the name of a user: expected one of /etc/passwd, such as \"sesame\"", shortened(s))
		return otherwise
	}
	return Value{Text: s, From: v.place(v.path)}
}

// maxSocket is the longest path of a socket (unix(7)).
const maxSocket = 107

// socket reads the path of a Unix socket.
func (v value) socket(otherwise string) string {
	s := v.location(otherwise)
	if len(s) > maxSocket {
		v.wrong("%q has %d bytes: the path of a socket has at most %d", s, len(s), maxSocket)
		return otherwise
	}
	return s
}

// address reads an IP address with a port, or an empty text. It is no name: what a name means would
// depend on the resolver.
func (v value) address(otherwise string) string {
	if v.any == "" {
		return ""
	}
	s, ok := v.text()
	if !ok {
		return otherwise
	}
	a, err := netip.ParseAddrPort(s)
	switch {
	case err != nil && strings.HasPrefix(s, "localhost:"):
		v.wrong("%q has a name: expected an IP address, such as %q", shortened(s), "127.0.0.1:"+shortened(strings.TrimPrefix(s, "localhost:")))
	case err != nil:
		v.wrong("%q: expected %s", shortened(s), v.key.Type)
	case a.Port() == 0:
		v.wrong("%q has the port 0, which is a new one each time: expected %s", shortened(s), v.key.Type)
	case a.Addr().Unmap().IsMulticast() || a.Addr().Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		v.wrong("%q is an address that no host has for itself: expected one of this host, such as %q", shortened(s), fmt.Sprintf("127.0.0.1:%d", a.Port()))
	case a.Addr().Unmap().Is6() && a.Addr().IsLinkLocalUnicast() && a.Addr().Zone() == "":
		v.wrong("%q does not say on which interface it is: expected one such as %q", shortened(s), netip.AddrPortFrom(a.Addr().WithZone("eth0"), a.Port()))
	default:
		return a.String()
	}
	return otherwise
}

// optional reads the path of a Unix socket that may be empty.
func (v value) optional(otherwise string) string {
	if v.any == "" {
		return ""
	}
	return v.socket(otherwise)
}

// items returns the entries of a list. Their texts are not checked yet.
func (v value) items() []value {
	list, ok := v.any.([]any)
	if !ok {
		v.expected()
		return nil
	}
	one := Key{Name: v.key.Name, Type: "an interface in quotes"}
	switch {
	case strings.Contains(v.key.Type, "networks"):
		one.Type = "an address or network in quotes"
	case strings.Contains(v.key.Type, "paths"):
		one.Type = "a path in quotes"
	}
	items := make([]value, len(list))
	for i, item := range list {
		items[i] = value{v.reader, entry(v.path, i), &one, item}
	}
	return items
}

// interfaces reads a list of interface names, without repeats.
func (v value) interfaces() []string {
	var names []string
	for _, item := range v.items() {
		name, ok := item.text()
		if !ok {
			continue
		}
		if err := CheckInterface(name); err != nil {
			item.wrong("%v", err)
			continue
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// CheckInterface returns an error for a name that no Linux interface can have: the kernel refuses
// more than 15 bytes, "/", ":" and white space (dev_valid_name in net/core/dev.c).
func CheckInterface(name string) error {
	if name == "" || len(name) > 15 || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\r\n\v\f") {
		return fmt.Errorf("%q is not the name of an interface: expected one such as \"eth0\", of at most 15 bytes", shortened(name))
	}
	return nil
}

// Selection returns the interfaces to capture on: nil, which means all, if names contains "any"
// as it does for tcpdump.
func Selection(names []string) []string {
	if slices.Contains(names, everywhere) {
		return nil
	}
	return names
}

// everywhere selects all interfaces, as "any" does for tcpdump.
const everywhere = "any"

// trusted reads a list of interfaces. It refuses "any": all interfaces trusted
// would mean no guard.
func (v value) trusted() []string {
	names := v.interfaces()
	if slices.Contains(names, everywhere) {
		v.wrong("%s is no interface: name those that you mean, or leave guards out of the scripts", everywhere)
	}
	return names
}

// paths reads a list of paths, without repeats. That of an empty list is not nil.
func (v value) paths() []Value {
	all := []Value{}
	for _, item := range v.items() {
		path := item.located(Value{})
		if path.Text != "" && !slices.ContainsFunc(all, func(other Value) bool { return other.Text == path.Text }) {
			all = append(all, path)
		}
	}
	return all
}

// networks reads a list of networks.
func (v value) networks() []netip.Prefix {
	var all []netip.Prefix
	for _, item := range v.items() {
		text, ok := item.text()
		if !ok {
			continue
		}
		prefix, err := packet.ParseNetwork(shortened(text)) // a network is never so long
		if err != nil {
			item.wrong("%v", err)
			continue
		}
		all = append(all, prefix)
	}
	return all
}

// identifier matches the names that nft takes without quotes.
var identifier = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_/\\.-]{0,127}$`) })

// name reads the name of a set.
func (v value) name() string {
	s, ok := v.text()
	if ok && !identifier().MatchString(s) {
		v.wrong("%q is not a name that nft knows: expected one such as \"sesame4\"", shortened(s))
		return ""
	}
	return s
}

var families = []string{"inet", "ip", "ip6"}

// table reads a family and the name of a table, such as "inet filter".
func (v value) table() (family, table string) {
	s, ok := v.text()
	if !ok {
		return "", ""
	}
	words := strings.Fields(s)
	if len(words) != 2 || !slices.Contains(families, words[0]) || !identifier().MatchString(words[1]) {
		v.wrong(`%q: expected a family (inet, ip or ip6) and the name of a table, such as "inet filter"`, shortened(s))
		return "", ""
	}
	return words[0], words[1]
}

// duration reads a time such as "2s": 0, or up to most.
func (v value) duration(otherwise, most time.Duration) time.Duration {
	text, _ := v.any.(string)
	if n, ok := v.any.(int64); ok && n == 0 {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > most {
		v.wrong(`expected 0, or a time up to "1m", such as "2s", got %s`, kind(v.any))
		return otherwise
	}
	return d
}

var units = map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// size reads a number of bytes, such as "16MiB" or 16777216: 0, or from least to most.
func (v value) size(otherwise, least, most int64) int64 {
	text, isText := v.any.(string)
	if n, ok := v.any.(int64); ok {
		text, isText = strconv.FormatInt(n, 10), true
	}
	if !isText {
		v.expected()
		return otherwise
	}
	digits := strings.TrimRight(text, "BGKMi")
	unit, known := units[text[len(digits):]]
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 32)
	if err != nil || !known || n != 0 && (n*unit < least || n*unit > most) || n < 0 {
		v.wrong(`expected 0, or from 1MiB to 4GiB: a whole number and KiB, MiB or GiB, such as "16MiB", got %s`, kind(v.any))
		return otherwise
	}
	return n * unit
}
