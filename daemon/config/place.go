package config

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines returns the line of each key of a document, such as "log.level", and of each entry of its
// lists, such as "trusted[1]". The document must be free of syntax errors.
func lines(text []byte) map[string]int {
	l := &liner{at: map[string]int{}}
	l.parser.Reset(text)
	table := ""
	for l.parser.NextExpression() {
		switch e := l.parser.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = l.key("", e)
		case unstable.KeyValue:
			l.value(l.key(table, e), e.Value())
		default: // a comment
		}
	}
	return l.at
}

// A liner collects the lines of keys. It walks the syntax tree of the parser,
// since decoded values have no positions.
type liner struct {
	parser unstable.Parser
	at     map[string]int
}

// key notes each part of a dotted key and returns its path. "a.b" below [t]
// notes t.a and t.a.b.
func (l *liner) key(table string, node *unstable.Node) string {
	path := table
	for it := node.Key(); it.Next(); {
		part := it.Node()
		path = join(path, string(part.Data))
		l.note(path, part)
	}
	return path
}

func (l *liner) value(path string, node *unstable.Node) {
	position := 0
	for it := node.Children(); it.Next(); {
		child := it.Node()
		switch node.Kind {
		case unstable.InlineTable:
			l.value(l.key(path, child), child.Value())
		case unstable.Array:
			l.note(entry(path, position), child)
			position++
		default: // a value without parts
		}
	}
}

// note stores the first line of a path. A dotted key may name a table again.
func (l *liner) note(path string, node *unstable.Node) {
	if _, known := l.at[path]; !known && node.Raw.Length > 0 {
		l.at[path] = l.parser.Shape(node.Raw).Start.Line
	}
}

func join(table, name string) string {
	if table == "" {
		return name
	}
	return table + "." + name
}

func entry(list string, position int) string { return list + "[" + strconv.Itoa(position) + "]" }

// tableOf returns the table of a path: "log" of "log.level", and "" for a key
// at the head of the file.
func tableOf(path string) string {
	return path[:max(0, strings.IndexByte(path, '.'))]
}
