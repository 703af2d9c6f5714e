package scripting

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

var update = flag.Bool("update", false, "rewrite the expected messages")

var fileHead = regexp.MustCompile(`(?m)^-- (.+?)/(.+) --\n`)

// TestWrongScripts loads each case of two files: a directory with
// scripts, and in its file "want" all their problems. A file "set" has the
// values of --set, one NAME=VALUE a line. A file below "outside" is a referenced
// file: outside/etc/knockd.conf is /etc/knockd.conf. The directory is
// /srv/scripts.
func TestWrongScripts(t *testing.T) {
	wrongScripts(t, "testdata/wrong.txtar", 30)
	wrongScripts(t, "testdata/mistakes.txtar", 150)
}

// wrongScripts compares the cases of one file, which are at least so many.
func wrongScripts(t *testing.T, golden string, least int) {
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	heads := fileHead.FindAllStringSubmatchIndex(string(text), -1)
	result := string(text[:heads[0][0]])
	files, count := map[string]string{}, 0
	for i, head := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, file, body := string(text[head[2]:head[3]]), string(text[head[4]:head[5]]), string(text[head[1]:end])
		if file != "want" {
			files[strings.TrimPrefix(file, "outside")] = body
			result += string(text[head[0]:end])
			continue
		}
		t.Run(name, func(t *testing.T) {
			got := complaint(t, files)
			result += string(text[head[0]:head[1]]) + got
			if !*update && got != body {
				t.Errorf("message (-want +got):\n%s", cmp.Diff(body, got))
			}
		})
		files, count = map[string]string{}, count+1
	}
	if count < least {
		t.Errorf("%s: %d cases: expected at least %d", golden, count, least)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(result), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// complaint loads scripts that are wrong, and returns the messages for its author.
func complaint(t *testing.T, files map[string]string) string {
	t.Helper()
	values := map[string]string{}
	for line := range strings.Lines(files["set"]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = value
	}
	set, err := Load(sourcetest.Files(files), Options{Values: values})
	if err == nil {
		set.Close()
		t.Error("the scripts load: expected a problem")
		return ""
	}
	problems, ok := err.(source.Problems)
	if !ok {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, problem := range problems {
		b.WriteString(problem.Detail() + "\n")
	}
	return b.String()
}
