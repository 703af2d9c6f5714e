package daemon

import "testing"

// TestLetRead: a person pastes the commands into a shell.
func TestLetRead(t *testing.T) {
	const home = "move the scripts out of the home directory to /etc/sesame, then chgrp -R sesame /etc/sesame && chmod -R g+rX /etc/sesame"
	for scripts, want := range map[string]string{
		"/srv/scripts":      "chgrp -R sesame /srv/scripts && chmod -R g+rX /srv/scripts",
		"/srv/a.lua":        "chgrp -R sesame /srv/a.lua && chmod -R g+rX /srv/a.lua",
		"/a b;$(id)'q/s":    `chgrp -R sesame '/a b;$(id)'\''q/s' && chmod -R g+rX '/a b;$(id)'\''q/s'`,
		"/root/scripts":     home,
		"/root":             home,
		"/home/ann/a.lua":   home,
		"/rooted/scripts":   "chgrp -R sesame /rooted/scripts && chmod -R g+rX /rooted/scripts",
		"/srv/\x1b[2Jclear": `move the scripts to a path without control characters: it is "/srv/\x1b[2Jclear"`,
	} {
		if got := letRead(scripts, "sesame"); got != want {
			t.Errorf("%q: got %s, want %s", scripts, got, want)
		}
	}
}
