package knockd

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var sameAddr = cmpopts.EquateComparable(netip.Addr{})

func tcp(numbers ...uint16) (ports []packet.Port) {
	for _, n := range numbers {
		ports = append(ports, packet.Port{Proto: packet.TCP, Number: n})
	}
	return ports
}

func udp(number uint16) packet.Port { return packet.Port{Proto: packet.UDP, Number: number} }

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("knockd.conf", []byte(text))
	if err != nil {
		t.Fatalf("%v, in\n%s", err, text)
	}
	return f
}

// TestSeed reads the configuration that this project began with.
func TestSeed(t *testing.T) {
	text, err := os.ReadFile("testdata/seed.conf")
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, string(text))
	syn := engine.FlagTest{Set: packet.SYN}
	want := &File{
		Path: "knockd.conf", Options: Options{Syslog: true},
		Doors: []Door{
			{Name: "openSSH", Section: "openSSH", Line: 4, Sequence: tcp(7000, 3000, 55000, 1500), SequenceLine: 5, Timeout: 5, Flags: syn,
				Start: Command{"/etc/init.d/ssh start", 7}, CommandTimeout: 10},
			{Name: "closeSSH", Section: "closeSSH", Line: 10, Sequence: tcp(9000, 8000, 7000), SequenceLine: 11, Timeout: 5, Flags: syn,
				Start: Command{"/etc/init.d/ssh stop", 13}, CommandTimeout: 10},
		},
	}
	if diff := cmp.Diff(want, f, sameAddr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSample(t *testing.T) {
	text, err := os.ReadFile("testdata/sample.conf")
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, string(text))
	syn := engine.FlagTest{Set: packet.SYN}
	port := func(n uint16) packet.Port { return tcp(n)[0] }
	want := &File{
		Path: "knockd.conf", Options: Options{LogFile: "/var/log/doors.log"},
		Doors: []Door{
			{Name: "letIn", Section: "letIn", Line: 5, Sequence: []packet.Port{port(7421), udp(9133), port(2904)}, SequenceLine: 6, Timeout: 8, Flags: syn,
				Start: Command{"/usr/sbin/nft add element inet site friends { %IP% }", 8}, CommandTimeout: 10},
			{Name: "shutOut", Section: "shutOut", Line: 12, Sequence: []packet.Port{port(2904), udp(9133), port(7421)}, SequenceLine: 13, Timeout: 8, Flags: syn,
				Start: Command{"/usr/sbin/nft delete element inet site friends { %IP% }", 15}, CommandTimeout: 10},
			{Name: "web", Section: "web", Line: 18, Sequence: tcp(41234, 12043, 50001, 8231), SequenceLine: 19, Timeout: 12,
				Flags: engine.FlagTest{Set: packet.SYN, Clear: packet.ACK}, CommandTimeout: 30,
				Start: Command{"/usr/local/sbin/let-in -p 443 -f %IP%", 21}, Stop: Command{"/usr/local/sbin/let-in -d -p 443 -f %IP%", 23}},
		},
	}
	if diff := cmp.Diff(want, f, sameAddr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// door is a section that knockd takes, and what it holds beyond these lines.
const door = "[a]\nsequence = 1,2\n"

// TestGrammar has each rule of knockd's grammar once.
func TestGrammar(t *testing.T) {
	base := Door{Name: "a", Section: "a", Line: 1, Sequence: tcp(1, 2), SequenceLine: 2, Timeout: 25, CommandTimeout: 10}
	with := func(change func(*Door)) []Door {
		d := base
		change(&d)
		return []Door{d}
	}
	sequence := func(ports ...packet.Port) []Door { return with(func(d *Door) { d.Sequence = ports }) }
	flags := func(set, clear packet.Flags) []Door {
		return with(func(d *Door) { d.Flags = engine.FlagTest{Set: set, Clear: clear} })
	}
	for _, tt := range []struct {
		name, text string
		want       []Door
	}{
		{"nothing", "", nil},
		{"options alone", "[options]\n", nil},
		{"defaults", door, []Door{base}},
		{"blanks of C around everything", "\t[a]\v\r\n \f sequence \t=\v 1 , 2 \r\n", []Door{base}},
		{"no newline at the end", "[a]\nsequence=1,2", []Door{base}},
		{"comments, first on their line alone", "# x\n  #y\n" + door, with(func(d *Door) { d.Line, d.SequenceLine = 3, 4 })},
		{"a NUL byte ends a line", "[a]\x00]\nsequence = 1,2\x00,3\n\x00x\n", []Door{base}},
		{"keys in any case", "[a]\nsEqUeNcE = 1,2\n", []Door{base}},
		{"UseSyslog in a door", door + "useSYSLOG\n", []Door{base}},
		{"a name is not trimmed", "[ a ]\nsequence = 1,2\n", with(func(d *Door) { d.Name, d.Section = " a ", " a " })},
		{"brackets in a name", "[a]b]\nsequence = 1,2\n", with(func(d *Door) { d.Name, d.Section = "a]b", "a]b" })},
		{"options in another case are a door", "[Options]\nsequence = 1,2\n", with(func(d *Door) { d.Name, d.Section = "Options", "Options" })},
		{"options between two directives of a door", door + "[options]\n[b]\nsequence=3\n", append([]Door{base},
			Door{Name: "b", Section: "b", Line: 4, Sequence: tcp(3), SequenceLine: 5, Timeout: 25, CommandTimeout: 10})},
		{"two sections of one name", door + door, append([]Door{base}, with(func(d *Door) { d.Name, d.Line, d.SequenceLine = "a-2", 3, 4 })...)},
		{"a number that a section has", door + "[a-2]\nsequence=1,2\n" + door, append([]Door{base},
			append(with(func(d *Door) { d.Name, d.Section, d.Line, d.SequenceLine = "a-2", "a-2", 3, 4 }), with(func(d *Door) { d.Name, d.Line, d.SequenceLine = "a-3", 5, 6 })...)...)},
		{"a long name", "[" + strings.Repeat("x", 300) + "]\nsequence = 1,2\n", with(func(d *Door) {
			d.Name, d.Section = strings.Repeat("x", 127), strings.Repeat("x", 300)
		})},
		{"a name for a terminal", "[a\x1b[2J\xff]\nsequence = 1,2\n", with(func(d *Door) { d.Name, d.Section = "a?[2J?", "a\x1b[2J\xff" })},

		{"protocols", "[a]\nsequence = 1:tcp, 2 : Udp ,3:\tTCP\n", sequence(tcp(1)[0], udp(2), tcp(3)[0])},
		{"a third field", "[a]\nsequence = 1:udp:x,2:tcp:\n", sequence(udp(1), tcp(2)[0])},
		{"a slash, a range, a word, nothing", "[a]\nsequence = 1/udp,2-5,x,,0x10\n", sequence(tcp(1, 2, 0, 0, 0)...)},
		{"an empty sequence is port 0", "[a]\nsequence =\n", sequence(tcp(0)...)},
		{"signs", "[a]\nsequence = +1,-1,-65535,-65536,- 1,+-1\n", sequence(tcp(1, 65535, 1, 0, 0, 0)...)},
		{"the largest port, and zeros", "[a]\nsequence = 65535,00007\n", sequence(tcp(65535, 7)...)},
		{"numbers that wrap", "[a]\nsequence = 4294967297,9223372036854775808,-9223372036854775809,9223372036854775807\n", sequence(tcp(1, 65535, 0, 65535)...)},
		{"32 knocks", "[a]\nsequence = 1" + strings.Repeat(",2", 31) + "\n", sequence(append(tcp(1), slicesRepeat(2, 31)...)...)},
		{"the last sequence counts", "[a]\nsequence = 9\nsequence = 1,2\n", with(func(d *Door) { d.SequenceLine = 3 })},

		{"timeouts", door + "seq_timeout = 7\ncmd_timeout = 8\n", with(func(d *Door) { d.Timeout, d.CommandTimeout = 7, 8 })},
		{"the other name", door + "timeout = 7\n", with(func(d *Door) { d.Timeout = 7 })},
		{"names of one thing, the last counts", door + "seq_timeout = 7\nTimeout = 8\n", with(func(d *Door) { d.Timeout = 8 })},
		{"timeouts that are none", door + "seq_timeout = 5m\ncmd_timeout =\n", with(func(d *Door) { d.Timeout, d.CommandTimeout = 5, 0 })},
		{"timeouts below zero", door + "seq_timeout = -5\ncmd_timeout = -1\n", with(func(d *Door) { d.Timeout, d.CommandTimeout = -5, -1 })},
		{"timeouts that wrap", door + "seq_timeout = 2147483648\ncmd_timeout = 4294967300\n", with(func(d *Door) {
			d.Timeout, d.CommandTimeout = -2147483648, 4
		})},

		{"flags", door + "tcpflags = syn,!ACK,Fin\n", flags(packet.SYN|packet.FIN, packet.ACK)},
		{"all flags", door + "tcpflags = fin,syn,rst,psh,ack,urg\n", flags(63, 0)},
		{"flags add up", door + "tcpflags = syn\ntcpflags = !ack\n", flags(packet.SYN, packet.ACK)},
		{"of two words about a flag the later counts", door + "tcpflags = syn,!ack,!syn,ack\n", flags(packet.ACK, packet.SYN)},

		{"a target", door + "target = 203.0.113.5\n", with(func(d *Door) { d.Target = netip.MustParseAddr("203.0.113.5") })},
		{"an IPv6 target in another spelling", door + "target = 2001:DB8:0::1\n", with(func(d *Door) { d.Target = netip.MustParseAddr("2001:db8::1") })},
		{"a host as a target", door + "target = localhost\n", with(func(d *Door) { d.Unreachable = true })},
		{"an IPv6 address with all of its bits", door + "target = 2001:db8::1/128\n", with(func(d *Door) { d.Unreachable = true })},
		{"zeros before a number", door + "target = 203.0.113.05\n", with(func(d *Door) { d.Unreachable = true })},
		{"an IPv4 address as IPv6", door + "target = ::ffff:203.0.113.5\n", with(func(d *Door) { d.Unreachable = true })},
		{"the last target counts", door + "target = 203.0.113.0/24\ntarget = 203.0.113.5\n", with(func(d *Door) { d.Target = netip.MustParseAddr("203.0.113.5") })},

		{"commands", door + "start_command = x = y # z\nstop_command=z\n", with(func(d *Door) { d.Start, d.Stop = Command{"x = y # z", 3}, Command{"z", 4} })},
		{"commands of IPv6", door + "Start_Command_6 = x\nstop_command_6 =\n", with(func(d *Door) { d.Start6, d.Stop6 = &Command{"x", 3}, &Command{"", 4} })},
		{"other names", door + "command = x\ncommand_6 = y\n", with(func(d *Door) { d.Start, d.Start6 = Command{"x", 3}, &Command{"y", 4} })},
		{"names of one command", door + "command = x\nstart_command =\n", with(func(d *Door) { d.Start = Command{"", 4} })},
		{"bytes of a command", door + "command = \xff\x1bü\n", with(func(d *Door) { d.Start = Command{"\xff\x1bü", 3} })},

		{"one-time sequences", "[a]\none_time_sequences = /s\n", with(func(d *Door) { d.Sequence, d.SequenceLine, d.OneTime, d.OneTimeLine = nil, 0, "/s", 2 })},
		{"a sequence and then those", door + "one_time_sequences = /s\n", with(func(d *Door) { d.Sequence, d.SequenceLine, d.OneTime, d.OneTimeLine = nil, 0, "/s", 3 })},
		{"those and then a sequence", "[a]\none_time_sequences = /s\nsequence = 1,2\n", with(func(d *Door) { d.SequenceLine, d.OneTime, d.OneTimeLine = 3, "/s", 2 })},

		{"a line of 4095 bytes", "#" + strings.Repeat("x", 4093) + "\n" + door, with(func(d *Door) { d.Line, d.SequenceLine = 2, 3 })},
		{"a longer one is two", "#" + strings.Repeat("x", 4094) + "\n" + door, with(func(d *Door) { d.Line, d.SequenceLine = 3, 4 })},
		{"the rest of a comment", "#" + strings.Repeat("x", 4094) + door, []Door{with(func(d *Door) { d.Line, d.SequenceLine = 2, 3 })[0]}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.text).Doors, sameAddr); diff != "" {
				t.Errorf("doors (-want +got):\n%s\nof\n%.300s", diff, tt.text)
			}
		})
	}
}

