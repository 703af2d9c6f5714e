package spelling

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestStrange has each kind of character once, as pages and editors put it into a text, and beside
// it what is meant as it is.
func TestStrange(t *testing.T) {
	for _, tt := range []struct {
		name, line string
		kinds      Kind
		want       []string
	}{
		{"plain", `iptables -I INPUT -s %IP% --dport 22 # "x" 'y'`, InCode, nil},
		{"nothing", "", InCode, nil},
		{"another language", "дверь вход-1 grün 正面", InCode, nil},

		{"an en dash for two", "-p tcp –dport 22", InCommand, []string{`"–dport" has U+2013 EN DASH in column 8: write "--dport"`}},
		{"an em dash for two", "—dport", InCommand, []string{`"—dport" has U+2014 EM DASH in column 1: write "--dport"`}},
		{"an en dash for one", "–A INPUT", InCommand, []string{`"–A" has U+2013 EN DASH in column 1: write "-A"`}},
		{"two en dashes", "––dport", InCommand, []string{`"––dport" has U+2013 EN DASH in column 1: write "--dport"`}},
		{"a dash and an en dash", "-–dport", InCommand, []string{`"-–dport" has U+2013 EN DASH in column 2: write "--dport"`}},
		{"in quotes", `KNOCKD_OPTS="–interface eth0"`, InCode, []string{`'KNOCKD_OPTS="–interface' has U+2013 EN DASH in column 14: write 'KNOCKD_OPTS="--interface'`}},
		{"behind a typographic quote", "“–dport –“x", InCommand, []string{
			`"“–dport" has U+201C LEFT DOUBLE QUOTATION MARK and U+2013 EN DASH in column 1: write '"--dport'`,
			`"–“x" has U+201C LEFT DOUBLE QUOTATION MARK in column 10: write '–"x'`}},
		{"behind a dash that is glued", "a––b –-", InCommand, []string{
			`"a––b" has U+2013 EN DASH in column 2: write "a--b"`, `"–-" has U+2013 EN DASH in column 6: write "--"`}},
		{"before one letter", "=–x –é1 –9", InCommand, []string{
			`"=–x" has U+2013 EN DASH in column 2: write "=-x"`, `"–é1" has U+2013 EN DASH in column 5: write "-é1"`, `"–9" has U+2013 EN DASH in column 9: write "-9"`}},
		{"in the middle", "firewall‑cmd 8000–9000", InCommand, []string{
			`"firewall‑cmd" has U+2011 NON-BREAKING HYPHEN in column 9: write "firewall-cmd"`, `"8000–9000" has U+2013 EN DASH in column 18: write "8000-9000"`}},
		{"a dash of prose", `echo "open – for now"`, InCommand, nil},
		{"the same in code", "a = b – c", InCode, []string{`"–" has U+2013 EN DASH in column 7: write "-"`}},

		{"quotes", "KNOCKD_OPTS=»-i eth0″", InCode, []string{
			`"KNOCKD_OPTS=»-i" has U+00BB RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK in column 13: write 'KNOCKD_OPTS="-i'`,
			`"eth0″" has U+2033 DOUBLE PRIME in column 21: write 'eth0"'`}},
		{"two kinds in a word", "“a’", InCode, []string{`"“a’" has U+201C LEFT DOUBLE QUOTATION MARK and U+2019 RIGHT SINGLE QUOTATION MARK in column 1: write '"a''`}},
		{"an apostrophe of prose", "echo Hannah’s", InCommand, nil},
		{"the same in code", "Hannah’s", InCode, []string{`"Hannah’s" has U+2019 RIGHT SINGLE QUOTATION MARK in column 7: write "Hannah's"`}},
		{"a quote that looks like a comma", "7000‚8000 ‚x", InCode, []string{
			`"7000‚8000" has U+201A SINGLE LOW-9 QUOTATION MARK in column 5: write "7000,8000"`, `"‚x" has U+201A SINGLE LOW-9 QUOTATION MARK in column 11: write "'x"`}},

		{"a no-break space", "sequence\u00a0= 1", InName, []string{`"sequence\u00a0=" has U+00A0 NO-BREAK SPACE in column 9: write "sequence ="`}},
		{"one that is alone", "\u3000x", InName, []string{`"\u3000x" has U+3000 IDEOGRAPHIC SPACE in column 1: write "x"`}},
		{"what has no width", "se\u00adqu\u200bence", InName, []string{`"se\u00adqu\u200bence" has U+00AD SOFT HYPHEN and U+200B ZERO WIDTH SPACE in column 3: write "sequence"`}},
		{"nothing but that", "a \ufeff b", InName, []string{`"\ufeff" has U+FEFF ZERO WIDTH NO-BREAK SPACE (a byte order mark) in column 3: remove it`}},
		{"what changes the order", "open\u202eHSS", InName, []string{`"open\u202eHSS" has U+202E RIGHT-TO-LEFT OVERRIDE in column 5: write "openHSS"`}},

		{"a letter that looks alike", "sequеnce", InName, []string{`"sequеnce" has U+0435 CYRILLIC SMALL LETTER IE in column 5: write "sequence"`}},
		{"one behind digits and a line", "s_1о", InName, []string{`"s_1о" has U+043E CYRILLIC SMALL LETTER O in column 4: write "s_1o"`}},
		{"Turkish", "kapı kapının", InCode, nil},
		{"joiners of Persian, Hindi and emoji", "درگاه\u200cها क्\u200dष 👩🏽\u200d💻", InCode, nil},
		{"joiners that nobody sees", "a\u200cb درگاه-a\u200d", InName, []string{
			`"a\u200cb" has U+200C ZERO WIDTH NON-JOINER in column 2: write "ab"`, `"درگاه-a\u200d" has U+200D ZERO WIDTH JOINER in column 12: write "درگاه-a"`}},
		{"wide signs of Chinese and Japanese", "（扉（裏）：開く！　ssh（扉）「a」：", InCode, nil},
		{"a wide blank between words", "a　-b ）　扉", InCode, []string{
			`"a\u3000-b" has U+3000 IDEOGRAPHIC SPACE in column 2: write "a -b"`, `"）\u3000扉" has U+FF09 FULLWIDTH RIGHT PARENTHESIS in column 6: write ")\u3000扉"`}},
		{"wide letters in such a word", "扉（７）", InName, []string{`"扉（７）" has U+FF17 FULLWIDTH DIGIT SEVEN in column 3: write "扉（7）"`}},
		{"wide signs of a European word", "ế（дλ：", InName, []string{`"ế（дλ：" has U+FF08 FULLWIDTH LEFT PARENTHESIS and U+FF1A FULLWIDTH COLON in column 2: write "ế(дλ:"`}},
		{"wide signs far from such a letter", "扉" + strings.Repeat("a", maxAround) + "：", InName, []string{
			`"` + strings.Repeat("a", maxAround) + `：" has U+FF1A FULLWIDTH COLON in column 26: write "` + strings.Repeat("a", maxAround) + `:"`}},
		{"as far from it as they may be", "扉" + strings.Repeat("a", maxAround-1) + "：" + strings.Repeat("b", maxAround-1) + "扉", InName, nil},
		{"quotes and dots within a text", `logger "büro – “hallo” …" '„l’été…“' "a\" “b"`, InCommand, nil},
		{"quotes behind and before a text", `"a“"“ ”'b” it"s …`, InCommand, []string{
			`'"a“"“' has U+201C LEFT DOUBLE QUOTATION MARK in column 5: write '"a“""'`,
			`"”'b”" has U+201D RIGHT DOUBLE QUOTATION MARK in column 7: write '"'b"'`,
			`"…" has U+2026 HORIZONTAL ELLIPSIS in column 17: write "..."`}},
		{"words of two alphabets", "/home/дом/ssh-вход", InCode, nil},
		{"fullwidth forms", "ｔcp/７０００，８：！～＿｀", InName, []string{`"ｔcp/７０００，８：！～＿｀" has U+FF54 FULLWIDTH LATIN SMALL LETTER T and U+FF17 FULLWIDTH DIGIT SEVEN and U+FF10 FULLWIDTH DIGIT ZERO in column 1: write ` + "\"tcp/7000,8:!~_`\""}},
		{"dots and signs", "7000,… tcp∕22", InCommand, []string{
			`"7000,…" has U+2026 HORIZONTAL ELLIPSIS in column 6: write "7000,..."`, `"tcp∕22" has U+2215 DIVISION SLASH in column 11: write "tcp/22"`}},

		{"what a name may have", "Hannah’s – “door”…", InName, nil},
		{"not UTF-8", "tcp \x96dport \xff", InCommand, []string{`"\x96dport" has the byte 0x96, which is U+2013 EN DASH in Windows-1252, in column 5: write "--dport"`}},
		{"the column counts characters", "äöü\t€ –x", InCommand, []string{`"–x" has U+2013 EN DASH in column 7: write "-x"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range Strange(tt.line, tt.kinds) {
				got = append(got, w.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestStrangeIsBounded: a line may have a million such words, and a word as many characters.
func TestStrangeIsBounded(t *testing.T) {
	if got := Strange(strings.Repeat("–x ", 1000), InCode); len(got) != maxStrange {
		t.Errorf("%d words, want %d", len(got), maxStrange)
	}
	long := Strange(strings.Repeat("a", 1000)+"“"+strings.Repeat("b", 1000), InCode)
	if want := strings.Repeat("a", maxAround) + "“" + strings.Repeat("b", maxAround-1); len(long) != 1 || long[0].Text != want || long[0].Column != 1001 {
		t.Errorf("a long word is %+v, want %s", long, want)
	}
	if got := Strange("a"+strings.Repeat("д", maxAround)+"о", InCode); got != nil {
		t.Errorf("a letter far from a Latin one is %v", got)
	}
	if got := Strange("a"+strings.Repeat("д", maxAround-1)+"о", InCode); len(got) != 1 {
		t.Errorf("a letter as far from a Latin one as it may be is %v, want one word", got)
	}
	_ = Strange(strings.Repeat("о", 1<<16)+"a", InCode) // takes linear time
	_ = Strange(strings.Repeat(`"'\'\" `, 1<<16)+"“", InCommand)
}

// TestWideForms: in a Chinese word, a wide sign is meant, and a wide letter or digit is not.
func TestWideForms(t *testing.T) {
	for plain := '!'; plain <= '~'; plain++ {
		word := "扉" + string(firstWide+plain-'!')
		got, want := Strange(word, InName), unicode.IsLetter(plain) || unicode.IsDigit(plain)
		if found := len(got) == 1 && got[0].Plain == "扉"+string(plain); found != want {
			t.Errorf("%s is %v: a mistake is %t, want %t", word, got, found, want)
		}
	}
}

func TestTheTableOfCharacters(t *testing.T) {
	if !slices.IsSortedFunc(characters, func(a, b character) int { return cmp.Compare(a.r, b.r) }) {
		t.Error("the table is not in order, so that not all of it is found")
	}
	for _, c := range characters {
		if found, is := lookUp(c.r); !is || found != c {
			t.Errorf("U+%04X is found as %v", c.r, found)
		}
		if c.name == "" || c.kind == 0 || c.kind&(c.kind-1) != 0 || c.r < utf8.RuneSelf || !plainASCII(c.plain) {
			t.Errorf("the row of U+%04X is %v", c.r, c)
		}
	}
	names := map[string]bool{}
	for r := rune(firstWide); r <= lastWide; r++ {
		c, is := lookUp(r)
		if !is || len(c.plain) != 1 || names[c.name] {
			t.Errorf("U+%04X is %v", r, c)
		}
		names[c.name] = true
	}
}

// FuzzStrange: what is found is in the line, and what is written instead has none of it. A letter
// may be among Latin ones only when others are written as they are meant.
func FuzzStrange(f *testing.F) {
	f.Add("KNOCKD_OPTS=»-i eth0″ –dport")
	f.Add("\u202e\xff\x96а1_ｔ")
	f.Add("扉（７）\u3000a\u00a0：\u200d '“…' \"")
	f.Fuzz(func(t *testing.T, line string) {
		for _, kinds := range []Kind{InCode, InCommand, InName} {
			for _, w := range Strange(line, kinds) {
				if w.Column < 1 || w.Column > utf8.RuneCountInString(line) || !strings.Contains(line, w.Text) || len(w.Names) == 0 {
					t.Errorf("of %q: %+v", line, w)
				}
				if utf8.RuneCountInString(w.Text) < maxAround && kinds == InCode && Strange(w.Plain, kinds&^LookAlike) != nil {
					t.Errorf("of %q is to be written %q", line, w.Plain)
				}
				if strings.ContainsAny(w.String(), "\n\x1b\u202e") {
					t.Errorf("%q is no line", w.String())
				}
			}
		}
	})
}
