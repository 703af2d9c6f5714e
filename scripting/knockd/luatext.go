package knockd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// width is how long a line of comment becomes, in bytes.
const width = 124

// luaString returns s as a Lua string. Bytes that a reader could not tell, or that
// would mislead him, are written as numbers.
func luaString(s string) string {
	b := []byte{'"'}
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b = append(b, s[:size]...)
		default:
			for _, c := range []byte(s[:size]) {
				b = fmt.Appendf(b, `\%03d`, c)
			}
		}
		s = s[size:]
	}
	return string(append(b, '"'))
}

// commentLines returns lines of comment with the text, broken between words.
func commentLines(text string) string {
	var b strings.Builder
	line := "--"
	for word := range strings.FieldsSeq(plain(text)) {
		if len(line)+1+len(word) > width && line != "--" {
			b.WriteString(line + "\n")
			line = "--"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}

// An option is an entry of a table: one without a key is a part of its list.
type option struct {
	key, value string
	remark     string // a comment behind it; for values of one line
}

// options returns the lines of a table, with their equals signs and comments one
// below the other.
func options(list []option) string {
	keys, values := 0, 0
	for _, o := range list {
		keys = max(keys, len(o.key))
		if o.remark != "" {
			values = max(values, len(o.value))
		}
	}
	var b strings.Builder
	for _, o := range list {
		b.WriteString("  ")
		if o.key != "" {
			fmt.Fprintf(&b, "%-*s = ", keys, o.key)
		}
		b.WriteString(o.value + ",")
		if o.remark != "" {
			fmt.Fprintf(&b, "%*s  -- %s", values-len(o.value), "", plain(o.remark))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// list returns strings as a Lua table.
func list(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = luaString(item)
	}
	return "{ " + strings.Join(quoted, ", ") + " }"
}

// oneOrMore returns a string, or a table of strings.
func oneOrMore(items []string) string {
	if len(items) == 1 {
		return luaString(items[0])
	}
	return list(items)
}

// seconds returns a duration as scripts have it, in the largest unit that is
// whole.
func seconds(n int) string {
	for _, unit := range []struct {
		name string
		size int
	}{{"h", 3600}, {"m", 60}} {
		if n != 0 && n%unit.size == 0 {
			return strconv.Itoa(n/unit.size) + unit.name
		}
	}
	return strconv.Itoa(n) + "s"
}

// reserved are the names that a variable cannot or must not have.
var reserved = []string{
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
	"repeat", "return", "then", "true", "until", "while", "attempt", "sesame",
}

// variables gives out variables, each once. To each it has the number that the
// last one was given that would be called so.
type variables map[string]int

// name returns a variable that is called after a door.
func (n variables) name(door, suffix string) string {
	base := strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' {
			return r
		}
		return '_'
	}, door)
	if strings.Trim(base, "_") == "" {
		base = "door"
	}
	if base[0] >= '0' && base[0] <= '9' || slices.Contains(reserved, base) {
		base = "door_" + base
	}
	wanted := base + suffix
	name := wanted
	for n[name] > 0 {
		n[wanted]++
		name = fmt.Sprintf("%s_%d%s", base, n[wanted], suffix)
	}
	n[name] = 1
	return name
}
