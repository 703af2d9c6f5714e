package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/pm"
	"pgregory.net/rapid"
)

// matchAll returns all matches as offsets: from, to, and the captures.
func matchAll(t testing.TB, text, subject string) (found []string) {
	t.Helper()
	p, err := readPattern(text, true)
	if err != nil {
		return []string{err.Error()}
	}
	m := &matcher{pattern: p, subject: subject, step: func() {}}
	for at := 0; ; {
		from, to, ok := m.find(at)
		if !ok {
			return found
		}
		one := fmt.Sprint(from, " ", to)
		for i := range p.captures {
			one += " " + m.value(i, from, to).String()
		}
		found = append(found, one)
		if at = to; from == to {
			at++
		}
		if p.anchored {
			return found
		}
	}
}

// Examples from the reference manual and from the behaviour of the C implementation.
func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, subject string
		want             []string
	}{
		{"", "ab", []string{"0 0", "1 1", "2 2"}},
		{"a", "banana", []string{"1 2", "3 4", "5 6"}},
		{"^a", "banana", nil},
		{"^b", "banana", []string{"0 1"}},
		{"a$", "banana", []string{"5 6"}},
		{"a$b", "a$b", []string{"0 3"}},
		{"a^", "a^", []string{"0 2"}},
		{"^^a", "^a", []string{"0 2"}},
		{"a*", "baac", []string{"0 0", "1 3", "3 3", "4 4"}},
		{"a+", "baac", []string{"1 3"}},
		{"a-c", "baac", []string{"1 4"}},
		{"a?c", "baac", []string{"2 4"}},
		{".-", "ab", []string{"0 0", "1 1", "2 2"}},
		{"%d+", "a12b345", []string{"1 3", "4 7"}},
		{"%D+", "a12b345", []string{"0 1", "3 4"}},
		{"[a-c]+", "xabcx", []string{"1 4"}},
		{"[^a-c]+", "xabcx", []string{"0 1", "4 5"}},
		{"[]]", "a]", []string{"1 2"}},
		{"[^]]", "a]", []string{"0 1"}},
		{"[a-]", "a-b", []string{"0 1", "1 2"}},
		{"[a%-z]", "a-z", []string{"0 1", "1 2", "2 3"}},
		{"[%a-z]", "b-9", []string{"0 1", "1 2"}},
		{"[%]]", "]", []string{"0 1"}},
		{"[%w_]+", "a_1 b", []string{"0 3", "4 5"}},
		{"(a)(b)", "ab", []string{"0 2 a b"}},
		{"(a(b))", "ab", []string{"0 2 ab b"}},
		{"()a()", "ba", []string{"1 2 2 3"}},
		{"(%w+)=%1", "ab=ab x=y", []string{"0 5 ab"}},
		{`(["'])(.-)%1`, `say "it's"`, []string{`4 10 " it's`}},
		{"%b()", "f(a(b)c)d)", []string{"1 8"}},
		{"%b''", "'a'b'", []string{"0 3"}},
		{"%f[%w]%w+", "THE (quick) fox", []string{"0 3", "5 10", "12 15"}},
		{"%f[%z]", "ab", []string{"2 2"}},
		{"%a*%f[%A]", "ab1", []string{"0 2", "2 2"}},
		{"%z", "a\x00b", []string{"1 2"}},
		{"[%z]", "a\x00b", []string{"1 2"}},
		{".", "\xff\x00", []string{"0 1", "1 2"}},
		{"%%", "50%", []string{"2 3"}},
		{"%.%-", "a.-b", []string{"1 3"}},
		{"*a", "*a", []string{"0 2"}},
		{"(a*)*", "aa*", []string{"0 3 aa"}},
		{"-", "a-b", []string{"1 2"}},
		{"%x+", "xdeadBEEFz", []string{"1 9"}},
		{"%u%l", "aBcD", []string{"1 3"}},
		{"%p", "a,b", []string{"1 2"}},
		{"%s", "a\tb c", []string{"1 2", "3 4"}},
		{"%c", "a\x01", []string{"1 2"}},
		{"%A", "é", []string{"0 1", "1 2"}},
		{"(", "", []string{"malformed pattern: ')' is missing for '('"}},
		{")", "", []string{"malformed pattern: ')' without '('"}},
		{"%", "", []string{"malformed pattern: it ends with '%'"}},
		{"[a", "", []string{"malformed pattern: ']' is missing for '['"}},
		{"[", "", []string{"malformed pattern: ']' is missing for '['"}},
		{"[]", "", []string{"malformed pattern: ']' is missing for '['"}},
		{"[%", "", []string{"malformed pattern: it ends with '%'"}},
		{"[a-", "", []string{"malformed pattern: ']' is missing for '['"}},
		{"%b", "", []string{"malformed pattern: '%b' needs two characters"}},
		{"%b(", "", []string{"malformed pattern: '%b' needs two characters"}},
		{"%fa", "", []string{"malformed pattern: '%f' needs a set: '[...]'"}},
		{"%1", "", []string{"malformed pattern: '%1' refers to no finished capture"}},
		{"(%1)", "", []string{"malformed pattern: '%1' refers to no finished capture"}},
		{"%0", "", []string{"malformed pattern: '%0' refers to no finished capture"}},
	} {
		if got := matchAll(t, tt.pattern, tt.subject); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %q: got %q, want %q", tt.pattern, tt.subject, got, tt.want)
		}
	}
}

