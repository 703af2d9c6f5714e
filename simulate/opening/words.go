package opening

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// splitWords splits a text at its spaces. A text between double quotes keeps its spaces, and has
// the escapes \xHH, \n, \r, \t, \\ and \".
func splitWords(text string) (words []string, err error) {
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '"':
			quoted, inWord = !quoted, true
		case quoted && b == '\\':
			value, size, err := escaped(text[i:])
			if err != nil {
				return nil, err
			}
			word.WriteByte(value)
			i += size - 1
		case !quoted && (b == ' ' || b == '\t' || b == '\n' || b == '\r'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteByte(b)
			inWord = true
		}
	}
	switch {
	case quoted:
		return nil, errors.New("a quote is not closed")
	case inWord:
		words = append(words, word.String())
	}
	return words, nil
}

// escaped returns the byte of the escape at the begin of a text, and the length of the escape.
func escaped(text string) (value byte, size int, err error) {
	if len(text) < 2 {
		return 0, 0, errors.New("a quote is not closed")
	}
	if i := strings.IndexByte(`nrt\"`, text[1]); i >= 0 {
		return "\n\r\t\\\""[i], 2, nil
	}
	if text[1] == 'x' && len(text) >= 4 {
		if n, err := strconv.ParseUint(text[2:4], 16, 8); err == nil {
			return byte(n), 4, nil
		}
	}
	return 0, 0, fmt.Errorf(`unknown escape \%c: expected one of \xHH \n \r \t \\ \"`, text[1])
}
