package knockd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// width is the length of the longest line of comment in bytes. One long word makes a longer line.
const width = 124

// luaString returns s as a Lua string. What cannot be printed, and what is not UTF-8, is written as
// numbers of bytes. So a reader of the script sees every byte, and none of them controls a
// terminal.
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

// An option is an entry of a table. One without a key belongs to the list part.
type option struct {
	key, value string
	remark     string // a comment behind it; for values of one line
}

// options returns the lines of a table, with equals signs and comments aligned.
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

// seconds returns a duration as scripts have it, in the largest unit that gives a whole number.
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

// reserved are names that a variable cannot have, or that would hide what the script uses.
var reserved = []string{
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
	"repeat", "return", "then", "true", "until", "while", "attempt", "sesame",
}

// variables has a number for each name of a variable that was returned: the last number that was
// put behind it. So many doors that want the same name take linear time.
type variables map[string]int

// name returns a name for a variable, made from the name of a door, that was not returned before.
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
