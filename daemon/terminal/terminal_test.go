package terminal

import "testing"

func TestControlCharactersAreReplaced(t *testing.T) {
	if got, want := Printable("a\x1b[2J\r\u009b\xff\tb\n"), "a\ufffd[2J\ufffd\ufffd\ufffd\tb\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
