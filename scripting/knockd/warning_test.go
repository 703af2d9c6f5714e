package knockd

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestWarnings has each warning once, as "line: door: text", and beside some of them
// what is none. All but the first lines of a file stand below a door that has none.
func TestWarnings(t *testing.T) {
	const door = "[a]\nsequence = 30,10,20\ntcpflags = syn\n" // three lines
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"none", door + "seq_timeout = 5\ncmd_timeout = 0\nstart_command = iptables -s %IP%\nstop_command = date +%Y%m%d\ntarget = 2001:db8::1\n", nil},

		{"another protocol", "[a]\nsequence = 30/udp,10,20\ntcpflags=syn\n", []string{`2: a: "30/udp" is tcp/30 to knockd: write 30:udp`}},
		{"as Sesame has it", "[a]\nsequence = udp/30,tcp/10,20\ntcpflags=syn\n", []string{
			`2: a: "udp/30" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write 30:udp`,
			`2: a: "tcp/10" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write 10:tcp`}},
		{"a slash and something else", "[a]\nsequence = 30/sctp,10,20\ntcpflags=syn\n", []string{`2: a: "30/sctp" is tcp/30 to knockd: write a port such as 7000:udp`}},
		{"a range", "[a]\nsequence = 30-35,10,20:udp\ntcpflags=syn\n", []string{`2: a: "30-35" is tcp/30 to knockd: it knows no ranges, so write each port`}},
		{"port 0, and a word", "[a]\nsequence = 0,ssh,20:udp\ntcpflags=syn\n", []string{
			`2: a: "0" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write a port from 1 to 65535`,
			`2: a: "ssh" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write the number alone, and a comma behind each knock`}},
		{"a comma too many", "[a]\nsequence = 30,10,20,\ntcpflags=syn\n", []string{
			`2: a: "" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: remove the comma too many, or write a port`}},
		{"a comma too few", "[a]\nsequence = 30 10,20\ntcpflags=syn\nsequence=30 5,40\n", []string{
			"2: a: line 4 says \"sequence\" again, and the last one counts: remove one of them",
			`4: a: "30 5" is tcp/30 to knockd: write the number alone, and a comma behind each knock`}},
		{"a comment", "[a]\nsequence = 30,10,20 # mine\ntcpflags=syn\n", []string{`2: a: "20 # mine" is tcp/20 to knockd: give the comment a line of its own`}},
		{"below zero, and too large", "[a]\nsequence = -1,10,4294967318:udp\ntcpflags=syn\n", []string{
			`2: a: "-1" is tcp/65535 to knockd: write a port from 1 to 65535`, `2: a: "4294967318:udp" is udp/22 to knockd: write a port from 1 to 65535`}},
		{"a third field", "[a]\nsequence = 30:udp:x\x1b,10,20:tcp:\ntcpflags=syn\n", []string{
			`2: a: "30:udp:x\x1b" is udp/30 to knockd: it does not read "x\x1b" behind the second colon`,
			`2: a: "20:tcp:" is tcp/20 to knockd: it does not read "" behind the second colon`}},
		{"nothing", "[a]\nsequence =\ntcpflags=syn\ncommand = x\n", []string{
			`2: a: the sequence is empty, which is a single knock at tcp/0 to knockd: no ordinary program can send it, while an attacker can: write ports such as 7000,8000,9000`}},
		{"one knock", "[a]\nsequence = 30:udp\ncommand = x\n[b]\nsequence = 31:udp\n", []string{
			`2: a: one knock is the whole sequence, so each packet to udp/30 opens the door, and runs its command: write more knocks`,
			`5: b: one knock is the whole sequence, so each packet to udp/31 opens the door: write more knocks`}},
		{"no time", door + "seq_timeout = 0\n", []string{`4: a: with a limit of 0 seconds no second knock is ever in time, so the door cannot be opened: write seq_timeout = 5`}},
		{"less than no time", door + "timeout = -3\n", []string{`4: a: with a limit of -3 seconds no second knock is ever in time, so the door cannot be opened: write seq_timeout = 5`}},
		{"a unit", door + "seq_timeout = 5m\n", []string{`4: a: "5m" is 5 seconds to knockd: write the number of seconds alone`}},
		{"a word for a time", door + "seq_timeout = five\n", []string{`4: a: "five" is 0 seconds to knockd: write the number of seconds alone`,
			`4: a: with a limit of 0 seconds no second knock is ever in time, so the door cannot be opened: write seq_timeout = 5`}},
		{"a time that wraps", door + "seq_timeout = 4294967301\n", []string{`4: a: "4294967301" is 5 seconds to knockd: write the number of seconds alone`}},
		{"a limit for one knock", "[a]\nsequence = 30:udp\nseq_timeout = 0\n", []string{`2: a: one knock is the whole sequence, so each packet to udp/30 opens the door: write more knocks`}},
		{"a word for the stop", door + "command = x\nstop_command = y\ncmd_timeout = 1h\n", []string{`6: a: "1h" is 1 seconds to knockd: write the number of seconds alone`}},
		{"a stop before the start", door + "command = x\nstop_command = y\ncmd_timeout = -1\n", []string{
			`6: a: knockd takes -1 seconds for 136 years, and so never runs the stop command; Sesame runs it at once: write a number from 0`}},
		{"a time for nothing", door + "command = x\ncmd_timeout = 9\n", []string{`5: a: there is no stop_command that could run after 9 seconds: write one, or remove this line`}},

		{"options that are a door", "[OPTIONS]\nsequence = 30,10,20\ntcpflags=syn\n", []string{
			`1: OPTIONS: this is a door; section names are case-sensitive, and blanks count, so [OPTIONS] is a door: write [options]`}},
		{"one name twice", door + "[a]\nsequence = 31,10,20\ntcpflags=syn\n", []string{`4: a-2: an earlier section is called "a" too, which are two doors to knockd: this one is "a-2" here`}},
		{"a name for a terminal", "[a\x1b]\nsequence = 30,10,20\ntcpflags=syn\n", []string{`1: a?: the name of the section is "a\x1b", and the door is "a?" here, since a name is plain text`}},
		{"a long name", "[" + strings.Repeat("x", 128) + "]\nsequence = 30,10,20\ntcpflags=syn\n", []string{
			"1: " + strings.Repeat("x", 127) + ": knockd knows only the first 127 bytes of the name: write a shorter one"}},

		{"no flags", "[a]\nsequence = 30,10,20\n", []string{`1: a: without tcpflags every TCP packet to its ports is a knock, also those of standing connections: write tcpflags = syn`}},
		{"flags that the client does not send", "[a]\nsequence = 30,10:udp,20\ntcpflags = syn,ack,fin\n", []string{
			`3: a: the door wants packets with fin,ack, which the knock client does not send: write tcpflags = syn`}},
		{"flags that the client sends", "[a]\nsequence = 30,10,20\ntcpflags = !syn\n", []string{`3: a: the door wants packets without syn, and the knock client sends no others: write tcpflags = syn`}},
		{"flags of UDP", "[a]\nsequence = 30:udp,10:udp,20:udp\ntcpflags = syn\n", []string{`3: a: the flags concern TCP alone, and all knocks of this door are UDP: remove the line`}},
		{"flags that exclude others", "[a]\nsequence = 30,10,20\ntcpflags = syn,!ack,!rst\n", nil},

		{"a dash of a web page", door + "command = iptables –I INPUT –dport 22 -m comment --comment 'a – b’s'\nstop_command = x ‘%IP%’\n# “a” – b\n", []string{
			`4: a: "–I" has U+2013 EN DASH in column 20: write "-I"`, `4: a: "–dport" has U+2013 EN DASH in column 29: write "--dport"`,
			`5: a: "‘%IP%’" has U+2018 LEFT SINGLE QUOTATION MARK and U+2019 RIGHT SINGLE QUOTATION MARK in column 18: write "'%IP%'"`}},
		{"numbers of a web page", "[a]\nsequence = 30，10,２0\ntcpflags=syn\nseq_timeout = 5\u00a0\n", []string{
			`2: a: "30，10,２0" has U+FF0C FULLWIDTH COMMA and U+FF12 FULLWIDTH DIGIT TWO in column 14: write "30,10,20"`,
			`2: a: "30，10" is tcp/30 to knockd: write the number alone, and a comma behind each knock`,
			`2: a: "２0" is tcp/0 to knockd, which no ordinary program can knock, while an attacker can: write the number alone, and a comma behind each knock`,
			`4: a: "5\u00a0" has U+00A0 NO-BREAK SPACE in column 16: write "5"`,
			`4: a: "5\u00a0" is 5 seconds to knockd: write the number of seconds alone`}},
		{"names of a web page", "[оpen\u202eSSH]\nsequence = 30,10,20\ntcpflags = syn\n[дверь – 1’s]\nsequence = 31,10,20\ntcpflags = syn\n[options]\ninterface = eth0\u200b\nlogfile = “/x”\n", []string{
			"1: оpen\u202eSSH: \"[оpen\\u202eSSH]\" has U+043E CYRILLIC SMALL LETTER O and U+202E RIGHT-TO-LEFT OVERRIDE in column 2: write \"[openSSH]\"",
			`8: "eth0\u200b" has U+200B ZERO WIDTH SPACE in column 17: write "eth0"`,
			`9: "“/x”" has U+201C LEFT DOUBLE QUOTATION MARK and U+201D RIGHT DOUBLE QUOTATION MARK in column 11: write "/x"`}},
		{"a comment in another order", "# \u2067 “–x”\n" + door, []string{`1: "\u2067" has U+2067 RIGHT-TO-LEFT ISOLATE in column 3: remove it`}},
		{"carriage returns alone", "# a\r[b]\r\n" + door + "command = x\ry\n", []string{
			"1: " + innerReturn, "5: a: " + innerReturn}},

		{"a name as target", door + "target = gate.example\n", []string{
			`4: a: "gate.example" is no address: knockd does not start when it cannot resolve such a name, and never finds a packet to it when it can, so the door cannot be opened: write an address such as 203.0.113.5`}},
		{"IPv6 in capitals", door + "target = 2001:DB8::1\n", []string{
			`4: a: knockd compares "2001:DB8::1" as text and finds no packet to it, so that the door cannot be opened; Sesame takes the address: write 2001:db8::1`}},
		{"IPv4 as IPv6", door + "target = ::ffff:203.0.113.5\n", []string{`4: a: no packet is sent to "::ffff:203.0.113.5", so the door cannot be opened: write 203.0.113.5`}},
		{"IPv6 commands of an IPv4 target", door + "target = 203.0.113.5\ncommand_6 = x\nstop_command_6 =\n", []string{
			`5: a: the target is an IPv4 address, so nobody knocks over IPv6 and this is never run: remove it`,
			`6: a: the target is an IPv4 address, so nobody knocks over IPv6 and this is never run: remove it`}},

		{"a stop without a start", door + "stop_command = x\n", []string{`4: a: without a start command knockd never runs a stop command: write start_command too, or remove this line`}},
		{"a stop without a start for IPv6", door + "command = x\nstop_command = y\ncommand_6 =\n", []string{
			`5: a: without a start command knockd never runs a stop command: write start_command too, or remove this line`}},
		{"a command that may become too long", door + "command = " + strings.Repeat("x", 4030) + "%IP% %IP%\nstop_command=x\n", []string{
			`4: a: with a long address this is more than 4095 bytes, and then knockd runs neither command: put it into a file, and run that`}},
		{"a command that just fits", door + "command = " + strings.Repeat("x", 4095-39-11) + "%IP%\n", nil},
		{"and over IPv4 alone", door + "command = " + strings.Repeat("x", 4030) + "%IP% %IP%\ntarget=203.0.113.5\n", nil},
		{"words like %IP%", door + "command = a %ip% %Port% ${IP} $src {source} $IP\nstop_command = IP=%IP%; x $IP %Y% %DOOR%\n", []string{
			`4: a: "%ip%" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`,
			`4: a: "%Port%" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`,
			`4: a: "${IP}" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`,
			`4: a: "$src" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`,
			`4: a: "{source}" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`,
			`5: a: "%DOOR%" stays as it is in the command: the address is %IP%, in capitals, and knockd fills in nothing else`}},

		{"a sequence that is never used", door + "one_time_sequences = /s\n", []string{`2: a: this sequence is never used, since line 4 names a file of them: remove one of the two`}},
		{"a sequence that is used again and again", "[a]\ntcpflags=syn\none_time_sequences = s\nsequence = 30,10,20\n", []string{
			`3: a: knockd looks for "s" where it was started, and Sesame beside knockd.conf: write the whole path`,
			`4: a: knockd begins with this sequence whenever it starts, and goes on with those of line 3: remove one of the two`}},
		{"no door", "", []string{"1: there is no door in this file, so nobody can knock: write a section such as [openSSH]"}},
		{"no door but options", "#\n[options]\nUseSyslog\n", []string{"1: there is no door in this file, so nobody can knock: write a section such as [openSSH]"}},
		{"the first interface", door + "[options]\ninterface = a\ninterface = b\n", []string{`6: knockd listens on the interface of line 5: the first one counts`}},
		{"an option again", door + "[options]\nlogfile = a\nLogFile = b\n", []string{`5: line 6 says "LogFile" again, and the last one counts: remove one of them`}},
		{"two names of one thing", door + "command = a\nstart_command = b\n", []string{`4: a: line 5 says "start_command" again, and the last one counts: remove one of them`}},
		{"a NUL byte", door + "command = a\x00b\n", []string{`4: a: knockd reads nothing of a line behind a NUL byte: remove that`}},
		{"a long line", "[a]\n#" + strings.Repeat("x", 4094) + "sequence = 30,10,20\ntcpflags = syn\n", []string{
			`3: a: this is the rest of line 2, which is longer than 4095 bytes: knockd reads it as a line of its own, and counts so`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, asLines(parse(t, tt.text).Warnings)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestManyWarnings: a file does not grow without bound when it is read.
func TestManyWarnings(t *testing.T) {
	f := parse(t, strings.Repeat("[a]\nsequence = 1,1,,\n", 1000))
	if got := len(f.Warnings); got != maxWarnings {
		t.Errorf("%d warnings, want %d", got, maxWarnings)
	}
	if f.Add(Warning{Line: 1, Text: "one more"}); len(f.Warnings) != maxWarnings {
		t.Errorf("%d warnings with one more, want %d", len(f.Warnings), maxWarnings)
	}
}

func asLines(warnings []Warning) (lines []string) {
	for _, warning := range warnings {
		e := &SyntaxError{Line: warning.Line, Message: warning.Text}
		if warning.Door != "" {
			e.Message = warning.Door + ": " + warning.Text
		}
		lines = append(lines, strings.TrimPrefix(e.Error(), ":"))
	}
	return lines
}

var matchOrder = regexp.MustCompile("the whole one of|this whole one|has the same sequence")

// TestDoorsTogether looks at doors with the same first knock.
func TestDoorsTogether(t *testing.T) {
	const (
		shares   = `begins with the same knock, so whoever knocks at one of the two has begun both: give each its own first port`
		both     = `begins with the same knock, so whoever knocks at one of the two has begun both; and knockd drops this door's attempt when the one in "a" ends, which it does first, so there this door hardly ever opens, while here it does: give each its own first port`
		dropped  = `knockd drops this door's attempt when the one in "a" ends, which it does first, so there this door hardly ever opens, while here it does: give it another first port`
		extends  = `this sequence begins with the whole one of "a", so whoever opens this opens that on the way: give each its own first port`
		contains = `the sequence of "a" begins with this whole one, so whoever opens that opens this on the way: give each its own first port`
	)
	for _, tt := range []struct {
		name, text string // the doors a, b, ...: what stands behind "sequence ="
		want       []string
	}{
		{"apart", "30,10,20;31,10,20", nil},
		{"A and B", "7000,8000,600;2222,1111", nil},
		{"C and D, which knockd winner", "9,2,3;9,4,5", []string{`b: "a" ` + both}},
		{"D and C, which it does not", "9,4,5;9,2,3", []string{`b: "a" ` + both}},
		{"apart at the last knock", "9,4,5;9,4,7", []string{`b: "a" ` + shares}},
		{"the same", "9,4,5;9,4,5", []string{`b: "a" has the same sequence, so the two open together: give each its own`}},
		{"a longer one behind", "9,4,5;9,4,5,7", []string{`b: ` + extends, `b: ` + dropped}},
		{"a shorter one behind", "9,4,5,7;9,4,5", []string{`b: ` + contains}},
		{"another protocol", "9,4,5;9:udp,4,5", nil},
		{"other flags", "9,4,5\ntcpflags=syn,!ack;9,3,8\ntcpflags=syn,ack", []string{"b: the door wants packets with ack, which the knock client does not send: write tcpflags = syn"}},
		{"flags that may be the same", "9,4,5\ntcpflags=!ack;9,3,8\n", []string{`b: "a" ` + shares}},
		{"another target", "9,4,5\ntarget=203.0.113.5;9,3,8\ntarget=203.0.113.6", nil},
		{"a target that may be this host", "9,4,5\ntarget=203.0.113.5;9,3,8", []string{`b: "a" ` + shares}},
		{"the same, at a target that may be this host", "9,4,5\ntarget=203.0.113.5;9,4,5", []string{`b: "a" has the same sequence, so the two open together: give each its own`}},
		{"a third that the second would hide", "9,4,5,1;9,4,5,2;9,4,7,2", []string{`b: "a" ` + shares, `c: "a" ` + both}},
		{"a single knock before", "9;9,3,8", []string{
			"a: one knock is the whole sequence, so each packet to tcp/9 opens the door: write more knocks", `b: ` + extends, `b: ` + dropped}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			for i, rest := range strings.Split(tt.text, ";") {
				b.WriteString("[" + string(rune('a'+i)) + "]\ntcpflags = syn\nsequence = " + rest + "\n")
			}
			var got []string
			for _, warning := range parse(t, b.String()).Warnings {
				got = append(got, warning.Door+": "+warning.Text)
				// sesame check reports better which other doors of the same target a visitor opens.
				order := matchOrder.MatchString(warning.Text) && !strings.Contains(tt.text, "target")
				if warning.Order != order {
					t.Errorf("Order is %t of %s", warning.Order, warning.Text)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
