//go:build linux

package system

import (
	"strings"
	"testing"
)

// probe prints the rules at the moment at which the network may come up. It must not be ordered
// after the guard: then it would order the network, too.
const probe = `[Unit]
DefaultDependencies=no
After=network-pre.target
Before=systemd-networkd.service
[Service]
Type=oneshot
ExecStart=-/usr/sbin/nft list table inet sesame
[Install]
WantedBy=sysinit.target
`

// TestSystemGuardsBeforeTheNetwork boots a machine twice while a stranger tries its guarded port.
// The first boot has no scripts that were applied before, so only the second one must guard from
// the beginning: docs/running.md says so.
func TestSystemGuardsBeforeTheNetwork(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.write("/etc/systemd/system/probe.service", probe)
	m.enable("probe.service")
	m.boot()
	m.opens(free)
	m.shut(guarded)
	m.knock(sshKnocks...)
	m.opens(guarded)
	m.run("sesame", "revoke", client4)
	m.powerOff()

	// On a slow machine the order shows: without it the network would come up first.
	m.write("/etc/systemd/system/sesame-guard.service.d/slow.conf", "[Service]\nExecStartPre=/usr/bin/sleep 2\n")
	m.powerOn()
	stranger := m.stranger(guarded)
	m.booted()
	m.opens(free)
	m.eventually("the stranger was refused", func() bool { return !m.connects(guarded) })
	stranger.keptOut()
	if rules := m.journal("probe.service"); !strings.Contains(rules, "tcp . 22") {
		t.Errorf("the rules before the network:\n%s", rules)
	}
	m.inOrder("systemd-tmpfiles-setup.service", "sesame-guard.service", "network-pre.target", "systemd-networkd.service")
	m.inOrder("network-pre.target", "sesame.service") // which may come before the network
}

// TestSystemGuardTriesAgain boots a machine whose guard fails the first time. It is there a moment
// later, also when no daemon is.
func TestSystemGuardTriesAgain(t *testing.T) {
	m := newMachine(t, map[string]string{"ssh.lua": sshDoor})
	m.boot()
	m.powerOff()
	m.write("/etc/systemd/system/sesame-guard.service.d/fail.conf",
		"[Service]\nExecStartPre=+/usr/bin/sh -c 'test -e /run/tried || { touch /run/tried; exit 1; }'\n")
	m.write("/etc/systemd/system/sesame.service.d/missing.conf", "[Unit]\nConditionPathExists=/missing\n")
	m.powerOn()
	m.settled()
	m.eventually("the guard is there", func() bool { return m.property("sesame-guard.service", "ActiveState") == "active" })
	if n := m.property("sesame-guard.service", "NRestarts"); n != "1" {
		t.Errorf("it was started again %s times", n)
	}
	m.opens(free)
	m.shut(guarded)
}

// inOrder checks that each unit was active before the next one.
func (m *machine) inOrder(units ...string) {
	m.Helper()
	last := 0
	for _, unit := range units {
		at := m.number(unit, "ActiveEnterTimestampMonotonic")
		if at <= last {
			m.Errorf("%s was active after %d µs, not after the unit before it (%d µs)", unit, at, last)
		}
		last = at
	}
}
