package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lines returns the line of each key of a document, such as "log.level", and of each entry of its
// lists, such as "trusted[1]"; and its strings. The document must be free of syntax errors.
func lines(document []byte) (map[string]int, []text) {
	l := &liner{at: map[string]int{}, document: document}
	l.parser.Reset(document)
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
	return l.at, l.texts
}

// A liner collects the lines of keys. It walks the syntax tree of the parser,
// since decoded values have no positions.
type liner struct {
	parser   unstable.Parser
	document []byte
	at       map[string]int
	texts    []text
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
	if node.Kind == unstable.String {
		l.text(path, node)
		return
	}
	position := 0
	for it := node.Children(); it.Next(); {
		child := it.Node()
		switch node.Kind {
		case unstable.InlineTable:
			l.value(l.key(path, child), child.Value())
		case unstable.Array:
			l.note(entry(path, position), child)
			l.value(entry(path, position), child)
			position++
		default: // a value without parts
		}
	}
}

// text notes a string.
func (l *liner) text(path string, node *unstable.Node) {
	start, end := int(node.Raw.Offset), int(node.Raw.Offset+node.Raw.Length)
	before := l.document[bytes.LastIndexByte(l.document[:start], '\n')+1 : start]
	written := string(l.document[start:end])
	value := strings.Trim(written, written[:1]) // three quotes, or one
	blanks := strings.Repeat(" ", utf8.RuneCount(before)+strings.Index(written, value))
	l.texts = append(l.texts, text{path, l.parser.Shape(node.Raw).Start.Line, blanks + value})
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
