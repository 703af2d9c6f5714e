package config

import "time"

// A Key is one setting of the configuration file. The table of keys is the only place that knows
// the settings: checks, messages, docs/configuration.md and the example file are made from it.
type Key struct {
	Name    string // with its table: "log.level"
	Type    string // the values that it takes, for messages and documentation
	Default string // in TOML; "" for a key without default
	Example string // a value other than the default, in TOML
	Doc     string // sentences

	read func(v value, c *Config)
}

// Keys returns all keys, in the order of the documentation. The keys of [options] are not among
// them: scripts declare those.
func Keys() []Key {
	return append(append(hostKeys(), firewallKeys()...), boundKeys()...)
}

func hostKeys() []Key {
	return []Key{
		{"scripts", "a directory of scripts, or one script", `"scripts"`, `"/srv/sesame/scripts"`,
			"The scripts to run. A relative path, here and below, begins at the directory of the configuration file.",
			func(v value, c *Config) { c.Scripts = v.location(c.Scripts) }},
		{"reload", `"auto" or "manual"`, `"auto"`, `"manual"`,
			"What happens when scripts change. With auto they are put in force by themselves, when they load and their tests pass. With manual that is noticed, and sesame status says so; sesame reload and SIGHUP put them in force. A restart then runs what was in force, too.",
			func(v value, c *Config) { c.Reload = v.oneOf(c.Reload, "auto", "manual") }},
		{"interfaces", "a list of interfaces", "[]", `["eth0", "wlan0"]`,
			"The interfaces on which packets are captured. An empty list, or one that has \"any\", means all interfaces, also those that appear later.",
			func(v value, c *Config) { c.Interfaces = Selection(v.interfaces()) }},
		{"local", "a list of addresses or networks", "[]", `["198.51.100.7", "2001:db8::/64"]`,
			"Addresses that count as this host's, beside those of its interfaces. An example is the public address of a router that translates it.",
			func(v value, c *Config) { c.Local = v.networks() }},
		{"trusted", "a list of addresses or networks", "[]", `["192.0.2.0/24", "2001:db8::1"]`,
			"Sources that no guard stops. List one that you can always connect from, and you cannot lock yourself out.",
			func(v value, c *Config) { c.Trusted = v.networks() }},
		{"trusted_interfaces", "a list of interfaces", "[]", `["wg0"]`,
			"Interfaces on which no guard stops anything. The loopback interface is always one of them.",
			func(v value, c *Config) { c.TrustedInterfaces = v.trusted() }},
		{"state", "a directory", `"/var/lib/sesame"`, `"/srv/sesame/state"`,
			"The directory that holds grants, stored values and the last good script set across a restart. It is made if missing. Each daemon needs its own.",
			func(v value, c *Config) { c.State = v.location(c.State) }},
		{"socket", "a path", `"/run/sesame/sesame.sock"`, `"/run/sesame-test/sesame.sock"`,
			"The socket on which the daemon serves sesame status and the other commands that ask it.",
			func(v value, c *Config) { c.Socket = v.socket(c.Socket) }},
		{"metrics", `an IP address and a port, such as "127.0.0.1:9873", or empty`, `""`, `"127.0.0.1:9873"`,
			"The TCP address at which Prometheus gets the metrics of the daemon, at http://ADDRESS/metrics. When it is empty, no port is opened, and sesame metrics prints them. Whoever reaches the address can read them: which doors there are, and when they open. They name no source, and what moves before a sequence is complete is left out; sesame metrics gives that, too.",
			func(v value, c *Config) { c.Metrics = v.address(c.Metrics) }},
		{"metrics_progress", "true or false", "false", "true",
			"Whether the address of metrics also gives what moves before a sequence is complete: attempts, stages, misses, knocks, packets and the work that they cause. Whoever reads that can find the sequences of all doors, knock by knock: then each user of this machine, and whoever else reaches the address, can open them.",
			func(v value, c *Config) { c.MetricsProgress = v.boolean(c.MetricsProgress) }},
		{"helper", "a path, or empty", `"/run/sesame-helper.sock"`, `""`,
			"The socket of the helper, a process of root that reads scripts and runs commands for a daemon that is not root. It is used when it is there, and scripts have commands or one-time sequences, or the daemon cannot read them. When it is empty, the daemon does without. When root starts sesame run, the helper is a child of the daemon, and this key does not count.",
			func(v value, c *Config) { c.Helper = v.optional(c.Helper) }},
		{"user", "the name of a user", `"sesame"`, `"root"`,
			"The user that sesame run becomes when root starts it. It keeps the capabilities to capture packets and to change the firewall, and what takes root is done by a helper. When there is no user sesame it stays root, and says so; with root it stays root. Another user that starts it, as the unit does, is kept.",
			func(v value, c *Config) { c.User = v.user(c.User) }},
		{"confine", "true or false", "true", "false",
			"Whether the daemon confines itself after its start, when it runs no command itself: it reads and writes only its own files, and starts no program. A reload that needs more is then rejected until a restart.",
			func(v value, c *Config) { c.Confine = v.boolean(c.Confine) }},
		{"readable", "a list of paths", "[]", `["/srv/lists"]`,
			"Files, and directories with all below them, that a confined daemon may read beside those that its scripts name when it starts. Scripts for sesame reload --from may lie there.",
			func(v value, c *Config) { c.Readable = append(c.Readable, v.paths()...) }},
		{"observe", "true or false", "false", "true",
			"Whether Sesame decides everything and does nothing: guards count what they would have dropped, and no command runs.",
			func(v value, c *Config) { c.Observe = v.boolean(c.Observe) }},
		{"allow_writable", "true or false", "false", "true",
			"Whether scripts are loaded although users other than root can change them, the configuration, a file that they name, a program of a command, or a directory above one of these. Without it they are held, and the message names the file and what mends it.",
			func(v value, c *Config) { c.AllowWritable = v.boolean(c.AllowWritable) }},
		{"log.format", `"auto", "text" or "json"`, `"auto"`, `"json"`,
			"The format of the log. With auto it is text; on a terminal it is a shorter text for people.",
			func(v value, c *Config) { c.Log.Format = v.oneOf(c.Log.Format, "auto", "text", "json") }},
		{"log.level", `"trace", "debug", "info", "warn", "error" or "off"`, `"info"`, `"debug"`,
			"The least severe level that is logged.",
			func(v value, c *Config) {
				c.Log.Level = v.oneOf(c.Log.Level, "trace", "debug", "info", "warn", "error", "off")
			}},
		{"log.knockd", "a path", "", `"/var/log/sesame/knockd.log"`,
			"A file that gets the lines that knockd would write, for programs that read knockd's log. SIGUSR1 opens it anew, for logrotate, and so do SIGHUP and sesame reload. The unit lets the daemon write below /var/log/sesame.",
			func(v value, c *Config) { c.Log.Knockd = v.located(c.Log.Knockd) }},
		{"log.knockd_syslog", "true or false", "false", "true",
			"Whether the system's log (/dev/log) gets these lines, with knockd's name, the facility daemon and the priority notice.",
			func(v value, c *Config) { c.Log.KnockdSyslog = v.boolean(c.Log.KnockdSyslog) }},
		{"log.audit", "a path, or empty", "", `"/var/log/sesame/audit.log"`,
			"A file that gets a line for each request of a person to change something: who, what, and what came of it. Without this key it is audit.log in the state directory. When it is empty, only the log has these lines. The unit lets the daemon write below /var/log/sesame, too.",
			func(v value, c *Config) { c.Log.Audit = v.fileOrNone() }},
	}
}

