package main

import (
	"bufio"
	"bytes"
	"testing"
)

// FuzzAnswersOfGit reads what git may answer, or a program of its name. The text is never longer
// than the answer.
func FuzzAnswersOfGit(f *testing.F) {
	for _, seed := range []string{"0123 blob 3\nabc\n", "x missing\n", "dangling 4\nlink\n", "\n", " \n", "0123 blob -1\n", "0123 blob 99999999999\n", "0123 tree 2\nab\n", "0123 blob 3\nab"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		text, err := nextBlob(bufio.NewReader(bytes.NewReader(answer)))
		if err != nil && text != nil {
			t.Errorf("%q with the error %v", text, err)
		}
		if text != nil && !bytes.Contains(answer, text) {
			t.Errorf("%q is not in %q", text, answer)
		}
	})
}

// FuzzConnection reads an environment variable that anybody can set.
func FuzzConnection(f *testing.F) {
	for _, seed := range []string{"203.0.113.9 50000 192.0.2.1 22", "fe80::1%eth0 1 fe80::2 22", "", " ", "::ffff:127.0.0.1 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if a := parseConnection(value); a.IsValid() && (a.Zone() != "" || a.Is4In6() || a.IsLoopback()) {
			t.Errorf("%q is the address %v", value, a)
		}
	})
}
