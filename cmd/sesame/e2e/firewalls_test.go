//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sesame/daemon/reach"
)

// A manager is a firewall of a machine as its own program sets it up, closed but for what a
// machine needs.
type manager struct {
	name string
	port string // that the door guards
	says string // what is said of the connection that did not get through
	// setUp closes the machine. The environment and the wrapper are for commands of the manager.
	setUp func(*world, *manager)
	wrap  func(line string) []string // how a line that is advised is run; nil: by a shell
}

// wellKept is a ruleset for nft as manuals show it.
const wellKept = `table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif lo accept
		meta l4proto { icmp, ipv6-icmp } accept
		tcp dport { 80, 443 } accept
	}
	chain forward { type filter hook forward priority filter; policy drop; }
}`

// iptablesRules are rules as guides for servers show them, for one of the two programs.
const iptablesRules = `
	for p in iptables-KIND ip6tables-KIND; do
		$p -A INPUT -i lo -j ACCEPT
		$p -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
		$p -A INPUT -p tcp -m multiport --dports 80,443 -j ACCEPT
		$p -P INPUT DROP
	done
	ip6tables-KIND -I INPUT -p icmpv6 -j ACCEPT`

// dockerRules are what Docker 28 makes for a container with -p 8080:80. The last two are from
// Docker's manual: nobody from outside may reach containers.
const dockerRules = `
	iptables() { iptables-nft "$@"; }
	iptables -P FORWARD DROP
	iptables -N DOCKER-USER; iptables -N DOCKER-FORWARD; iptables -N DOCKER
	iptables -A FORWARD -j DOCKER-USER; iptables -A FORWARD -j DOCKER-FORWARD
	iptables -A DOCKER-FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	iptables -A DOCKER-FORWARD -o docker0 -j DOCKER
	iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
	iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp --dport 80 -j ACCEPT
	iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
	iptables -t nat -N DOCKER
	iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
	iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 8080 -j DNAT --to 172.17.0.2:80
	iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
	iptables -A DOCKER-USER -i server0 -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
	iptables -A DOCKER-USER -i server0 -j DROP`

// TestRealFiveFirewalls does on each firewall what a new user does: starts the daemon, knocks,
// does not get in, asks why, runs the lines that are printed, and gets in.
func TestRealFiveFirewalls(t *testing.T) {
	for _, m := range []manager{
		{name: "nft", port: "22", says: "was dropped by chain inet filter input (policy)", setUp: func(w *world, _ *manager) { w.nft(wellKept) }},
		{name: "iptables-nft", port: "22", says: "was dropped by chain ip filter INPUT (policy)", setUp: func(w *world, _ *manager) { w.shell(strings.ReplaceAll(iptablesRules, "KIND", "nft")) }},
		{name: "iptables-legacy", port: "22", says: "nobody answered the connection", setUp: func(w *world, _ *manager) { w.shell(strings.ReplaceAll(iptablesRules, "KIND", "legacy")) }},
		{name: "ufw", port: "22", says: "was dropped by chain ip filter INPUT (policy)", setUp: (*world).ufw},
		{name: "firewalld", port: "22", says: "was rejected by chain inet firewalld filter_IN_public", setUp: (*world).firewalld},
		{name: "docker", port: "8080", says: "was dropped by chain ip filter DOCKER-USER (rule: -A DOCKER-USER -i server0 -j DROP)", setUp: (*world).docker},
	} {
		t.Run(m.name, func(t *testing.T) {
			door := strings.Replace(longDoor, "tcp/22", "tcp/"+m.port, 1)
			w := newWorld(t, map[string]string{"ssh.lua": door})
			m.setUp(w, &m)
			w.fromKnockToShell(&m)
		})
	}
}

// fromKnockToShell is the way of a new user.
func (w *world) fromKnockToShell(m *manager) {
	w.Helper()
	service := server4 + ":" + m.port
	w.start()
	w.knockAt(server4, sshKnocks...)
	w.eventually("the grant is there", func() bool { return len(w.grants()) == 1 })
	w.shut(service)
	w.eventually("it is known what became of the connection", func() bool {
		reached := w.grants()[0].Reached
		return reached != nil && reached.Outcome != reach.Unused
	})
	var said string
	w.eventually("explain tells what to run", func() bool {
		said = w.answer("explain", "203.0.113.9")
		return len(advised(said)) > 0
	})
	contains(w, said, m.says)
	if m.name != "iptables-legacy" { // whose drops cannot be traced: no answer may have other reasons
		contains(w, w.answer("status"), "health: degraded: firewall-blocks", m.says)
	}
	for _, line := range advised(said) {
		argv := []string{"sh", "-c", line}
		if m.wrap != nil {
			argv = m.wrap(line)
		}
		if e := w.runOn(w.net.Server, argv...); e.status != 0 {
			w.Fatalf("the line %q ends with %d: %s%s", line, e.status, e.stdout, e.stderr)
		}
	}
	w.opens(service)
	w.becomes()
	w.answer("revoke", "203.0.113.9")
	w.shuts(service)
}