func firewallKeys() []Key {
	return []Key{
		{"firewall.mode", `"guard" or "set"`, `"guard"`, `"set"`,
			"How ports are opened. With guard, Sesame has a table of its own whose chain closes the ports of doors. With set, Sesame only adds and removes elements in your sets, and your rules use them.",
			func(v value, c *Config) { c.Firewall.Mode = v.oneOf(c.Firewall.Mode, "guard", "set") }},
		{"firewall.mark", "a number from 1 to 0xffffffff", "0x10000000", "0x20000000",
			"The bits that a granted packet carries in its packet mark. A chain of yours that drops by default can accept these packets with one line. Guard mode only.",
			func(v value, c *Config) { c.Firewall.Mark = uint32(v.integer(int64(c.Firewall.Mark), 1, 1<<32-1)) }},
		{"firewall.answer", `"auto", "drop" or "reject"`, `"auto"`, `"drop"`,
			"What a guarded port answers without a grant. With auto it answers as a closed port of this host does, which your own rules decide about. With drop it is silent. With reject, TCP is reset and UDP gets an ICMP error, whatever your rules say. Guard mode only.",
			func(v value, c *Config) { c.Firewall.Answer = v.oneOf(c.Firewall.Answer, "auto", "drop", "reject") }},
		{"firewall.table", `a family and a table, such as "inet filter"`, "", `"inet filter"`,
			"The table that holds your sets. Set mode only.",
			func(v value, c *Config) { c.Firewall.Family, c.Firewall.Table = v.table() }},
		{"firewall.set4", "a name", "", `"sesame4"`,
			"Your set of IPv4 sources and the ports that they may reach. Set mode only.",
			func(v value, c *Config) { c.Firewall.Set4 = v.name() }},
		{"firewall.set6", "a name", "", `"sesame6"`,
			"Your set of IPv6 sources and the ports that they may reach. Set mode only.",
			func(v value, c *Config) { c.Firewall.Set6 = v.name() }},
	}
}

