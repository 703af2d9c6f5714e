package wire

import (
	"maps"
	"slices"
)

// A File is a script, a module, or a file that a script names, as it was read.
type File struct {
	Path   Text `json:"path"`
	Source Text `json:"source"`
}

// An Option is the value of an option of a script set.
type Option struct {
	Name  Text `json:"name"`
	Value Text `json:"value"`
}

// Options returns options in the order of their names.
func Options(values map[string]string) []Option {
	var list []Option
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, Option{Text(name), Text(values[name])})
	}
	return list
}

// OptionValues is the opposite of [Options]. It never returns nil.
func OptionValues(list []Option) map[string]string {
	values := make(map[string]string, len(list))
	for _, o := range list {
		values[string(o.Name)] = string(o.Value)
	}
	return values
}
