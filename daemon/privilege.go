package daemon

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// needed are the capabilities for capturing packets and changing the firewall.
var needed = []cap.Value{cap.NET_RAW, cap.NET_ADMIN}

// dropPrivileges drops all capabilities that the daemon does not need, in all threads and for
// good. It returns which ones stay and why, as text for a log line and the status.
//
// Without commands even root cannot regain any: neither this process nor a program that it
// starts. With commands only the daemon is confined. It stays the user that it is, and the
// programs that it starts get what programs of this user get.
//
// Root without its capabilities may read a file of another user only if the mode of the file
// allows it.
func dropPrivileges(commands bool) (privileges string, err error) {
	have := cap.GetProc()
	if commands {
		return confineDaemon(have)
	}
	if err := confineAll(have); err != nil {
		return "", fmt.Errorf("dropping privileges: %w", err)
	}
	return naming(needed) + ", to capture knocks and open ports; no script had commands at the start, and no program can get more", nil
}

// checkPrivileges returns an error when a needed capability is missing.
func checkPrivileges() error {
	if missing, err := lacking(cap.GetProc()); err != nil || len(missing) > 0 {
		return lackingError(missing, err)
	}
	return nil
}

// lacking returns the needed capabilities that are missing.
func lacking(have *cap.Set) (missing []cap.Value, err error) {
	for _, value := range needed {
		has, err := have.GetFlag(cap.Permitted, value)
		if err != nil {
			return nil, fmt.Errorf("reading capabilities: %w", err)
		}
		if !has {
			missing = append(missing, value)
		}
	}
	return missing, nil
}

// lackingError returns an error that describes what is missing and how to grant it.
func lackingError(missing []cap.Value, err error) error {
	if err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		return fmt.Errorf("root has no %s here, which hearing knocks and opening ports takes: add the line AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN to the unit, and both names to its CapabilityBoundingSet; in a container, start it with --cap-add NET_RAW --cap-add NET_ADMIN",
			naming(missing))
	}
	program, err := os.Executable()
	if err != nil {
		program = "/usr/sbin/sesame"
	}
	return fmt.Errorf("user %d has no %s, which hearing knocks and opening ports takes: run as root, or \"setcap cap_net_raw,cap_net_admin+ep %s\", or add the line AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN to the unit",
		os.Geteuid(), naming(missing), program)
}

// confineAll reduces this process, and all programs that it starts, to the needed
// capabilities.
func confineAll(have *cap.Set) error {
	if err := dropBounds(have); err != nil {
		return err
	}
	if err := limitTo(needed, nil); err != nil {
		return err
	}
	_, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	return err
}

// dropBounds lets no program get other capabilities than the needed ones, unless a unit or a
// container has set the bounds.
func dropBounds(have *cap.Set) error {
	can, err := have.GetFlag(cap.Effective, cap.SETPCAP)
	if err != nil || !can {
		return err
	}
	var others []cap.Value
	for value := range cap.MaxBits() {
		if !slices.Contains(needed, value) {
			others = append(others, value)
		}
	}
	return cap.DropBound(others...)
}

// confineDaemon reduces this process to the needed capabilities. A program that root starts
// gets root's capabilities again, within the bounding set. A program of another user gets the
// ambient capabilities that its unit configured.
func confineDaemon(have *cap.Set) (privileges string, err error) {
	values := needed
	// Only CAP_KILL can end a command that became another user.
	if can, err := have.GetFlag(cap.Permitted, cap.KILL); err == nil && can {
		values = append([]cap.Value{cap.KILL}, needed...)
	}
	if err := limitTo(values, have); err != nil {
		return "", fmt.Errorf("dropping privileges: %w", err)
	}
	privileges = naming(values) + ", to capture knocks, open ports and end commands; commands of scripts run as "
	if user := os.Geteuid(); user != 0 {
		return fmt.Sprintf("%suser %d", privileges, user), nil
	}
	bounds, err := bounding()
	switch {
	case err != nil:
		return "", err
	case len(bounds) == int(cap.MaxBits()):
		return privileges + "root with all its capabilities", nil
	case len(bounds) > 4:
		return fmt.Sprintf("%sroot with %d of its %d capabilities", privileges, len(bounds), cap.MaxBits()), nil
	}
	return privileges + "root with no more than " + naming(bounds), nil
}

// bounding returns the capabilities that a program of root can have.
func bounding() (values []cap.Value, err error) {
	for value := range cap.MaxBits() {
		has, err := cap.GetBound(value)
		if err != nil {
			return nil, fmt.Errorf("reading the bounding set: %w", err)
		}
		if has {
			values = append(values, value)
		}
	}
	return values, nil
}

// limitTo reduces the process to these capabilities. Its inheritable ones are those of inherit,
// or none when it is nil.
func limitTo(values []cap.Value, inherit *cap.Set) error {
	set := cap.NewSet()
	for _, flag := range []cap.Flag{cap.Permitted, cap.Effective} {
		if err := set.SetFlag(flag, true, values...); err != nil {
			return err
		}
	}
	if inherit != nil {
		if err := set.FillFlag(cap.Inheritable, inherit, cap.Inheritable); err != nil {
			return err
		}
	} else if err := cap.ResetAmbient(); err != nil {
		return err
	}
	err := set.SetProc()
	if errors.Is(err, unix.EPERM) && noMore(cap.GetProc(), values) {
		// A unit that refuses capset(2) has limited the process itself. What is inheritable then
		// stays, and gives nothing to a program without ambient capabilities.
		return nil
	}
	return err
}

// noMore reports whether a process has none but these capabilities.
func noMore(have *cap.Set, values []cap.Value) bool {
	for value := range cap.MaxBits() {
		permitted, err := have.GetFlag(cap.Permitted, value)
		if err != nil || permitted && !slices.Contains(values, value) {
			return false
		}
	}
	return true
}

// naming returns text such as "CAP_NET_RAW and CAP_NET_ADMIN".
func naming(values []cap.Value) string {
	names := make([]string, len(values))
	for i, value := range values {
		names[i] = strings.ToUpper(value.String())
	}
	last := len(names) - 1
	switch last {
	case -1:
		return "no capability"
	case 0:
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
