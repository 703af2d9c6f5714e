package scripting

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sesame/daemon/spelling"
)

// A template is an argument of a command, cut at its placeholders. Elements
// with an even index are text, those with an odd one are names of placeholders.
type template []string

// parseTemplate cuts an argument at its placeholders, which must be known. "{{"
// and "}}" stand for braces.
func parseTemplate(text string, known []string) (template, error) {
	var cut template
	var b strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		if strings.HasPrefix(text[i:], "{{") || strings.HasPrefix(text[i:], "}}") {
			b.WriteByte(text[i])
			text = text[i+2:]
			continue
		}
		name, rest, found := strings.Cut(text[i+1:], "}")
		if text[i] == '}' || !found {
			return nil, fmt.Errorf(`a lone %q: write it twice, or a placeholder such as {source}`, text[i:i+1])
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown placeholder {%s}%s", name, spelling.DidYouMean(name, known))
		}
		cut, text = append(cut, b.String(), name), rest
		b.Reset()
	}
	return append(cut, b.String()), nil
}

// sizeOf returns how many arguments the lists have, and how many bytes fill makes of them.
func sizeOf(values map[string]string, lists ...[]template) (arguments, bytes int64) {
	for _, list := range lists {
		arguments += int64(len(list))
		for _, cut := range list {
			for i, part := range cut {
				if i%2 == 1 {
					part = values[part]
				}
				bytes += int64(len(part))
			}
		}
	}
	return arguments, bytes
}

// Fill returns the arguments of a command as it runs, with its placeholders filled. They are given
// as [Command.Argv] and Undo have them. An error names a placeholder without a value, or braces
// that make none.
func Fill(arguments []string, values map[string]string) ([]string, error) {
	known := slices.Sorted(maps.Keys(values))
	templates := make([]template, len(arguments))
	for i, text := range arguments {
		var err error
		if templates[i], err = parseTemplate(text, known); err != nil {
			return nil, err
		}
	}
	return fill(templates, values)
}

// fill returns the arguments with their placeholders filled. A value is
// inserted as it is: braces in it mean nothing.
func fill(templates []template, values map[string]string) ([]string, error) {
	argv := make([]string, len(templates))
	for i, cut := range templates {
		var b strings.Builder
		for j, part := range cut {
			if j%2 == 1 {
				filled, ok := values[part]
				if !ok {
					return nil, fmt.Errorf(`there is no value for {%s}: write it as %s = "..."`, part, part)
				}
				part = filled
			}
			b.WriteString(part)
		}
		argv[i] = b.String()
	}
	return argv, nil
}
