package daemon

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"sesame/daemon/writable"
)

// explainUnread adds who must be able to read a file, for a daemon that is not root.
func (d *daemon) explainUnread(err error) error {
	if err == nil || os.Geteuid() == 0 || d.helper != nil || !strings.Contains(err.Error(), fs.ErrPermission.Error()) {
		return err
	}
	scripts := absolute(d.config.Scripts)
	if target, err := filepath.EvalSymlinks(scripts); err == nil {
		scripts = target // chgrp -R does not follow a link
	}
	group := strconv.Itoa(os.Getegid())
	if known, err := user.LookupGroupId(group); err == nil {
		group = known.Name
	}
	return fmt.Errorf("%w (the daemon runs as user %s, which must be able to read the scripts and what they name: %s; it must be able to enter the directories above, too)",
		err, userName(), letRead(scripts, group))
}

// userName returns the name of the user that the daemon runs as, or the number of one without.
func userName() string {
	id := strconv.Itoa(os.Geteuid())
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return id
}

// letRead returns how a group comes to read the scripts, and nothing beside them. Nobody should
// open a home directory for that.
func letRead(scripts, group string) string {
	advice := ""
	if scripts == "/root" || strings.HasPrefix(scripts, "/root/") || strings.HasPrefix(scripts, "/home/") {
		scripts, advice = "/etc/sesame", "move the scripts out of the home directory to /etc/sesame, then "
	}
	word, ok := writable.ShellWord(scripts)
	if !ok {
		return fmt.Sprintf("move the scripts to a path without control characters: it is %q", scripts)
	}
	return fmt.Sprintf("%schgrp -R %s %s && chmod -R g+rX %s", advice, group, word, word)
}
