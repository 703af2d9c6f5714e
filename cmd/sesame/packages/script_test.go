//go:build linux

package packages

import (
	"os"
	"os/exec"
	"testing"
)

// actions are calls that start, stop or enable something.
var actions = []string{" start ", "restart ", " stop ", " enable", " disable", "preset", "firewall"}

func TestScripts(t *testing.T) {
	units := "sesame.service sesame-guard.service sesame-helper.socket"
	for _, test := range []struct {
		name   string
		debian bool
		steps  []call
	}{
		{"dpkg installs it", true, []call{{
			script: "after-install", args: "configure", calls: []string{"systemd-sysusers", "update-state sesame.service", "daemon-reload"}, never: actions,
			prints: []string{"That closed no port, and started and enabled no service", "sudo sesame init /etc/sesame/scripts", "sudo sesame import knockd --check FILE"},
		}}},
		{"knockd is there", true, []call{{
			script: "after-install", args: "configure", has: []string{"etc/knockd.conf"}, never: actions, prints: []string{"sudo sesame import knockd --check /etc/knockd.conf"},
		}}},
		{"rpm installs it", false, []call{{
			script: "after-install", args: "1", calls: []string{"groupadd --prefix ", "useradd --prefix ", " --no-create-home ", "daemon-reload"}, never: actions, prints: []string{"closed no port"},
		}}},
		{"the user is there", false, []call{{script: "after-install", args: "2", calls: []string{"useradd"}}, {script: "after-install", args: "1", never: []string{"useradd", "groupadd"}, prints: []string{"closed no port"}}}},
		{"units of an installation from source", true, []call{{
			script: "after-install", args: "configure", never: actions,
			has:    []string{"etc/systemd/system/sesame.service", "etc/systemd/system/sesame-helper.service", "active", "enabled"},
			prints: []string{"/etc/systemd/system/sesame.service hides the unit", "/etc/systemd/system/sesame-helper.service hides the unit", "That closed no port, and started and enabled no service"},
		}}},
		{"an upgrade of what does not run", true, []call{
			{script: "before-remove", args: "upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-remove", args: "upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-install", args: "configure 1.0", silent: true, calls: []string{"daemon-reload", "is-active"}, never: actions},
		}},
		{"an upgrade of what runs", true, []call{
			{script: "before-remove", args: "upgrade 1.1", has: []string{"active"}, silent: true, never: []string{""}},
			{script: "after-install", args: "configure 1.0", silent: true, calls: []string{"daemon-reload", "deb-systemd-invoke try-restart sesame.service", "is-active"}, never: []string{"firewall", " stop"}},
		}},
		{"an upgrade of what reads its scripts anew", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"reloading"}, silent: true, calls: []string{"deb-systemd-invoke try-restart sesame.service"},
		}}},
		{"an upgrade by rpm", false, []call{
			{script: "after-install", args: "2", has: []string{"active"}, silent: true, calls: []string{"daemon-reload", "systemctl try-restart sesame.service"}},
			{script: "before-remove", args: "1", silent: true, never: []string{""}},
			{script: "after-remove", args: "1", silent: true, never: []string{""}},
		}},
		{"the new version does not start", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"active", "fails"}, fails: true, prints: []string{"does not start with this version", "journalctl -u sesame"},
		}}},
		{"the new version does not start, by rpm", false, []call{{
			script: "after-install", args: "2", has: []string{"active", "fails"}, prints: []string{"does not start with this version"},
		}}},
		{"it does not start, and policy-rc.d has it left alone", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"activating", "fails", "forbidden"}, calls: []string{"deb-systemd-invoke try-restart sesame.service"},
			prints: []string{"sesame: the daemon did not run, and was not started. Ports that were guarded stay so\n"},
		}}},
		{"it ran, and a condition of a drop-in is not met any more", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"active", "unmet"}, fails: true, prints: []string{"does not start with this version", `Then "systemctl restart sesame" and "dpkg --configure sesame", or install`},
		}}},
		{"it ran, and a condition of a drop-in is not met any more, by rpm", false, []call{{
			script: "after-install", args: "2", has: []string{"reloading", "unmet"}, prints: []string{"does not start with this version", `Then "systemctl restart sesame", or install`},
		}}},
		{"it failed, and a condition of a drop-in is not met", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"failed", "enabled", "unmet"}, prints: []string{"was not started"},
		}}},
		{"it runs, and policy-rc.d has it left alone", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"active", "forbidden"}, silent: true,
		}}},
		{"systemd cannot even try the new version", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"active", "refused"}, fails: true, prints: []string{"does not start with this version"},
		}}},
		{"somebody stopped it", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"enabled", "known"}, silent: true, calls: []string{"is-active"}, never: []string{" start ", "restart "},
		}}},
		{"it gave up, and is enabled", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"failed", "enabled"}, silent: true, calls: []string{"deb-systemd-invoke restart sesame.service"},
		}}},
		{"it gave up, and is enabled, by rpm", false, []call{{
			script: "after-install", args: "2", has: []string{"failed", "enabled", "fails"}, calls: []string{"systemctl restart sesame.service"}, prints: []string{"does not start with this version"},
		}}},
		{"it gave up, and is disabled", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"failed"}, silent: true, never: []string{" start ", "restart "},
		}}},
		{"a new version has a unit with more links", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"known", "enabled"}, silent: true, calls: []string{"deb-systemd-helper enable sesame.service", "update-state sesame.service"},
		}}},
		{"somebody disabled it", true, []call{{
			script: "after-install", args: "configure 1.0", has: []string{"known"}, silent: true, calls: []string{"update-state"}, never: []string{"helper enable"},
		}}},
		{"an upgrade that dpkg takes back", true, []call{
			{script: "after-install", args: "abort-upgrade 1.1", has: []string{"active"}, silent: true, never: actions},
			{script: "after-install", args: "abort-remove", silent: true, never: actions},
			{script: "after-install", args: "abort-deconfigure in-favour x 1", silent: true, never: actions},
			{script: "before-remove", args: "deconfigure in-favour x 1", silent: true, never: []string{""}},
			{script: "before-remove", args: "failed-upgrade 1.0", silent: true, never: []string{""}},
			{script: "after-remove", args: "abort-install", silent: true, never: []string{""}},
			{script: "after-remove", args: "abort-upgrade 1.1", silent: true, never: []string{""}},
			{script: "after-remove", args: "failed-upgrade 1.0", silent: true, never: []string{""}},
			{script: "after-remove", args: "disappear x 1", silent: true, never: []string{""}},
		}},
		{"dpkg removes it", true, []call{
			{
				script: "before-remove", args: "remove", has: []string{"active"}, prints: []string{"sesame: removed; no longer shut by sesame: tcp/22\n"},
				calls: []string{"deb-systemd-invoke stop sesame.service", "sesame helper --settle", "sesame firewall remove", "deb-systemd-helper disable " + units},
			},
			{script: "after-remove", args: "remove", silent: true, calls: []string{"systemctl --system daemon-reload", "systemctl --system reset-failed sesame.service "}},
		}},
		{"rpm erases it", false, []call{
			{
				script: "before-remove", args: "0", has: []string{"active"}, prints: []string{"tcp/22"},
				calls: []string{"systemctl --quiet stop sesame.service", "sesame firewall remove", "systemctl --quiet --no-reload", " disable " + units},
			},
			{script: "after-remove", args: "0", silent: true, calls: []string{"daemon-reload"}},
		}},
		{"arguments that nobody knows", true, []call{
			{script: "after-install", args: "begin", fails: true, prints: []string{"sesame: after-install: unknown argument 'begin'"}},
			{script: "before-remove", args: "begin", fails: true, prints: []string{"before-remove: unknown argument 'begin'"}},
			{script: "after-remove", args: "begin", fails: true, prints: []string{"after-remove: unknown argument 'begin'"}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newTarget(t, test.debian)
			for _, step := range test.steps {
				m.expect(step)
			}
		})
	}
}

// Dpkg calls the upgrade unfinished as long as the daemon does not start, however often it is asked
// to finish it.
func TestUpgradeIsFinishedLater(t *testing.T) {
	m := newTarget(t, true)
	fails := call{script: "after-install", args: "configure 1.0", fails: true, calls: []string{"deb-systemd-invoke try-restart sesame.service"}, prints: []string{"does not start with this version"}}
	m.has("active", "fails")
	m.expect(fails)
	m.expect(fails)
	if err := os.Remove(m.root + "/fails"); err != nil {
		t.Fatal(err)
	}
	m.expect(call{script: "after-install", args: "configure 1.0", silent: true, calls: fails.calls})
}

// TestRealShellcheck looks for what not every shell takes.
func TestRealShellcheck(t *testing.T) {
	if _, err := exec.LookPath("shellcheck"); err != nil {
		t.Skip("shellcheck is not here: the scripts are not looked at")
	}
	dir := checkout + "/.ci/packages/"
	run(t, "shellcheck", "-s", "sh", dir+"after-install", dir+"before-remove", dir+"after-remove")
	run(t, "shellcheck", dir+"build", dir+"version")
}