func boundKeys() []Key {
	return []Key{
		{"geo.databases", "a list of paths", "", `["/var/lib/GeoIP/GeoLite2-Country.mmdb", "/var/lib/GeoIP/GeoLite2-ASN.mmdb"]`,
			"The databases that tell the country and the autonomous system of an address, in MaxMind's format or that of Debian's tor-geoipdb. When several know an answer, the first counts. Without this key, sesame run looks for them where packages put them, if a script needs one.",
			func(v value, c *Config) { c.Geo.Databases = v.paths() }},
		{"clock.unsynchronised", `"auto", "refuse" or "ignore"`, `"auto"`, `"refuse"`,
			"What windows of time do when nothing synchronises the machine's clock. With refuse they refuse, with the reason clock. With auto they do so only when the clock was synchronised once before, in this run of the daemon or an earlier one. With ignore they trust the clock.",
			func(v value, c *Config) {
				c.Clock.Unsynchronised = v.oneOf(c.Clock.Unsynchronised, "auto", "refuse", "ignore")
			}},
		{"tests.budget", `0, or a time up to "1m"`, `"2s"`, `"10s"`,
			"How long the tests of the scripts (*_test.lua) may take before a reload applies the scripts. A test that fails rejects the scripts; tests for which there is no time are listed, and reject nothing. With 0 no test runs.",
			func(v value, c *Config) { c.Tests.Budget = v.duration(c.Tests.Budget, time.Minute) }},
		{"record.size", `bytes, such as "16MiB"`, `"16MiB"`, `"64MiB"`,
			"How much memory the flight recorder uses for the latest packets and other inputs, which sesame explain and sesame record read. With 0 nothing is recorded.",
			func(v value, c *Config) { c.Record.Size = v.size(c.Record.Size, 1<<20, 4<<30) }},
		{"limits.attempts", "a number from 1,024 to 4,194,304", "1048576", "65536",
			"How many attempts there can be at once: one for each source that has begun to knock at a door. Each takes about 75 bytes. When all are in use, the oldest attempt of one knock makes room.",
			func(v value, c *Config) {
				c.Limits.Attempts = int(v.integer(int64(c.Limits.Attempts), 1<<10, 1<<22))
			}},
		{"limits.grants", "a number from 16 to 262,144", "65536", "1024",
			"How many grants there can be at once; a door refuses more. The same number of values is stored for scripts.",
			func(v value, c *Config) { c.Limits.Grants = int(v.integer(int64(c.Limits.Grants), 16, 1<<18)) }},
		{"limits.commands", "a number from 1 to 1,024", "16", "4",
			"How many commands run at once; further ones wait.",
			func(v value, c *Config) { c.Limits.Commands = int(v.integer(int64(c.Limits.Commands), 1, 1<<10)) }},
	}
}
