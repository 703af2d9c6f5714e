package writable

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ShellWord returns a path so that a POSIX shell reads it as one word. False: it has characters
// that cannot be shown.
func ShellWord(path string) (string, bool) {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:,"
	if strings.Trim(path, plain) == "" {
		return path, true
	}
	for _, c := range path {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return "", false
		}
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'", true
}
