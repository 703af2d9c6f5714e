package spec

import (
	"testing"
	"unicode/utf8"

	"github.com/yuin/gopher-lua"
	"pgregory.net/rapid"
)

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"":             `""`,
		`a "b" \c`:     `"a \"b\" \\c"`,
		"Café 9":       `"Café 9"`,
		"a\n\x7f\x00":  `"a\010\127\000"`,
		"\xff1":        `"\2551"`,
		"\u202e\ufffd": `"\226\128\174` + "\ufffd" + `"`,
	} {
		if got := Quote(text); got != want {
			t.Errorf("Quote(%q) = %s, want %s", text, got, want)
		}
	}
}

// TestLuaReadsQuotes lets Lua read what was written.
func TestLuaReadsQuotes(t *testing.T) {
	state := lua.NewState()
	defer state.Close()
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		quoted := Quote(text)
		if !utf8.ValidString(quoted) {
			t.Fatalf("%q is no UTF-8", quoted)
		}
		if err := state.DoString("read = " + quoted); err != nil {
			t.Fatal(err)
		}
		if got := state.GetGlobal("read").String(); got != text {
			t.Fatalf("Lua reads %q, want %q", got, text)
		}
	})
}
