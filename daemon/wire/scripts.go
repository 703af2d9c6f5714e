package wire

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"
)

// A File is a script, a module or a referenced file, as it was read.
type File struct {
	// Path is below the directory of the scripts, with slashes; absolute for a referenced file.
	Path   Text  `json:"path"`
	Source Bytes `json:"source"`
	// OneTime is set for a referenced file of one-time sequences, in recordings. Withheld means
	// that its Source was left out. Digest tells then whether a file is the same; "": none is.
	OneTime  bool   `json:"oneTime,omitempty"`
	Withheld bool   `json:"withheld,omitempty"`
	Digest   string `json:"digest,omitempty"`
}

// Bytes are written in JSON like a [Text].
type Bytes []byte

// MarshalJSON is [Text.MarshalJSON].
func (b Bytes) MarshalJSON() ([]byte, error) { return Text(b).MarshalJSON() }

// AppendJSON appends what MarshalJSON returns, without copies of a long text.
func (b Bytes) AppendJSON(to []byte) []byte {
	if !utf8.Valid(b) {
		return append(base64.StdEncoding.AppendEncode(append(to, `["`...), b), `"]`...)
	}
	to = append(to, '"')
	for len(b) > 0 {
		n := min(len(b), 64<<10)
		for n < len(b) && !utf8.RuneStart(b[n]) {
			n--
		}
		part, _ := json.Marshal(string(b[:n])) // a string never fails
		to, b = append(to, part[1:len(part)-1]...), b[n:]
	}
	return append(to, '"')
}

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