// drawPattern draws a pattern from what gopher-lua's matcher does right, too: without %f, and
// without a quantifier after what cannot have one.
func drawPattern(t *rapid.T) string {
	var b strings.Builder
	open, shut := 0, 0
	for range rapid.IntRange(1, 6).Draw(t, "items") {
		switch rapid.IntRange(0, 7).Draw(t, "item") {
		case 0, 1, 2, 3:
			b.WriteString(rapid.SampledFrom([]string{"a", "b", ".", "%a", "%d", "[ab]", "[^a]", "[a-c1]", "%W", "%s", "%.", "[%d_]"}).Draw(t, "single"))
			b.WriteString(rapid.SampledFrom([]string{"", "", "*", "+", "-", "?"}).Draw(t, "quantifier"))
		case 4:
			b.WriteString("(")
			open++
		case 5:
			if open > shut {
				b.WriteString(")")
				shut++
			}
		case 6:
			b.WriteString("()")
		case 7:
			b.WriteString("%b()")
		}
	}
	b.WriteString(strings.Repeat(")", open-shut))
	return rapid.SampledFrom([]string{"", "", "^"}).Draw(t, "anchor") + b.String() + rapid.SampledFrom([]string{"", "", "$"}).Draw(t, "end")
}

func TestPatternsAgreeWithGopherLua(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawPattern(rt)
		subject := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "1", "_", " ", ".", "(", ")"}), 0, 12).Draw(rt, "subject"), "")
		if strings.HasPrefix(text, "^") && strings.HasSuffix(text, "(") {
			return
		}
		theirs, err := pm.Find(text, []byte(subject), 0, 1)
		if err != nil {
			rt.Skip(err)
		}
		var want []string
		for _, match := range theirs {
			one := fmt.Sprint(match.Capture(0), " ", match.Capture(1))
			for i := 2; i < match.CaptureLength(); i += 2 {
				if match.IsPosCapture(i) {
					one += fmt.Sprint(" ", match.Capture(i))
				} else {
					one += " " + subject[match.Capture(i):match.Capture(i+1)]
				}
			}
			want = append(want, one)
		}
		got := matchAll(t, text, subject)
		if got = got[:min(len(got), 1)]; !slices.Equal(got, want) {
			rt.Fatalf("%q in %q: got %q, want %q", text, subject, got, want)
		}
	})
}

// Without %b a drawn pattern is a regular expression; Go's leftmost match with Perl's preferences
// is Lua's.
func TestPatternsAgreeWithRegularExpressions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.ReplaceAll(drawPattern(rt), "%b()", "")
		subject := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "1", "_", " ", ".", "(", ")"}), 0, 14).Draw(rt, "subject"), "")
		translated := strings.NewReplacer("%a", "[A-Za-z]", "%d", "[0-9]", "[%d_]", "[0-9_]", "%W", "[^A-Za-z0-9]", "%s", `\s`, "%.", `\.`, "-?", "-?").Replace(text)
		translated = regexp.MustCompile(`([a-z\].]|\\.)-`).ReplaceAllString(strings.ReplaceAll(translated, "a-c1", "abc1"), "${1}*?")
		for _, pair := range [][2]string{{"A-Z", "A-Z"}, {"A*?Z", "A-Z"}, {"a*?z", "a-z"}, {"a*?c", "abc"}, {"0*?9", "0-9"}} {
			translated = strings.ReplaceAll(translated, pair[0], pair[1])
		}
		re, err := regexp.Compile("(?s)" + translated)
		if err != nil {
			rt.Skip(err)
		}
		var want []string
		if at := re.FindStringSubmatchIndex(subject); at != nil {
			one := fmt.Sprint(at[0], " ", at[1])
			for i := 2; i < len(at); i += 2 {
				if captured := subject[at[i]:at[i+1]]; isPosition(text, i/2) {
					one += fmt.Sprint(" ", at[i]+1)
				} else {
					one += " " + captured
				}
			}
			want = append(want, one)
		}
		got := matchAll(t, text, subject)
		if got = got[:min(len(got), 1)]; !slices.Equal(got, want) {
			rt.Fatalf("%q (as %q) in %q: got %q, want %q", text, translated, subject, got, want)
		}
	})
}

// isPosition reports whether capture n of a pattern, from 1, is one of a position.
func isPosition(text string, n int) bool {
	for i := range len(text) {
		if text[i] == '(' {
			if n--; n == 0 {
				return i+1 < len(text) && text[i+1] == ')'
			}
		}
	}
	return false
}

func TestMatchingCostsInstructions(t *testing.T) {
	p, err := readPattern("(.-)(.-)(.-)x", true)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	m := &matcher{pattern: p, subject: strings.Repeat("a", 60), step: func() { steps++ }}
	if _, _, ok := m.find(0); ok || steps < 60*60*60/8 {
		t.Errorf("found %v after %d charges: expected none, and at least %d", ok, steps, 60*60*60/8)
	}
}
