package config

// A Key is one thing that a configuration file can say.
type Key struct {
	Name    string // with its table: "log.level"
	Type    string // what to write, in the words of the documentation
	Default string // as it would be written; "" for nothing
	Example string // of another value, as it would be written
	Doc     string // sentences

	read func(v value, c *Config)
}

// Keys returns all keys but those of [options], which scripts declare, in the
// order of the documentation. Checks, messages and documentation read it.
func Keys() []Key {
	return append(append(hostKeys(), firewallKeys()...), boundKeys()...)
}

func hostKeys() []Key {
	return []Key{
		{"scripts", "a directory of scripts, or one script", `"scripts"`, `"/srv/sesame/scripts"`,
			"What to run. A relative path, here and elsewhere, begins at the directory of the configuration file.",
			func(v value, c *Config) { c.Scripts = v.location(c.Scripts) }},
		{"interfaces", "a list of interfaces", "[]", `["eth0", "wlan0"]`,
			"Where knocks are heard; an empty list, or any in it, means everywhere, also on what appears later.",
			func(v value, c *Config) { c.Interfaces = Selection(v.interfaces()) }},
		{"local", "a list of addresses or networks", "[]", `["198.51.100.7", "2001:db8::/64"]`,
			"Addresses that count as this host's beside those of its interfaces, such as the public address in front of a translating router.",
			func(v value, c *Config) { c.Local = v.networks() }},
		{"trusted", "a list of addresses or networks", "[]", `["192.0.2.0/24", "2001:db8::1"]`,
			"Sources that no guard stops. One that you can always come from keeps you from locking yourself out.",
			func(v value, c *Config) { c.Trusted = v.networks() }},
		{"trusted_interfaces", "a list of interfaces", "[]", `["wg0"]`,
			"Interfaces through which no guard stops anybody. The loopback interface always is one.",
			func(v value, c *Config) { c.TrustedInterfaces = v.trusted() }},
		{"state", "a directory", `"/var/lib/sesame"`, `"/srv/sesame/state"`,
			"Where grants, stored values and the last good script set outlive a restart. It is made if missing, for one daemon alone.",
			func(v value, c *Config) { c.State = v.location(c.State) }},
		{"socket", "a path", `"/run/sesame/sesame.sock"`, `"/run/sesame-test.sock"`,
			"Where the daemon listens to sesame status and its like.",
			func(v value, c *Config) { c.Socket = v.socket(c.Socket) }},
		{"observe", "true or false", "false", "true",
			"Whether everything is decided and nothing done: guards count what they would have dropped, and no command runs.",
			func(v value, c *Config) { c.Observe = v.boolean(c.Observe) }},
		{"log.format", `"auto", "text" or "json"`, `"auto"`, `"json"`,
			"How the log is written. With auto it is text, and on a terminal what people want to see instead.",
			func(v value, c *Config) { c.Log.Format = v.oneOf(c.Log.Format, "auto", "text", "json") }},
		{"log.level", `"trace", "debug", "info", "warn", "error" or "off"`, `"info"`, `"debug"`,
			"What is logged: this and what is graver.",
			func(v value, c *Config) {
				c.Log.Level = v.oneOf(c.Log.Level, "trace", "debug", "info", "warn", "error", "off")
			}},
		{"log.knockd", "a path", "", `"/var/log/sesame/knockd.log"`,
			"A file to which the lines that knockd would write are added, for programs that read its log. It is opened anew on SIGHUP and sesame reload, for logrotate. The unit lets the daemon write below /var/log/sesame.",
			func(v value, c *Config) { c.Log.Knockd = v.located(c.Log.Knockd) }},
		{"log.knockd_syslog", "true or false", "false", "true",
			"Whether the system's log (/dev/log) gets these lines, from knockd as it seems: with its name, the facility daemon and the priority notice.",
			func(v value, c *Config) { c.Log.KnockdSyslog = v.boolean(c.Log.KnockdSyslog) }},
	}
}

func firewallKeys() []Key {
	return []Key{
		{"firewall.mode", `"guard" or "set"`, `"guard"`, `"set"`,
			"How ports are opened. A guard is a chain of Sesame's own that shuts the ports of doors; with set Sesame only keeps elements in sets of yours, and your rules do the rest.",
			func(v value, c *Config) { c.Firewall.Mode = v.oneOf(c.Firewall.Mode, "guard", "set") }},
		{"firewall.mark", "a number from 1 to 0xffffffff", "0x10000000", "0x20000000",
			"The bits that a granted packet carries in its mark, so that another chain that drops by default can accept it with one line. Guard mode only.",
			func(v value, c *Config) { c.Firewall.Mark = uint32(v.integer(int64(c.Firewall.Mark), 1, 1<<32-1)) }},
		{"firewall.table", `a family and a table, such as "inet filter"`, "", `"inet filter"`,
			"The table that your sets are in. Set mode only.",
			func(v value, c *Config) { c.Firewall.Family, c.Firewall.Table = v.table() }},
		{"firewall.set4", "a name", "", `"sesame4"`,
			"Your set of IPv4 sources with what they may reach. Set mode only.",
			func(v value, c *Config) { c.Firewall.Set4 = v.name() }},
		{"firewall.set6", "a name", "", `"sesame6"`,
			"Your set of IPv6 sources with what they may reach. Set mode only.",
			func(v value, c *Config) { c.Firewall.Set6 = v.name() }},
	}
}

func boundKeys() []Key {
	return []Key{
		{"record.size", `bytes, such as "16MiB"`, `"16MiB"`, `"64MiB"`,
			"How much of what came last is kept in memory for sesame explain and sesame record; 0 keeps nothing.",
			func(v value, c *Config) { c.Record.Size = v.size(c.Record.Size, 1<<20, 4<<30) }},
		{"limits.attempts", "a number from 1,024 to 4,194,304", "1048576", "65536",
			"How many sources can be on their way through a door at once. Each takes about 75 bytes once it knocks; the oldest that knocked once makes room.",
			func(v value, c *Config) {
				c.Limits.Attempts = int(v.integer(int64(c.Limits.Attempts), 1<<10, 1<<22))
			}},
		{"limits.grants", "a number from 16 to 262,144", "65536", "1024",
			"How many grants can be live; a door refuses beyond it. As many values are stored for scripts.",
			func(v value, c *Config) { c.Limits.Grants = int(v.integer(int64(c.Limits.Grants), 16, 1<<18)) }},
		{"limits.commands", "a number from 1 to 1,024", "16", "4",
			"How many commands run at once; more wait.",
			func(v value, c *Config) { c.Limits.Commands = int(v.integer(int64(c.Limits.Commands), 1, 1<<10)) }},
	}
}
