package suite_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A mutant is a text in which one constant is another.
type mutant struct {
	line int
	what string // "8s" -> "9s"
	text string
}

// A token is a word of a Lua text. The scripts that are shipped have no long brackets.
type token struct {
	start, end int
	text       string
}

var words = regexp.MustCompile(`--[^\n]*|"[^"\n]*"|'[^'\n]*'|[A-Za-z_]\w*|0x[0-9a-fA-F]+|\d+(?:\.\d+)?|\.\.\.?|[=~<>]=|[^\s]`)

func tokens(text string) (list []token) {
	for _, at := range words.FindAllStringIndex(text, -1) {
		if word := text[at[0]:at[1]]; !strings.HasPrefix(word, "--") {
			list = append(list, token{at[0], at[1], word})
		}
	}
	return list
}

func (t token) quoted() bool { return strings.ContainsAny(t.text[:1], `"'`) }
func (t token) number() bool { return t.text[0] >= '0' && t.text[0] <= '9' }
func (t token) name() bool {
	return regexp.MustCompile(`^[A-Za-z_]`).MatchString(t.text) && !t.constant()
}
func (t token) constant() bool {
	return t.quoted() || t.number() || t.text == "true" || t.text == "false"
}

// unseen are the keys whose values no decision depends on.
var unseen = []string{"doc", "name", "type"}

// mutants returns the variants of a Lua text, each with one constant changed, or one entry of a
// table left out. Names of doors, options and modules stay: they stand behind a name.
func mutants(text string) (all []mutant) {
	list := append(tokens(text), token{len(text), len(text), ""})
	add := func(start, end int, instead string) {
		line := 1 + strings.Count(text[:start], "\n")
		all = append(all, mutant{line, fmt.Sprintf("%s -> %s", text[start:end], instead), text[:start] + instead + text[end:]})
	}
	for i, t := range list[:len(list)-1] {
		before, behind := token{text: ";"}, list[i+1]
		if i > 0 {
			before = list[i-1]
		}
		switch {
		case t.text == "not":
			add(t.start, t.end, "")
		case t.constant() && !(t.quoted() && before.name() && before.text != "return") && !keyed(list, i, unseen):
			for _, instead := range others(t.text) {
				add(t.start, t.end, instead)
			}
		}
		element := (before.text == "{" || before.text == ",") && (behind.text == "," || behind.text == "}")
		if element && (t.constant() || t.name()) {
			end := t.end
			if behind.text == "," {
				end = behind.end
			}
			add(t.start, end, "")
		}
		if start, end, ok := field(list, i); ok && !keyed(list, i+2, unseen) {
			add(start, end, "")
		}
	}
	return all
}

// keyed reports whether the i-th token is the value of one of these keys.
func keyed(list []token, i int, keys []string) bool {
	for _, key := range keys {
		if i >= 2 && list[i-1].text == "=" && list[i-2].text == key {
			return true
		}
	}
	return false
}

// field returns where an entry of a table stands that begins with the i-th token: a key and a
// constant, a name, or a table.
func field(list []token, i int) (start, end int, ok bool) {
	if i == 0 || i+3 >= len(list) || list[i-1].text != "{" && list[i-1].text != "," || !list[i].name() || list[i+1].text != "=" {
		return 0, 0, false
	}
	last := i + 2
	if list[last].text == "{" {
		for depth := 0; last < len(list); last++ {
			depth += strings.Count(list[last].text, "{") - strings.Count(list[last].text, "}")
			if depth == 0 {
				break
			}
		}
	} else if !list[last].constant() && !list[last].name() {
		return 0, 0, false
	}
	if last+1 >= len(list) || list[last+1].text != "," && list[last+1].text != "}" {
		return 0, 0, false
	}
	end = list[last].end
	if list[last+1].text == "," {
		end = list[last+1].end
	}
	return list[i].start, end, true
}

var (
	aPort     = regexp.MustCompile(`^"(tcp|udp)/(\d+)"$`)
	aDuration = regexp.MustCompile(`^"(\d+)(ms|s|m|h|d)"$`)
	aClock    = regexp.MustCompile(`^"(\d\d:\d)(\d)"$`)
	aDate     = regexp.MustCompile(`\d\d-(\d\d)\b`)
	aNetwork  = regexp.MustCompile(`^"[0-9a-f.:]+/(\d+)"$`)
	aCountry  = regexp.MustCompile(`^"[A-Z]{2}"$`)
	aFile     = regexp.MustCompile(`^"(lists/|.*\.conf")`)
)

// fixed are constants that have one other value.
var fixed = map[string]string{
	"true": "false", "false": "true", `"mon-fri"`: `"mon-thu"`, `"sat"`: `"sun"`,
	`"Europe/Madrid"`: `"Europe/London"`, `"europe"`: `"asia"`,
}

// others returns what may stand in place of a constant.
func others(text string) []string {
	if other, ok := fixed[text]; ok {
		return []string{other}
	}
	if n, err := strconv.Atoi(text); err == nil {
		return []string{strconv.Itoa(n + 1)}
	}
	if m := aPort.FindStringSubmatch(text); m != nil {
		return []string{fmt.Sprintf(`"%s/%d"`, m[1], number(m[2])+1), fmt.Sprintf(`"%s/%s"`, map[string]string{"tcp": "udp", "udp": "tcp"}[m[1]], m[2])}
	}
	if m := aDuration.FindStringSubmatch(text); m != nil {
		return []string{fmt.Sprintf(`"%d%s"`, number(m[1])+1, m[2])}
	}
	if m := aClock.FindStringSubmatch(text); m != nil {
		return []string{fmt.Sprintf(`"%s%d"`, m[1], (number(m[2])+1)%10)}
	}
	if m := aNetwork.FindStringSubmatchIndex(text); m != nil {
		return []string{text[:m[2]] + strconv.Itoa(number(text[m[2]:m[3]])+1) + text[m[3]:]}
	}
	if dates := aDate.FindAllStringSubmatchIndex(text, -1); dates != nil {
		var moved []string
		for _, m := range dates {
			moved = append(moved, fmt.Sprintf("%s%02d%s", text[:m[2]], number(text[m[2]:m[3]])%28+1, text[m[3]:]))
		}
		return moved
	}
	switch {
	case aCountry.MatchString(text):
		return []string{`"BR"`}
	case aFile.MatchString(text) || len(text) < 3:
		return nil
	}
	return []string{text[:len(text)-2] + "~" + text[len(text)-1:]}
}

func number(text string) int {
	n, _ := strconv.Atoi(text) // the expressions above match digits alone
	return n
}

// lineMutants returns the variants of a list or a knockd.conf: each without one of its lines, and
// each with one number changed.
func lineMutants(text string, numbers *regexp.Regexp) (all []mutant) {
	lines := strings.SplitAfter(text, "\n")
	at := 0
	for i, line := range lines {
		data, _, _ := strings.Cut(line, "#")
		if strings.TrimSpace(data) != "" {
			all = append(all, mutant{i + 1, strings.TrimSpace(data) + " -> nothing", text[:at] + text[at+len(line):]})
			for _, m := range numbers.FindAllStringIndex(data, -1) {
				instead := strconv.Itoa(number(data[m[0]:m[1]]) + 1)
				all = append(all, mutant{i + 1, data[m[0]:m[1]] + " -> " + instead, text[:at+m[0]] + instead + text[at+m[1]:]})
			}
		}
		at += len(line)
	}
	return all
}
