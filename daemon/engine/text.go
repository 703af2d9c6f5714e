package engine

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A Text is a string of a script, in JSON. It may hold any bytes, which a JSON
// string may not: one that is no UTF-8 is written as a list of its base64.
type Text string

// MarshalJSON writes the text.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal([]string{base64.StdEncoding.EncodeToString([]byte(t))})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		return json.Unmarshal(b, (*string)(t))
	}
	var coded [1]string
	if err := json.Unmarshal(b, &coded); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(coded[0])
	*t = Text(raw)
	return err
}

func texts(all []string) []Text {
	if all == nil {
		return nil
	}
	t := make([]Text, len(all))
	for i, s := range all {
		t[i] = Text(s)
	}
	return t
}

func plain(all []Text) []string {
	if all == nil {
		return nil
	}
	s := make([]string, len(all))
	for i, t := range all {
		s[i] = string(t)
	}
	return s
}

// valueText writes a value of a script, so that its kind is known: a bool, a
// float64, a string, or nil. JSON itself knows no infinite numbers.
func valueText(value any) Text {
	switch v := value.(type) {
	case bool:
		return Text(strconv.FormatBool(v))
	case float64:
		return Text("n" + strconv.FormatFloat(v, 'g', -1, 64))
	case string:
		return Text("s" + v)
	}
	return ""
}

// textValue is the opposite of valueText.
func textValue(t Text) (any, error) {
	switch {
	case t == "":
		return nil, nil
	case t[0] == 's':
		return string(t[1:]), nil
	case t[0] == 'n':
		return strconv.ParseFloat(string(t[1:]), 64)
	case t == "true", t == "false":
		return t == "true", nil
	}
	return nil, fmt.Errorf("%.20q is no value", t)
}
