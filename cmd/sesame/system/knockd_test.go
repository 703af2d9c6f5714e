//go:build linux

package system

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// openSSH are the knocks of the file on the page.
var openSSH = []string{"tcp/7000", "tcp/8000", "tcp/9000"}

// newKnockd returns a machine that knockd serves, as Debian's package has it: with the file of
// docs/from-knockd.md, and a firewall that drops what knockd did not let in. Our package is there.
func newKnockd(t *testing.T, conf string) *machine {
	t.Helper()
	m, two := newCustomer(t)
	m.write("/etc/knockd.conf", conf)
	m.shell(`sed -i -e 's/^START_KNOCKD=.*/START_KNOCKD=1/' -e 's/^#\?KNOCKD_OPTS=.*/KNOCKD_OPTS="-i eth0"/' /etc/default/knockd
iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -j DROP
systemctl enable --now knockd`)
	m.add(two.newer)
	return m
}

// exampleConf returns the knockd.conf of the page, with stop commands that come sooner.
func exampleConf(t *testing.T) string {
	t.Helper()
	text := readText(t, "docs/from-knockd.md")
	_, rest, _ := strings.Cut(text, "```conf\n")
	conf, _, found := strings.Cut(rest, "```")
	sooner := regexp.MustCompile(`(cmd_timeout\s+= )30`).ReplaceAllString(conf, "${1}10")
	if !found || sooner == conf {
		t.Fatal("docs/from-knockd.md shows no knockd.conf with a cmd_timeout of 30 seconds")
	}
	return sooner
}

// TestSystemFromKnockd follows docs/from-knockd.md word for word, to Sesame and back, on a machine
// with knockd of Debian. It does so with the script of the import, and with the script that reads
// knockd.conf.
func TestSystemFromKnockd(t *testing.T) {
	p, conf := readPage(t, "from-knockd.md"), exampleConf(t)
	for name, alternative := range map[string]string{"imported": "", "read": "Or keep the one file"} {
		t.Run(name, func(t *testing.T) {
			m := newKnockd(t, conf)
			m.opensWith(openSSH)
			m.follow(p, "Import", nil)
			if alternative != "" {
				m.follow(p, alternative, nil)
			}
			m.follow(p, "Check", nil)
			m.follow(p, "Simulate", map[string]func(string){"tcpdump": m.captures})
			m.observes(p)
			m.enforces(p)
			m.guards(p)
			m.follow(p, "The way back", nil)
			m.unitsAre("is-active", "inactive")
			m.opensWith(openSSH)
		})
	}
}

// opensWith knocks until the port is open. It is shut before, or is so when an earlier knock ends.
func (m *machine) opensWith(knocks []string) {
	m.Helper()
	m.eventually("the port is shut", func() bool { return !m.connects(guarded) })
	m.eventually("a knock opens the port", func() bool { m.knock(knocks...); return m.connects(guarded) })
}

// captures runs tcpdump until a person has knocked and pressed Ctrl-C, and then the other commands.
func (m *machine) captures(commands string) {
	m.Helper()
	tcpdump, rest, _ := strings.Cut(commands, "\n")
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(m.leader), "-a", "--", "sh", "-c", "cd /root && exec "+tcpdump+" 2>said")
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.eventually("tcpdump listens", func() bool { return strings.Contains(m.try("cat", "/root/said").stdout, "listening on") })
	m.eventually("tcpdump has written packets", func() bool {
		m.knock(openSSH...)
		return m.try("test", "-s", "/root/own.pcap").status == 0
	})
	m.run("pkill", "-INT", "-x", "tcpdump")
	if err := cmd.Wait(); err != nil {
		m.Fatalf("%s: %v", tcpdump, err)
	}
	if lines := m.shell(rest); !strings.Contains(lines, client4+": openSSH: OPEN SESAME\n") {
		m.Errorf("%s:\n%s", rest, lines)
	}
}

// observes has both daemons look at the same knocks. Their logs are the same.
func (m *machine) observes(p page) {
	m.Helper()
	m.follow(p, "Observe", map[string]func(string){"diff": m.sameLogs})
}

// sameLogs knocks, and runs the commands that compare both logs. UseSyslog has knockd's lines in
// the journal: the page says how to make a file of them. Sesame has seen only the last ones.
func (m *machine) sameLogs(commands string) {
	m.Helper()
	const list = "journalctl -t knockd -o cat"
	if !strings.Contains(readText(m.T, "docs/from-knockd.md"), list+" > knockd.log") {
		m.Error("the page does not say how to make a file of the lines in the journal")
	}
	earlier := strings.Count(m.shell(list), "\n")
	m.knock("tcp/7000", "tcp/9000")
	m.knock(openSSH...)
	m.knock("tcp/7000", "tcp/8000")
	compare := fmt.Sprintf("cd /root && %s | tail -n +%d > knockd.log\n", list, earlier+1) +
		strings.ReplaceAll(commands, "/var/log/knockd.log", "knockd.log")
	m.eventually("both logs have the same lines, with one opening", func() bool {
		same := m.try("bash", "-c", compare).status == 0
		return same && strings.Count(m.run("cat", "/root/knockd.log"), "OPEN SESAME") == 1
	})
}

// enforces ends knockd when it owes no command, and has Sesame run the same commands.
func (m *machine) enforces(p page) {
	m.Helper()
	m.eventually("knockd owes no command", func() bool { return m.run("pgrep", "-cx", "knockd") == "1\n" })
	m.follow(p, "Enforce", nil)
	if state := m.property("knockd.service", "ActiveState"); state != "inactive" {
		m.Errorf("knockd is %s", state)
	}
	m.opensWith(openSSH)
	m.helped()
	m.healthy()
	m.eventually("its rule ends", func() bool { return !m.connects(guarded) })
}

// guards has Sesame guard the port itself, and goes back to commands.
func (m *machine) guards(p page) {
	m.Helper()
	m.follow(p, "Or let Sesame guard the ports", map[string]func(string){"--unguard": func(back string) {
		m.run("iptables", "-D", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
		m.shut(guarded) // by the guard alone
		m.opensWith(openSSH)
		m.healthy()
		m.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
		m.shell(back)
		m.opensWith(openSSH)
	}})
}
