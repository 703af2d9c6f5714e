package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestCharacters: what a web page put into a script is found where nothing else fails.
func TestCharacters(t *testing.T) {
	const door = `sesame.door "%s" { sequence = { 8001, 7103, 9204, "udp/6305" }, guards = 22 }` + "\n"
	plain := fmt.Sprintf(door, "ssh")
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"plain", plain, nil},
		{"prose", plain + "-- “a” – b’s…\n" + `sesame.command { "/bin/logger", "the door – of Hannah’s" }` + "\n", nil},
		{"a name of another language", fmt.Sprintf(door, "дверь – „Hannah’s“"), nil},
		{"names of languages with signs of their own", fmt.Sprintf(door, "kapı 扉（裏） درگاه\u200cها"), nil},
		{"a text with quotes of its own", plain + `sesame.command { "/usr/bin/logger", "büro « a » – “hallo”…" }` + "\n", nil},
		{"a text of a shell", plain + `sesame.command { "/bin/sh", "-c", "x “a b”" }` + "\n", []string{
			`2: "“a" has U+201C LEFT DOUBLE QUOTATION MARK in column 38: write '"a'`, `2: "b”" has U+201D RIGHT DOUBLE QUOTATION MARK in column 42: write 'b"'`}},
		{"a name of two alphabets", fmt.Sprintf(door, "sѕh"), []string{`1: the name: "sѕh" has U+0455 CYRILLIC SMALL LETTER DZE: write "ssh"`}},
		{"a name that cannot be typed", "\n" + fmt.Sprintf(door, "a\u200bb\u00a0ｃ"), []string{`2: the name: "a\u200bb\u00a0ｃ" has U+200B ZERO WIDTH SPACE and U+00A0 NO-BREAK SPACE and U+FF43 FULLWIDTH LATIN SMALL LETTER C: write "ab c"`}},
		{"a name in another order", fmt.Sprintf(door, "a\u202eb"), []string{`1: '"a\u202eb"' has U+202E RIGHT-TO-LEFT OVERRIDE in column 15: write '"ab"'`}},
		{"a comment in another order", plain + "-- a \u2066b\n", []string{`2: "\u2066b" has U+2066 LEFT-TO-RIGHT ISOLATE in column 6: write "b"`}},
		{"a command", plain + `sesame.command {
  "/sbin/iptables", "-I", "INPUT",
  "–dport", "22",
  undo = { "/bin/sh", "-c", "x -D INPUT —dport 22" }, ttl = "1m",
}` + "\n", []string{
			`4: "–dport" has U+2013 EN DASH in column 4: write "--dport"`,
			`5: "—dport" has U+2014 EM DASH in column 41: write "--dport"`}},
		{"a command and its undo", plain + `sesame.command { "/bin/x", "–dport",
  undo = { "/bin/x", "–dport" }, ttl = "1m" }
local w = "–p" sesame.command { "/bin/x", w, undo = { "/bin/x", w }, ttl = "1m" }` + "\n", []string{
			`2: "–dport" has U+2013 EN DASH in column 29: write "--dport"`, `3: "–dport" has U+2013 EN DASH in column 23: write "--dport"`,
			`4: "–p" has U+2013 EN DASH in column 12: write "-p"`}},
		{"a dash in a name", fmt.Sprintf(door, "web‑door"), []string{`1: the name: "web‑door" has U+2011 NON-BREAKING HYPHEN: write "web-door"`}},
		{"a command that is computed", plain + `sesame.command { "/bin/x", "\226\128\147dport" }` + "\n", []string{`2: "–dport" has U+2013 EN DASH: write "--dport"`}},
		{"what is allowed", plain + "-- sesame:allow character a test of ours\n" + `sesame.command { "/bin/x", "–dport" }` + "\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(load(t, tt.text)) {
				if f.ID == Character || f.ID == UnusedAllow {
					got = append(got, fmt.Sprintf("%d: %s", f.Line, f.Message))
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestCharactersAreBounded(t *testing.T) {
	text := `sesame.door "ssh" { sequence = { 8001, 7103, 9204, "udp/6305" }, guards = 22 }` + "\n" + strings.Repeat("-- \u202e\n", 2*maxCharacters)
	found := 0
	for _, f := range Check(load(t, text)) {
		if f.ID == Character {
			found++
		}
	}
	if found != maxCharacters {
		t.Errorf("%d findings, want %d", found, maxCharacters)
	}
}
