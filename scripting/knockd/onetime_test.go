package knockd

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

func TestUnused(t *testing.T) {
	text := "# what the file is for\n" +
		" 1,2:udp\n" +
		"\n" +
		"#3,4\n" +
		"\t# 5,6\n" +
		"7 , 8\r\n" +
		"65536\n" +
		"9:icmp\n" +
		"1" + strings.Repeat(",1", 32) + "\n" +
		"hello\n" +
		"9,10" + strings.Repeat(" ", 4100) + "\n" +
		"9\x00,10\n" +
		"11"
	unused, warnings := Unused([]byte(text))
	want := []Sequence{
		{2, "1,2:udp", []packet.Port{tcp(1)[0], udp(2)}},
		{6, "7 , 8", tcp(7, 8)},
		{10, "hello", tcp(0)},
		{13, "11", tcp(11)},
	}
	if diff := cmp.Diff(want, unused); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}
	wantWarnings := []string{
		`7: this line is skipped: "65536" is no port: expected 1 to 65535`,
		`8: this line is skipped: "icmp" is no protocol: expected tcp or udp, as in 7000:udp`,
		`9: this line is skipped: the sequence has more than 32 knocks, and knockd has no room for them: write a shorter one`,
		`10: "hello" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write the number alone, and a comma behind each knock`,
		`11: this line is skipped: it is longer than 4095 bytes`,
		`12: this line is skipped: it has a NUL byte`,
	}
	if diff := cmp.Diff(wantWarnings, asLines(warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestFilesOfSomethingElse: a file must have a line that somebody wrote as a sequence, used or not.
func TestFilesOfSomethingElse(t *testing.T) {
	const noLine = " is no sequence, and neither is any other line: expected lines such as 7421,9133:udp"
	for text, want := range map[string]string{
		"":                "",
		"# all gone\n\n":  "",
		"1,2:udp\n":       "",
		"hello\n7\n":      "",
		"hello\n#1,2\n":   "",
		"hello\n## 1,2\n": "",
		"hello\n":         "line 1" + noLine,
		"\n# 1,x\nhello":  "line 3" + noLine,
		"7000,0\n":        "line 1" + noLine,
		"1,2:sctp\n":      "line 1" + noLine,
		"70000\n":         "line 1" + noLine,
		"1\x00\n":         "line 1" + noLine,
		"1" + strings.Repeat(" ", maxLine) + "\n":                         "line 1" + noLine,
		"root:$6$salt$hash:19000:0:99999:7:::\nme:*:19000:0:99999:7:::\n": "line 1" + noLine,
	} {
		got := ""
		if err := CheckOneTime([]byte(text)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40q: got %q, want %q", text, got, want)
		}
	}
}

// TestSequencesOfDoors: what is odd in the files of one-time sequences is a warning of
// the door that names them.
func TestSequencesOfDoors(t *testing.T) {
	f, err := Parse("/etc/knockd.conf", []byte("[a]\ntcpflags = syn\none_time_sequences = /list\n[b]\ntcpflags = syn\none_time_sequences = /none\n"+
		"[c]\ntcpflags = syn\none_time_sequences = /list\n[d]\ntcpflags = syn\none_time_sequences = /none\ntarget = gate.example\n[e]\ntcpflags = syn\none_time_sequences = /used\n"))
	if err != nil {
		t.Fatal(err)
	}
	f.Warnings = nil
	f.CheckSequences(func(path string) ([]byte, error) {
		text, found := map[string]string{"/list": "1,2\nx\n", "/used": "#1\n"}[path]
		if !found {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	})
	want := []Warning{
		{Line: 6, Door: "b", Text: `"/none" cannot be read (file does not exist): without it knockd does not start, and a script that names it does not load: make it, or name another`},
		{Line: 12, Door: "d", Text: `"/none" cannot be read (file does not exist): without it knockd does not start: make it, or name another`},
		{Line: 16, Door: "e", Text: `"/used" has no sequence left, so knockd does not start: write new ones into it, each in a line of its own behind a blank`},
		{File: "/list", Line: 2, Door: "a", Text: `"x" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write the number alone, and a comma behind each knock`},
	}
	if diff := cmp.Diff(want, f.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	script := f.Script(ScriptOptions{})
	if at := strings.Index(script, "\n-- list:2: \"x\" is tcp/0"); at < 0 || at > strings.Index(script, "sesame.door \"a\"") {
		t.Errorf("what is odd in the file does not stand at its door:\n%s", script)
	}
}
