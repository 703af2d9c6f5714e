package knockd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// launchText returns what was read, as "interface=eth1@2 lookup@2", with the lines.
func launchText(l *Launch) string {
	var texts []string
	for _, s := range []struct {
		name string
		Setting
	}{
		{"interface", l.Interface}, {"config", l.Config}, {"logfile", l.LogFile}, {"pidfile", l.PIDFile}, {"lookup", l.Lookup},
		{"daemon", l.Daemon}, {"verbose", l.Verbose}, {"debug", l.Debug}, {"4", l.OnlyIPv4},
	} {
		if value := s.Value; s.Set() {
			if value != "" {
				value = "=" + value
			}
			texts = append(texts, fmt.Sprintf("%s%s@%d", s.name, value, s.Line))
		}
	}
	return strings.Join(texts, " ")
}

// told returns warnings, or notes, as "3: text".
func told(all []Warning) (texts []string) {
	for _, w := range all {
		texts = append(texts, fmt.Sprintf("%d: %s", w.Line, w.Text))
	}
	return texts
}

const asCommand = ` as a command here, and systemd takes it for a part of the value, as is done here: put the value in quotes`

const asPart = ` for an assignment here, and systemd for a part of the value before it: write it in a line of its own`

func TestReadDefaults(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
		warnings, notes  []string
	}{
		{name: "nothing"},
		{name: "Debian as it comes", text: "# 1 = start\nSTART_KNOCKD=0\n\n# command line options\n#KNOCKD_OPTS=\"-i eth1\"\n",
			notes: []string{`2: START_KNOCKD is "0": the init script does not start knockd, and its unit of systemd does not look at that; systemctl is-active knockd tells whether it runs`}},
		{name: "Debian as a tutorial has it", text: "START_KNOCKD=1\nKNOCKD_OPTS=\"-i eth1\"\n", want: "interface=eth1@2"},
		{name: "Fedora", text: "OPTIONS=\"-i enp1s0\"\n", want: "interface=enp1s0@1"},
		{name: "openSUSE", text: "## Type: string\nKNOCKD_OPTIONS=\"-d\"\n", want: "daemon@2"},
		{name: "Gentoo", text: "IFACE=\"ppp0\"\nOPTS=\"-v\"\n", want: "interface=ppp0@1 verbose@2"},
		{name: "Gentoo, another interface in the options", text: "OPTS=\"-i eth9\"\nIFACE=\"ppp0\"\n", want: "interface=eth9@1"},
		{name: "Gentoo, no interface", text: "IFACE=\nOPTS=\"\"\n"},

		{name: "all options", text: "KNOCKD_OPTS='-i eth0 -c /c -d -g /g -p /p -l -v -D -4'", want: "interface=eth0@1 config=/c@1 logfile=/g@1 pidfile=/p@1 lookup@1 daemon@1 verbose@1 debug@1 4@1"},
		{name: "long ones", text: "KNOCKD_OPTS='--interface eth0 --config=/c --daemon --logfile /g --pidfile=/p --lookup --verbose --debug --only-ip-v4'",
			want: "interface=eth0@1 config=/c@1 logfile=/g@1 pidfile=/p@1 lookup@1 daemon@1 verbose@1 debug@1 4@1"},
		{name: "beginnings of long ones", text: "KNOCKD_OPTS='--in=eth0 --deb --o'", want: "interface=eth0@1 debug@1 4@1"},
		{name: "one that two begin with", text: "KNOCKD_OPTS='--d --verbos -v'", want: "verbose@1", warnings: []string{`1: knockd 0.8 does not start with the option "--d": expected one of interface, config, logfile, pidfile, lookup, daemon, verbose, debug, only-ip-v4, help, version`}},
		{name: "combined", text: "KNOCKD_OPTS='-dvDi eth0 -ieth1 -l4'", want: "interface=eth1@1 lookup@1 daemon@1 verbose@1 debug@1 4@1"},
		{name: "nothing behind two dashes", text: "KNOCKD_OPTS='-v -- -d'", want: "verbose@1", warnings: []string{`1: knockd does not look at "-d": an option begins with -`}},
		{name: "words that are none", text: "KNOCKD_OPTS='eth0 - -v'", want: "verbose@1", warnings: []string{
			`1: knockd does not look at "eth0": an option begins with -`, `1: knockd does not look at "-": an option begins with -`}},
		{name: "an option of another version", text: "KNOCKD_OPTS='-vs -d'", want: "daemon@1 verbose@1", warnings: []string{`1: knockd 0.8 does not start with the option "-s"`}},
		{name: "letters behind an unknown one", text: "KNOCKD_OPTS='-xv -é'", warnings: []string{
			`1: knockd 0.8 does not start with the option "-x"`, `1: knockd 0.8 does not start with the option "-�"`}},
		{name: "no value", text: "KNOCKD_OPTS='-v -i'", want: "verbose@1", warnings: []string{`1: knockd 0.8 does not start with the option "-i", since its value is missing`}},
		{name: "a value too many", text: "KNOCKD_OPTS=--debug=1", warnings: []string{`1: knockd 0.8 does not start with the option "--debug=1", since it takes no value`}},
		{name: "help and version", text: "KNOCKD_OPTS='-h --version'", warnings: []string{`1: with --help knockd prints it and ends: remove it`, `1: with --version knockd prints it and ends: remove it`}},

		{name: "the last counts", text: "KNOCKD_OPTS='-i eth0 -v'\nKNOCKD_OPTS='-i eth1'\n", want: "interface=eth1@2"},
		{name: "export, blanks and a comment behind it", text: "  export\tKNOCKD_OPTS=-v # -d\n", want: "verbose@1", warnings: []string{
			`1: a shell exports KNOCKD_OPTS, and systemd ignores a line that begins with export: leave that word out`}},
		{name: "a comment behind a value", text: "START_KNOCKD=1 # yes\nKNOCKD_OPTS=\"-i eth0\"  # my card\n", want: "interface=eth0@2", warnings: []string{
			`2: systemd takes "# my card" for a part of the value, and a shell for a comment: write it in a line of its own`}},
		{name: "a semicolon behind a value", text: "START_KNOCKD=1;\nKNOCKD_OPTS=-v;\nX=1; OPTS=-d\n", want: "daemon@3 verbose@2", warnings: []string{
			`2: systemd takes the semicolon and what is behind it for a part of the value of KNOCKD_OPTS: end the line behind the value`, `3: a shell takes OPTS` + asPart}},
		{name: "a line that begins with one", text: ";;KNOCKD_OPTS=-v\n; X=1\n;\nOPTS=-d\n", want: "daemon@4", warnings: []string{
			`1: KNOCKD_OPTS is not read, since systemd takes a line that begins with ; for a comment, and a shell fails there: take the ; away, or write # for it`}},
		{name: "more for a variable, and none", text: "KNOCKD_OPTS+=\" -i eth7\"\nunset X KNOCKD_OPTS\nunset X\n", warnings: []string{
			`1: KNOCKD_OPTS is not read here: expected KNOCKD_OPTS="..." at the beginning of a line`,
			`2: unset KNOCKD_OPTS is not read here: remove it, and the assignment before it`}},
		{name: "a here-document", text: "cat <<EOF; x\nKNOCKD_OPTS=-v\nEOF \nEOF\nOPTS=-d\n: <<- 'E'\nOPTS=-v\n\tE\nIFACE=eth0\n", want: "interface=eth0@9 daemon@5"},
		{name: "one without an end", text: "OPTS=-d\ncat <<EOF\nKNOCKD_OPTS=-v", want: "daemon@1"},
		{name: "a sign that begins no comment", text: "KNOCKD_OPTS=-g/a#b\n", want: "logfile=/a#b@1"},
		{name: "several in a line", text: "START_KNOCKD=1 KNOCKD_OPTS=-v; IFACE=eth0\n", want: "interface=eth0@1 verbose@1", warnings: []string{
			`1: a shell takes KNOCKD_OPTS` + asPart, `1: a shell takes IFACE` + asPart}},
		{name: "quotes within", text: "KNOCKD_OPTS=\"-i \"'eth'\\0\" -g /a\\\"b\"\n", want: `interface=eth0@1 logfile=/a"b@1`},
		{name: "quotes of the value", text: "KNOCKD_OPTS=\"-i 'eth0'\"\n", want: "interface=eth0@1"},
		{name: "lines that go on", text: "KNOCKD_OPTS=\"-i \\\neth0\n -v\"\nOPTS=-\\\nd\n", want: "interface=eth0@1 daemon@4 verbose@1"},
		{name: "another system's lines", text: "\ufeffKNOCKD_OPTS=\"-i eth0\"\r\nIFACE=x\rOPTS=-v\r\n", want: "interface=eth0@1 verbose@3"},
		{name: "a dollar that is none", text: "KNOCKD_OPTS='-g /$x`y' OPTS=\"-p /\\$z$\"\n", want: "logfile=/$x`y@1 pidfile=/$z$@1", warnings: []string{
			`1: a shell takes OPTS` + asPart}},
		{name: "what concerns others", text: "PATH=$PATH:/x\nif [ -f /x ]; then echo `id`; fi\nMY_OPTS=\"-i eth3\"\n. /lib/x\n"},

		{name: "a variable", text: "IFACE=eth7\nKNOCKD_OPTS=\"-v\"\nKNOCKD_OPTS=\"-i $IF -d\"\n", want: "interface=eth7@1", warnings: []string{
			`3: KNOCKD_OPTS is not read, since nothing is expanded here and it has "$IF": write what stands for it, or name knockd's options in sesame.toml`}},
		{name: "other things to expand", text: "OPTS=`id`\nOPTIONS=${X:-y}\nKNOCKD_OPTS=$(id)\n", warnings: []string{
			"1: OPTS is not read, since nothing is expanded here and it has \"`\": write what stands for it, or name knockd's options in sesame.toml",
			"2: OPTIONS is not read, since nothing is expanded here and it has \"${X\": write what stands for it, or name knockd's options in sesame.toml",
			"3: KNOCKD_OPTS is not read, since nothing is expanded here and it has \"$(\": write what stands for it, or name knockd's options in sesame.toml"}},
		{name: "no quotes", text: "KNOCKD_OPTS=-i eth0 -v\n", want: "interface=eth0@1 verbose@1", warnings: []string{`1: a shell runs "eth0"` + asCommand}},
		{name: "blanks around the sign", text: "KNOCKD_OPTS = \"-i eth0\"\nSTART_KNOCKD =1\n", want: "interface=eth0@1", warnings: []string{
			`1: a shell takes "KNOCKD_OPTS" for a command, and systemd for an assignment: write KNOCKD_OPTS= and the value without blanks between them`,
			`2: a shell takes "START_KNOCKD" for a command, and systemd for an assignment: write START_KNOCKD= and the value without blanks between them`}},
		{name: "under a condition", text: "[ -f /x ] && KNOCKD_OPTS=-v\nXKNOCKD_OPTS=-v\n", warnings: []string{`1: KNOCKD_OPTS is not read here: expected KNOCKD_OPTS="..." at the beginning of a line`}},
		{name: "a sign of the shell", text: "KNOCKD_OPTS=-v&\n", warnings: []string{`1: KNOCKD_OPTS is not read, since it has the sign "&" outside of quotes: put the value in quotes`}},
		{name: "an open quote", text: "KNOCKD_OPTS=\"-i eth0\nOPTS=-v\n", want: "interface=eth0@1 verbose@2", warnings: []string{`1: the quote " has no end in this line: write one behind the value`}},
		{name: "no start", text: "START_KNOCKD=yes\n", notes: []string{`1: START_KNOCKD is "yes": the init script does not start knockd, and its unit of systemd does not look at that; systemctl is-active knockd tells whether it runs`}},

		{name: "quotes of a web page", text: "KNOCKD_OPTS=»-i eth0″\n", want: "interface=eth0@1", warnings: []string{
			`1: "KNOCKD_OPTS=»-i" has U+00BB RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK in column 13: write 'KNOCKD_OPTS="-i'; it is read as if that stood there`,
			`1: "eth0″" has U+2033 DOUBLE PRIME in column 21: write 'eth0"'; it is read as if that stood there`}},
		{name: "dashes and blanks of one", text: "# – “x”\nKNOCKD_OPTS=\"–i\u00a0eth0 –verbose\"\n", want: "interface=eth0@2 verbose@2", warnings: []string{
			`2: 'KNOCKD_OPTS="–i\u00a0eth0' has U+2013 EN DASH and U+00A0 NO-BREAK SPACE in column 14: write 'KNOCKD_OPTS="-i eth0'; it is read as if that stood there`,
			`2: '–verbose"' has U+2013 EN DASH in column 22: write '--verbose"'; it is read as if that stood there`}},
		{name: "a comment that is shown in another order", text: "# \u202e x\n", warnings: []string{`1: "\u202e" has U+202E RIGHT-TO-LEFT OVERRIDE in column 3: remove it; it is read as if that stood there`}},

		{name: "a unit", text: "[Service]\nEnvironmentFile=-/etc/default/knockd\nExecStart=-/usr/sbin/knockd -i eth4 -d\nKNOCKD_OPTS=-v\n", want: "interface=eth4@3 daemon@3"},
		{name: "a drop-in", text: "KNOCKD_OPTS=\"-v -l\"\n[Service]\nExecStart=\nExecStart=/usr/sbin/knockd -D ${KNOCKD_OPTS} $OPTS $MORE\n", want: "lookup@1 verbose@1 debug@4",
			warnings: []string{`4: "$MORE" is not read, since nothing here sets it`}},
		{name: "a unit without options", text: "KNOCKD_OPTS=-v\nExecStart=/usr/bin/knockd\n"},
		{name: "a unit that a drop-in takes back", text: "KNOCKD_OPTS=-v\nExecStart=/usr/bin/knockd -D\nExecStart=\n", want: "verbose@1"},
		{name: "comments of a unit", text: "#ExecStart=/usr/bin/knockd -v\n;ExecStart=/usr/bin/knockd -D\n"},
		{name: "a unit of something else", text: "ExecStart=/bin/sh -c 'exec knockd'\n", warnings: []string{`1: ExecStart is not read, since it runs "/bin/sh": expected knockd itself`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := ReadDefaults([]DefaultsFile{{"/etc/default/knockd", []byte(tt.text)}})
			if got := launchText(l); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if got := told(l.Warnings); !slices.Equal(got, tt.warnings) {
				t.Errorf("warnings\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.warnings, "\n"))
			}
			if got := told(l.Notes); !slices.Equal(got, tt.notes) {
				t.Errorf("notes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.notes, "\n"))
			}
		})
	}
}

// TestOpenQuotes: a quote that no line ends is none in the next line, and a text that leaves one
// open in each line is not read once for each of them.
func TestOpenQuotes(t *testing.T) {
	within := "KNOCKD_OPTS=\"" + strings.Repeat("\n", maxJoined) + "-v\"\n"
	if got := launchText(ReadDefaults([]DefaultsFile{{"/d", []byte(within)}})); got != "verbose@1" {
		t.Errorf("over %d lines: got %s", maxJoined, got)
	}
	beyond := "X='" + strings.Repeat("\n", maxJoined+1) + "'\nKNOCKD_OPTS=-v\n"
	if got := launchText(ReadDefaults([]DefaultsFile{{"/d", []byte(beyond)}})); got != fmt.Sprintf("verbose@%d", maxJoined+3) {
		t.Errorf("beyond: got %s", got)
	}
	long := strings.Repeat("\\''\n", 1<<16) + "KNOCKD_OPTS=-v\n"
	if got := launchText(ReadDefaults([]DefaultsFile{{"/d", []byte(long)}})); got != fmt.Sprintf("verbose@%d", 1<<16+1) {
		t.Errorf("with a quote in each line: got %s", got)
	}
}

// TestReadDefaultsOfSeveralFiles: the later file counts, and each message has its file.
func TestReadDefaultsOfSeveralFiles(t *testing.T) {
	l := ReadDefaults([]DefaultsFile{
		{"/z", []byte("KNOCKD_OPTS='-i eth0 x'\nSTART_KNOCKD=1\n")},
		{"/a", []byte("\nExecStart=/usr/sbin/knockd -i eth1 $KNOCKD_OPTS -v y\n")},
	})
	if got := launchText(l); got != "interface=eth0@1 verbose@2" || l.Interface.File != "/z" || l.Verbose.File != "/a" {
		t.Errorf("got %s of %s and %s", got, l.Interface.File, l.Verbose.File)
	}
	if len(l.Warnings) != 2 || l.Warnings[0].File != "/z" || l.Warnings[1].File != "/a" || !slices.Equal(l.Files, []string{"/z", "/a"}) {
		t.Errorf("of %v: %+v", l.Files, l.Warnings)
	}
}

// TestOpenRC: a shell reads its files, so that what systemd would read is no matter.
func TestOpenRC(t *testing.T) {
	l := ReadDefaults([]DefaultsFile{{"/etc/conf.d/knock", []byte("export IFACE=eth0 # x\nX=1; OPTS=-v;\n")}})
	if got := launchText(l); got != "interface=eth0@1 verbose@2" || l.Warnings != nil {
		t.Errorf("got %s, %v", got, told(l.Warnings))
	}
}

// FuzzReadDefaults: every message is about a line of the text, and can be shown.
func FuzzReadDefaults(f *testing.F) {
	f.Add("export KNOCKD_OPTS=\"-i eth0 \\\n--lookup\" # x\nSTART_KNOCKD=0;IFACE='\n")
	f.Add("cat <<-'E' # x\n;OPTS=-v;IFACE=x;\n\tE\nunset OPTS;OPTS+=-v\n")
	f.Add("KNOCKD_OPTS=»-i eth0″\r\nExecStart=/usr/sbin/knockd ${OPTS} -dvx `id`\n\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		l := ReadDefaults([]DefaultsFile{{"/d", []byte(text)}})
		last := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, w := range append(slices.Clone(l.Warnings), l.Notes...) {
			if w.Line < 1 || w.Line > last || !shows(w.Text) {
				t.Errorf("of %q: %+v", text, w)
			}
		}
	})
}
