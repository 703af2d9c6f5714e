package knockd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestFromUCI reads what is in /etc/config/knockd on OpenWrt.
func TestFromUCI(t *testing.T) {
	const text = `# OpenWrt
config knockd 'common'
	option interface 'wan'
	option logfile '/x'

config rule 'openssh'
	option sequence '7000,8000:udp,9000'   # mine
	option command "/usr/sbin/iptables -I input_wan -s %IP% -p tcp --dport $PORT -j ACCEPT -m comment --comment \"a\""
	option seq_timeout 5
	option tcpflags syn
	option target '192.0.2.1'
	option stop_command ''
config rule
	option sequence '1,2'
	option command true
config rule 'half'
	option sequence '3,4'
config other
	option sequence '5'
config
config rule 'unfinished'
	list sequence 6
	option sequence '6,7
	option command x
`
	conf, warnings := FromUCI([]byte(text))
	if want := `

[options]
interface = wan


[openssh]
sequence = 7000,8000:udp,9000
command = /usr/sbin/iptables -I input_wan -s %IP% -p tcp --dport $PORT -j ACCEPT -m comment --comment "a"
seq_timeout = 5
tcpflags = syn


[rule-13]
sequence = 1,2
command = true





[unfinished]

sequence = 6,7
command = x
[options]
UseSyslog
`; "\n"+strings.ReplaceAll(string(conf), " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("the knockd.conf is\n%s\nwant%s", conf, want)
	}
	want := []string{
		`4: OpenWrt's init script passes no "logfile" on to knockd`,
		`11: OpenWrt's init script passes no "target" on to knockd`,
		`18: the rule of line 16 is left out, as OpenWrt's init script does: it needs a sequence and a command`,
		`18: the section "other" is not read: knockd's rules are config rule 'NAME', and its interface is in config knockd 'common'`,
		`20: "config" is not read: expected config TYPE 'NAME', or option NAME 'VALUE'`,
		`22: "list sequence 6" is not read: expected config TYPE 'NAME', or option NAME 'VALUE'`,
		`23: the quote ' has no end in this line: write one behind the value`,
	}
	if got := told(warnings); !slices.Equal(got, want) {
		t.Errorf("warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	file, err := Parse("/etc/config/knockd", conf)
	if lines := strings.Split(string(conf), "\n"); strings.Index(lines[6], "7000") != strings.Index(text, "7000")-strings.LastIndex(text[:strings.Index(text, "7000")], "\n")-1 {
		t.Errorf("a value is at another column: %q", lines[6])
	}
	if err != nil || len(file.Doors) != 3 || file.Doors[0].Line != 6 || file.Options.Interface != "wan" || !file.Options.Syslog {
		t.Errorf("read as %+v, %v", file, err)
	}
}

func TestIsUCI(t *testing.T) {
	for text, want := range map[string]bool{
		"\n# x\n\tconfig rule 'a'\n": true,
		"config":                     false,
		"[options]\nconfig rule x\n": false,
		"configs rule\n":             false,
		"":                           false,
		"\r\nconfig\trule\r\n":       true,
	} {
		if got := IsUCI([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// FuzzFromUCI: what is made has a line for each line, and each warning one of them.
func FuzzFromUCI(f *testing.F) {
	f.Add("config rule 'a'\noption sequence \"1,\\\"2\"\n\toption command 'x\nconfig knockd common\noption interface e\\ f")
	f.Fuzz(func(t *testing.T, text string) {
		conf, warnings := FromUCI([]byte(text))
		lines := strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1
		if made := strings.Count(string(conf), "\n"); made > lines+2 {
			t.Errorf("%d lines of %d: %q", made, lines, conf)
		}
		for _, w := range warnings {
			if w.Line < 1 || w.Line > lines || !shows(w.Text) {
				t.Errorf("of %q: %s", text, fmt.Sprint(w))
			}
		}
	})
}