func slicesRepeat(number uint16, count int) (ports []packet.Port) {
	for range count {
		ports = append(ports, tcp(number)...)
	}
	return ports
}

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       Options
	}{
		{"all", "[options]\nUseSyslog\nlogfile = /l\nPIDFILE=/p\nInterface = eth1\n", Options{true, "/l", "/p", "eth1"}},
		{"in two sections", "[options]\nlogfile = /l\n[options]\npidfile = /p\n", Options{false, "/l", "/p", ""}},
		{"the last counts, and the first interface", "[options]\nlogfile=/l\nlogfile=/m\ninterface=\ninterface=eth1\ninterface=eth2\n", Options{false, "/m", "", "eth1"}},
		{"a long interface", "[options]\ninterface = " + strings.Repeat("x", 40) + "\n", Options{Interface: strings.Repeat("x", 31)}},
		{"values are whole", "[options]\nlogfile = \"/a b\" # c\n", Options{LogFile: `"/a b" # c`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.text).Options); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusals has each reason for which knockd refuses a file.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a directive before any section", "sequence = 1\n", `1: "sequence = 1" stands before the first section: put it below a line such as [options] or [openSSH]`},
		{"a bare UseSyslog before any section", "\nUseSyslog\n", `2: "UseSyslog" stands before the first section: put it below a line such as [options] or [openSSH]`},
		{"a byte order mark", "\ufeff[options]\n", `1: the file begins with a byte order mark, which knockd takes for text: save it as UTF-8 without one`},
		{"no name", "[]\n", `1: [] names no section: write [options], or the name of a door between the brackets`},
		{"no sequence", "[options]\n[b]\n", `2: the door "b" has no sequence: write a line such as sequence = 7000,8000,9000`},
		{"options that are a door", "[Options]\nUseSyslog\n", `1: the door "Options" has no sequence: write a line such as sequence = 7000,8000,9000; section names are case-sensitive, and blanks count, so [Options] is a door: write [options]`},
		{"a directive of options in such a door", "[ options ]\nlogfile = /l\n", `2: "logfile" belongs to the section [options]; section names are case-sensitive, and blanks count, so [ options ] is a door: write [options]`},
		{"a directive of options in a door", door + "PidFile = x\n", `3: "PidFile" belongs to the section [options], not to a door`},
		{"a directive of a door in options", "[options]\nsequence = 1\n", `2: "sequence" belongs to a door: put it below a section such as [openSSH]`},
		{"an unknown directive", door + "seq_timeot = 1\n", `3: a door has no "seq_timeot": did you mean "Seq_Timeout"?`},
		{"an unknown option", "[options]\nlogfiles = 1\n", `2: [options] has no "logfiles": did you mean "LogFile"?`},
		{"an option like no other", "[options]\nxyzzy = 1\n", `2: [options] has no "xyzzy": expected one of UseSyslog, LogFile, PidFile, Interface`},
		{"no key", door + "= 1\n", `3: a door has no "": expected one of Sequence, One_Time_Sequences, Seq_Timeout, TCPFlags, Target, Start_Command, Start_Command_6, Cmd_Timeout, Stop_Command, Stop_Command_6, Command, Command_6, Timeout`},
		{"a value of UseSyslog", "[options]\nUseSyslog = yes\n", `2: UseSyslog takes no value: write it alone on its line, or remove it to log elsewhere`},
		{"a value of UseSyslog in a door", door + "UseSyslog =\n", `3: UseSyslog takes no value: write it alone on its line, or remove it to log elsewhere`},
		{"a directive without a value", door + "tcpflags\n", `3: "tcpflags" has no value: write tcpflags = VALUE`},
		{"a word", door + "usesyslg\n", `3: "usesyslg" is no directive: did you mean "UseSyslog"?`},
		{"another word", door + "hello world\n", `3: "hello world" is no directive: expected NAME = VALUE, or a comment that begins with #`},
		{"another comment", door + "; x\n", `3: "; x" is no comment: those begin with #`},
		{"a comment behind a section", "[a] # x\n", `1: "[a] # x" is no section: it ends with ], and a comment has a line of its own`},
		{"half a section", "[a\n", `1: "[a" is no section: it ends with ], and a comment has a line of its own`},
		{"a comment behind another section", door + "[b] # x\n", `3: "[b] # x" is no section: it ends with ], and a comment has a line of its own`},
		{"a comment with a sign behind another section", door + "[b] # x = y\n", `3: "[b] # x = y" is no section: it ends with ], and a comment has a line of its own`},
		{"words for a terminal", door + "\x1b[31m\xff\u202e\n", `3: "\x1b[31m\xff\u202e" is no directive: expected NAME = VALUE, or a comment that begins with #; "\x1b[31m\xff\u202e" has U+202E RIGHT-TO-LEFT OVERRIDE in column 7: write "\x1b[31m\xff"`},
		{"many words", door + strings.Repeat("ä", 50) + "\n", `3: "` + strings.Repeat("ä", 30) + `"... is no directive: expected NAME = VALUE, or a comment that begins with #`},

		{"a port too high", "[a]\nsequence = 1, 65536:udp\n", `2: "65536" is no port: expected 1 to 65535`},
		{"no protocol", "[a]\nsequence = 1:\n", `2: the protocol is missing in "1:": expected tcp or udp behind the colon`},
		{"another protocol", "[a]\nsequence = 1:icmp\n", `2: "icmp" is no protocol: expected tcp or udp, as in 7000:udp`},
		{"letters that only look like it", "[a]\nsequence = 1:tcp,2:uԁp\n", `2: "uԁp" is no protocol: expected tcp or udp, as in 7000:udp; "1:tcp,2:uԁp" has U+0501 CYRILLIC SMALL LETTER KOMI DE in column 21: write "1:tcp,2:udp"`},
		{"33 knocks", "[a]\nsequence = 1" + strings.Repeat(",2", 32) + "\n", `2: the sequence has more than 32 knocks, and knockd has no room for them: write a shorter one`},
		{"no file of one-time sequences", "[a]\none_time_sequences =\n", `2: the path of a file of one-time sequences was expected, as in one_time_sequences = /etc/knockd/sequences`},

		{"a network as a target", door + "target = 203.0.113.0/24\n", `3: "203.0.113.0/24" is a network, and a target is one address: write one such as 203.0.113.5`},
		{"a network of one address", door + "target = 203.0.113.5/32\n", `3: "203.0.113.5/32" is a network, and a target is one address: write 203.0.113.5`},
		{"a network of IPv6", door + "target = 2001:db8::/32\n", `3: "2001:db8::/32" is a network, and a target is one address: write one such as 203.0.113.5`},
		{"a network of a name", door + "target = example.org/24\n", `3: "example.org/24" is a network, and a target is one address: write one such as 203.0.113.5`},
		{"an interface behind a target", door + "target = fe80::1%eth0\n", `3: "fe80::1%eth0" has an interface behind it, and a target is an address alone: write fe80::1`},
		{"an empty target", door + "target =\n", `3: the target is empty: write an address such as 203.0.113.5, or remove the line`},
		{"a target beside a missing sequence", "[a]\ntarget =\n", `1: the door "a" has no sequence: write a line such as sequence = 7000,8000,9000`},

		{"a blank between flags", door + "tcpflags = syn, ack\n", `3: " ack" is no flag, since knockd takes blanks for a part of it: write tcpflags = syn,ack`},
		{"a blank in a flag", door + "tcpflags = ! ack\n", `3: "! ack" is no flag, since knockd takes blanks for a part of it: write tcpflags = !ack`},
		{"no flags", door + "tcpflags =\n", `3: the flags are missing: write tcpflags = syn, or remove the line`},
		{"a comma too many", door + "tcpflags = syn,\n", `3: a flag is missing at a comma too many: write tcpflags = syn`},
		{"a flag nobody knows", door + "tcpflags = syn,ece\n", `3: "ece" is no flag: expected fin, syn, rst, psh, ack or urg, with a ! before it for one that must not be set`},
		{"blanks and a flag nobody knows", door + "tcpflags = syn, ece\n", `3: "ece" is no flag: expected fin, syn, rst, psh, ack or urg, with a ! before it for one that must not be set`},
		{"a comment behind flags", door + "tcpflags = syn # x\n", `3: "syn # x" is no flag: give the comment a line of its own`},
		{"a letter that only looks like it", door + "tcpflags = ſyn\n", `3: "ſyn" is no flag: expected fin, syn, rst, psh, ack or urg, with a ! before it for one that must not be set; "ſyn" has U+017F LATIN SMALL LETTER LONG S in column 12: write "syn"`},
		{"quotes of a web page", door + "tcpflags = “syn”\n", `3: "“syn”" is no flag: expected fin, syn, rst, psh, ack or urg, with a ! before it for one that must not be set; "“syn”" has U+201C LEFT DOUBLE QUOTATION MARK and U+201D RIGHT DOUBLE QUOTATION MARK in column 12: write "syn"`},
		{"a no-break space before a directive", door + "\u00a0tcpflags = syn\n", `3: a door has no "\u00a0tcpflags": did you mean "TCPFlags"?; "\u00a0tcpflags" has U+00A0 NO-BREAK SPACE in column 1: write "tcpflags"`},
		{"options with another letter", "[оptions]\nUseSyslog\n", `1: the door "оptions" has no sequence: write a line such as sequence = 7000,8000,9000; "[оptions]" has U+043E CYRILLIC SMALL LETTER O in column 2: write "[options]"`},
		{"carriage returns alone", "[options]\rUseSyslog\r[a]\rsequence = 1,2\r", `1: "[options]\rUseSyslog\r[a]\rsequence = 1,2" is no section: it ends with ], and a comment has a line of its own; ` + innerReturn},

		{"the rest of a long line", "[a]\n#" + strings.Repeat("x", 4100) + "\n", `3: "xxxxxx" is no directive: expected NAME = VALUE, or a comment that begins with # (this is the rest of line 2, which is longer than 4095 bytes)`},
		{"what comes behind one", "[a]\nsequence = 1" + strings.Repeat(" ", 4100) + "\nx\n", `4: "x" is no directive: expected NAME = VALUE, or a comment that begins with #`},
		{"the first of two", "[a]\nx\n[]\n", `2: "x" is no directive: expected NAME = VALUE, or a comment that begins with #`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("/etc/knockd.conf", []byte(tt.text))
			if f != nil || err == nil {
				t.Fatalf("no error, want %s", tt.want)
			}
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Errorf("%T: expected a *SyntaxError", err)
			}
			if diff := cmp.Diff("/etc/knockd.conf:"+tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRefusalsNameLaterLines: who pasted a file mends it at once.
func TestRefusalsNameLaterLines(t *testing.T) {
	const line = "\u00a0sequence = 1\n"
	for text, want := range map[string]string{
		"[a]\n" + line + "# a\u00a0b\nsequence = 1\n" + line + line: "; such characters are also in these lines: 5 6",
		"[a]\n" + strings.Repeat(line, 12):                          "; such characters are also in these lines: 3 4 5 6 7 8 9 10 11 12 and more",
		"[a]\n" + line:                                              "",
		"[a]\nx y\n" + line:                                         "",
	} {
		_, err := Parse("/k", []byte(text))
		if _, later, _ := strings.Cut(fmt.Sprint(err), "; such"); err == nil || strings.TrimPrefix(want, "; such") != later {
			t.Errorf("of %q: %v", text, err)
		}
	}
}
