package wire

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// A Text is a string of a script, in JSON. It may hold any bytes, which a JSON string may
// not: one that is not UTF-8 is written as a list of one string, its base64.
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

// Convert converts each string of a list, from or to [Text]. A nil list stays nil.
func Convert[To, From ~string](list []From) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, s := range list {
		converted[i] = To(s)
	}
	return converted
}

// A Scalar is a value of a script: "true", "false", "n" and a number, "s" and a string, or
// the empty string for nil. JSON itself has no infinite numbers.
type Scalar = Text

// EncodeScalar writes a bool, a float64, a string or nil. Any other type is an error.
func EncodeScalar(value any) (Scalar, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case bool:
		return Scalar(strconv.FormatBool(v)), nil
	case float64:
		return Scalar("n" + strconv.FormatFloat(v, 'g', -1, 64)), nil
	case string:
		return Scalar("s" + v), nil
	}
	return "", fmt.Errorf("a %T cannot be stored", value)
}

// DecodeScalar is the opposite of [EncodeScalar].
func DecodeScalar(t Scalar) (any, error) {
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
	return nil, fmt.Errorf("%.20q is no value", string(t))
}