// advised returns the lines of a text that are to be run: those that stand out, but for remarks.
func advised(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok && !strings.HasPrefix(command, " ") && !strings.HasPrefix(command, "#") {
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	return lines
}

// shell runs a script on the server.
func (w *world) shell(script string) {
	w.Helper()
	w.net.Server.Exec("sh", "-ec", script)
}

// needs skips a test where programs are missing that come with no system.
func (w *world) needs(programs ...string) {
	w.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			w.Skip(err)
		}
	}
}

// ufw starts ufw. It writes into /etc, so it has copies there, in a mount namespace of its own.
func (w *world) ufw(m *manager) {
	w.Helper()
	w.needs("ufw")
	etc := w.path("etc")
	w.shell(fmt.Sprintf("mkdir %[1]s && cp -a /etc/ufw %[1]s/ufw && cp -a /etc/default %[1]s/default", etc))
	m.wrap = func(line string) []string {
		mounts := fmt.Sprintf("mount --bind %[1]s/ufw /etc/ufw; mount --bind %[1]s/default /etc/default\n", etc)
		return []string{"unshare", "--mount", "--propagation", "private", "sh", "-ec", mounts + line}
	}
	w.net.Server.Exec(m.wrap("ufw --force enable")...)
}

// firewalld starts firewalld as Debian has it, at a bus of its own. Its public zone lets ssh in: an
// owner who wants to knock takes that out.
func (w *world) firewalld(m *manager) {
	w.Helper()
	w.needs("firewalld", "firewall-cmd", "dbus-daemon")
	bus, conf := w.path("bus"), w.path("bus.conf")
	err := os.WriteFile(conf, []byte(`<busconfig><type>system</type><listen>unix:path=`+bus+`</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		w.Fatal(err)
	}
	address := "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + bus
	start := func(argv ...string) {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), address)
		w.net.Server.Start(cmd)
	}
	start("dbus-daemon", "--nofork", "--config-file="+conf)
	w.eventually("the bus is there", func() bool { _, err := os.Stat(bus); return err == nil })
	if err := os.Mkdir(w.path("config"), 0o700); err != nil {
		w.Fatal(err)
	}
	start("firewalld", "--nofork", "--nopid", "--system-config", w.path("config"), "--log-file", w.path("firewalld.log"))
	m.wrap = func(line string) []string { return []string{"env", address, "sh", "-c", line} }
	w.eventually("firewalld answers", func() bool { return w.runOn(w.net.Server, m.wrap("firewall-cmd --state")...).status == done })
	w.net.Server.Exec(m.wrap("firewall-cmd --remove-service=ssh")...)
}

// docker makes a container behind a bridge, with a service at port 80, and the rules of Docker. The
// container is a network namespace that a process holds.
func (w *world) docker(*manager) {
	w.Helper()
	w.needs("iptables-nft", "unshare", "nsenter", "ncat")
	container := exec.Command("unshare", "--net", "sleep", "10m")
	w.net.Server.Start(container)
	inside := fmt.Sprint(container.Process.Pid)
	outside, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		w.Fatal(err)
	}
	server := strings.TrimSpace(w.net.Server.Exec("readlink", "/proc/self/ns/net"))
	w.eventually("the container has a network", func() bool {
		own, err := os.Readlink(filepath.Join("/proc", inside, "ns/net"))
		return err == nil && own != server && own != outside
	})
	w.shell(strings.ReplaceAll(`
	ip link add docker0 type bridge
	ip addr add 172.17.0.1/16 dev docker0
	ip link set docker0 up
	ip link add veth0 type veth peer name eth0 netns PID
	ip link set veth0 master docker0 up
	inside() { nsenter -t PID -n "$@"; }
	inside ip addr add 172.17.0.2/16 dev eth0
	inside ip link set eth0 up
	inside ip route add default via 172.17.0.1
	sysctl -qw net.ipv4.ip_forward=1`, "PID", inside) + dockerRules)
	w.net.Server.Start(exec.Command("nsenter", "-t", inside, "-n", "ncat", "-lk", "80"))
	w.eventually("the service listens", func() bool {
		return w.runOn(w.net.Server, "ncat", "-z", "172.17.0.2", "80").status == done
	})
}
