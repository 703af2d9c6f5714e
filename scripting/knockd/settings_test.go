package knockd

import (
	"strings"
	"testing"
)

// TestSettings has each way in which knockd is told something, and the lines of sesame.toml that
// are no comments, and of the comments what concerns it.
func TestSettings(t *testing.T) {
	const always = "observe = true\n[log]\n"
	const log = "knockd = \"/var/log/sesame/knockd.log\"\n"
	for _, tt := range []struct{ name, options, defaults, want, remark string }{
		{"nothing", "", "", always, "# knockd listens on eth0, since nothing names another interface."},
		{"no log", "", "", always, "# knockd writes its lines nowhere. Sesame would write them with this line:\n# " + log},
		{"an interface in the file", "interface = wlan0", "", "observe = true\ninterfaces = [\"wlan0\"]\n[log]\n", "# Interface in /etc/knockd.conf. Without this line Sesame listens on all interfaces.\n"},
		{"one on the command line counts", "interface = wlan0", "OPTS='-i eth1'", "observe = true\ninterfaces = [\"eth1\"]\n[log]\n", "# -i in /d:1. Without"},
		{"every interface", "interface = any", "", always, "# knockd gets nothing with Interface in /etc/knockd.conf, which names any."},
		{"an alias", "interface = eth0:1", "", always, "# Interface in /etc/knockd.conf names \"eth0:1\", which is no interface of Linux."},
		{"a name that is too long", "interface = abcdefghijklmnop", "", always, `names "abcdefghijklmnop", which`},
		{"a name with a quote", `interface = a"\b`, "", "observe = true\ninterfaces = [\"a\\\"\\\\b\"]\n[log]\n", "# Interface in"},
		{"a name that cannot be shown", "interface = a\u202eb", "", always, `names "a\u202eb", which`},
		{"a log of the file", "logfile = /l", "", always + log, "# knockd writes its lines into /l (LogFile in /etc/knockd.conf)."},
		{"one of the command line", "", "OPTS='-g /m'", always + log, "# knockd writes its lines into /m (-g in /d:1)."},
		{"that of the file counts", "logfile = /l", "OPTS='-g /m'", always + log, "into /l (LogFile"},
		{"the system's log", "UseSyslog", "", always + log, "# The same to the system's log, as soon as knockd is stopped:\n# knockd_syslog = true\n"},
		{"a pid file", "pidfile = /p", "", always, "# - PidFile in /etc/knockd.conf: not needed"},
		{"another configuration", "", "OPTS='-c /c'", always, "# - -c in /d:1: the script takes the place"},
		{"all others", "", "OPTS='-d -p /p -l -4 -v -D'", always, "# - -D in /d:1: see sesame explain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("/etc/knockd.conf", []byte("[options]\n"+tt.options+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			text := f.Settings(ReadDefaults([]DefaultsFile{{"/d", []byte(tt.defaults)}}))
			var settings strings.Builder
			for line := range strings.Lines(text) {
				if line != "\n" && !strings.HasPrefix(line, "#") {
					settings.WriteString(line)
				}
			}
			if settings.String() != tt.want || !strings.Contains(text, tt.remark) {
				t.Errorf("the settings are\n%s\nwant %s\nand %s", text, tt.want, tt.remark)
			}
		})
	}
}

// TestReads: knockd reads the file that -c names, which may be the one that was imported.
func TestReads(t *testing.T) {
	for _, tt := range []struct{ config, imported, want string }{
		{"", "/x/my.conf", ""},
		{"/etc/knockd.conf", "/etc/knockd.conf", ""},
		{"/etc/../etc/knockd.conf", "/etc/knockd.conf", ""},
		{"/etc/knockd.conf", "/mnt/old/etc/knockd.conf", ""},
		{"/etc/my.conf", "/etc/knockd.conf", "/etc/my.conf"},
		{"knockd.conf", "/etc/knockd.conf", "knockd.conf"},
		{"./knockd.conf", "knockd.conf", ""},
	} {
		l := &Launch{}
		if tt.config != "" {
			l.Config = Setting{tt.config, "/d", 1}
		}
		if got := l.Reads(tt.imported); got != tt.want {
			t.Errorf("-c %s, and %s was imported: %q, want %q", tt.config, tt.imported, got, tt.want)
		}
	}
}
