package scripting

import (
	"cmp"
	"errors"

	"github.com/yuin/gopher-lua"

	"sesame/scripting/condition"
	"sesame/scripting/source"
)

// A fileKey identifies what an option of a condition read: by the path as it is
// written, and by the option, which decides how the file is read.
type fileKey struct{ name, option string }

// maxTexts bounds the texts in one option of a condition.
const maxTexts = 1000

// readFiles reads the files that an option names: a path, or a list of paths.
// The result is a list with what the option's ReadFile returned for each.
func (s *script) readFiles(v value, o condition.Option, key string) (list []any, good bool) {
	names, good := []value{v}, true
	if _, ok := v.lua.(*lua.LTable); ok {
		names, good = v.items("a path, or a list of paths")
	}
	for _, name := range names {
		if path, ok := name.path("lists/office.txt"); ok {
			content, ok := s.readFile(name, path, o, key)
			list, good = append(list, content), good && ok
		} else {
			good = false
		}
	}
	return list, good
}

// readFile reads a file for an option. A problem in it is reported with its line
// there, and once more where the script names the file.
func (s *script) readFile(v value, name string, o condition.Option, key string) (any, bool) {
	known, ok := s.read[fileKey{name, key}]
	if ok || s.again { // a second start must not use the files, which another goroutine has by then
		return known, ok
	}
	file, err := s.scripts.Reference(name, cmp.Or(o.Limit, source.SmallFile), false)
	if err != nil {
		v.fail("%v", err)
		return nil, false
	}
	content, err := file.Parsed(key, func(text []byte) (any, error) { return o.ReadFile(file.Path, text) })
	if err != nil {
		line := s.refuseLines(file.Path, err)
		v.fail("%s cannot be used: see its line %d", file.Path, line)
		return nil, false
	}
	s.read[fileKey{name, key}] = content
	return content, true
}

// refuseLines reports the errors of a file, each at its line, and returns the
// first line. What names no line is about the first.
func (s *script) refuseLines(path string, err error) (first int) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			first = cmp.Or(first, s.refuseLines(path, one))
		}
		return first
	}
	at, message := source.Place{File: path, Line: 1}, err.Error()
	if e, ok := errors.AsType[*condition.FileError](err); ok {
		at.Line, message = max(e.Line, 1), e.Message
	}
	s.report(at, message)
	return at.Line
}

// textsAndFiles reads a text, or a list of texts in which the key "file" names
// files. The result is a list with what the option's Parse and ReadFile returned.
func (s *script) textsAndFiles(v value, o condition.Option, key string) (list []any, good bool) {
	if _, ok := v.lua.(*lua.LTable); !ok {
		one, ok := parsed(v, o.Expected, o.Parse)
		return []any{one}, ok
	}
	good = true
	schema := []option[[]any]{{Option{Name: "file"}, func(v value, list *[]any) {
		more, ok := s.readFiles(v, o, key)
		*list, good = append(*list, more...), good && ok
	}}}
	read(v, schema, func(v value, list *[]any) {
		one, ok := parsed(v, o.Expected, o.Parse)
		*list, good = append(*list, one), good && ok
	}, &list)
	if len(list) > maxTexts {
		v.fail("expected at most %d entries: put them in a file", maxTexts)
	}
	return list, good && len(list) <= maxTexts
}
