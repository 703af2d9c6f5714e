package wire

import (
	"encoding/json"
	"maps"
	"slices"
)

// A File is a script, a module or a referenced file, as it was read.
type File struct {
	// Path is below the directory of the scripts, with slashes; absolute for a referenced file.
	Path   Text  `json:"path"`
	Source Bytes `json:"source"`
}

// Bytes are written in JSON like a [Text].
type Bytes []byte

// MarshalJSON is [Text.MarshalJSON].
func (b Bytes) MarshalJSON() ([]byte, error) { return Text(b).MarshalJSON() }

// UnmarshalJSON is [Text.UnmarshalJSON]. The result is never nil.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	var t Text
	err := t.UnmarshalJSON(text)
	*b = []byte(t)
	return err
}

// Options are the options of a script set, in JSON a list in the order of their names.
type Options map[string]string

type option struct {
	Name  Text `json:"name"`
	Value Text `json:"value"`
}

// MarshalJSON writes the list.
func (o Options) MarshalJSON() ([]byte, error) {
	list := make([]option, 0, len(o))
	for _, name := range slices.Sorted(maps.Keys(o)) {
		list = append(list, option{Text(name), Text(o[name])})
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Options) UnmarshalJSON(b []byte) error {
	var list []option
	err := json.Unmarshal(b, &list)
	*o = make(Options, len(list))
	for _, one := range list {
		(*o)[string(one.Name)] = string(one.Value)
	}
	return err
}
