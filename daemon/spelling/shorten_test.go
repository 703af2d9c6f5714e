package spelling

import "testing"

func TestShortened(t *testing.T) {
	for _, tt := range []struct {
		text string
		most int
		want string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc..."},
		{"aéé", 4, "aé..."},
		{"aéé", 3, "aé..."},
		{"aéé", 2, "a..."},
		{"\xff", 1, "\xff"}, // it is shown as it is
		{"a\xffbc", 3, "ab..."},
	} {
		if got := Shortened(tt.text, tt.most); got != tt.want {
			t.Errorf("%q to %d bytes: got %q, want %q", tt.text, tt.most, got, tt.want)
		}
	}
}
