//go:build linux

package system

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// boot starts the machine, and waits until all has started.
func (m *machine) boot() {
	m.Helper()
	m.powerOn()
	m.booted()
}

// settled waits until the service manager has started all that it can start.
func (m *machine) settled() {
	m.Helper()
	m.eventually("the machine has booted", func() bool {
		state := strings.TrimSpace(m.try("systemctl", "is-system-running").stdout)
		return state == "running" || state == "degraded"
	})
}

// booted waits for the same, and requires our units to be active.
func (m *machine) booted() {
	m.Helper()
	m.settled()
	for _, unit := range []string{"sesame-guard.service", "sesame.service"} {
		if state := m.property(unit, "ActiveState"); state != "active" {
			m.Fatalf("%s is %s\n%s", unit, state, m.journal(unit))
		}
	}
}

// powerOn starts the machine, and waits for its first process and for the link.
func (m *machine) powerOn() {
	m.Helper()
	out, err := os.OpenFile(m.console, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.Fatal(err)
	}
	defer out.Close()
	// The shell enters the control groups before there is a process that could be elsewhere.
	enter := `for dir; do echo $$ >"$dir/cgroup.procs" || exit; done
exec systemd-nspawn --quiet --directory="$ROOT" --machine="$NAME" --register=no --keep-unit --network-veth-extra="ve-$NAME:eth0" --boot --console=pipe \
	--system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self"`
	cmd := exec.Command("sh", append([]string{"-c", enter, "sh"}, m.cgroups...)...)
	cmd.Env = append(os.Environ(), "ROOT="+m.root, "NAME="+m.name)
	cmd.Stdout, cmd.Stderr = out, out
	// The far end of the link is where nspawn starts: in the client's network.
	if err := m.client.Do(cmd.Start); err != nil {
		m.Fatal(err)
	}
	m.nspawn, m.exited, m.leader = cmd, make(chan struct{}), 0
	go func() {
		_ = cmd.Wait() // the state has its outcome
		close(m.exited)
	}()
	m.Cleanup(m.cutPower)
	m.eventually("the first process", m.findLeader)
	m.eventually("the link", m.linked)
}

// findLeader looks for the first process of the machine: the child of nspawn that has become the
// service manager.
func (m *machine) findLeader() bool {
	if m.off() {
		console, _ := os.ReadFile(m.console)
		m.Fatalf("the machine is off: %v\n%s", m.nspawn.ProcessState, console)
	}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", m.nspawn.Process.Pid))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			if name, _ := os.Readlink("/proc/" + child + "/exe"); strings.HasSuffix(name, "/systemd") {
				_, err := fmt.Sscan(child, &m.leader)
				return err == nil
			}
		}
	}
	return false
}

// off reports whether the machine is off.
func (m *machine) off() bool {
	select {
	case <-m.exited:
		return true
	default:
		return false
	}
}

// cutPower ends the machine without a shutdown.
func (m *machine) cutPower() {
	if m.leader != 0 && !m.off() {
		_ = syscall.Kill(m.leader, syscall.SIGKILL) // all of its processes end with the first
	}
	select {
	case <-m.exited:
	case <-time.After(patience):
		_ = m.nspawn.Process.Kill()
		<-m.exited
	}
}

// powerOff shuts the machine down as a person does, and waits until it is off.
func (m *machine) powerOff() {
	m.Helper()
	m.try("systemctl", "poweroff") // its end may come before its answer
	m.eventually("the machine is off", m.off)
}
