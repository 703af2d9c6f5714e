package control

import "slices"

// rows returns all that can be wrong, in the order in which people read it.
func rows() []row {
	return slices.Concat(scriptRows(), firewallRows(), captureRows(), stateRows(), effectRows(), daemonRows(), factRows())
}

func scriptRows() []row {
	return []row{
		{"no-scripts", isBroken, "neither the scripts nor those that were applied last load, so nobody can knock; the ports stay guarded",
			"correct the scripts (sesame check), or start the version of Sesame that they are for; sesame grant lets somebody in meanwhile", noScripts},
		{"last-good-set", isDegraded, "the scripts failed or were held at the start, so the set that was applied last runs", "correct the scripts; Sesame notices that by itself", lastGood},
		{"scripts-rejected", isDegraded, "the files have errors, so the scripts before them run", "correct the file; Sesame notices that by itself", rejected},
		{"tests-failed", isDegraded, "a test of the files fails, so the scripts before them run",
			TestsFailedNext, testsFailed},
		{"tests-not-run", isDegraded, "there was no time for all tests of the scripts that run", "make the tests smaller, or raise budget below [tests]; to run them again: sesame reload", testsNotRun},
		{"scripts-held", isDegraded, "the files would leave a port without a guard or without a door, or others than root can change them, so the scripts before them run",
			"correct the scripts, or release the ports with sesame reload --unguard", held},
		{"trial-over", isDegraded, "scripts were on trial, and nobody confirmed them, so those before are in force again, and the files are held",
			"correct the scripts and try them again: sesame reload --trial 10m; for good: sesame reload", trialOver},
		{"scripts-unreadable", isDegraded, "the files cannot be read, and are not those that run", "make the file readable for root", unreadable},
		{"scripts-differ", isDegraded, "the files are not those that run", "to load them, run: sesame reload", differ},
		{"script-fails", isDegraded, "a function of a script failed when it ran last", "correct the script; this line goes once the function succeeds", scriptFails},
		{"script-timeout", isNote, "a function of a script was ended by the clock in the last hour", "", scriptTimeout},
		{"limit-refuses", isDegraded, "a door refuses every knock now because of a bound, also of those who know its sequence", "wait, or raise the limit in the script", limitRefuses},
		{"writable-files", isDegraded, "users other than root can change the scripts, the configuration, a program of a command or a database that scripts ask, so who gets in and what is run",
			"chown root and chmod go-w them", writableFiles},
		{"commands-confined", isDegraded, "the first commands came with a reload, after the start had dropped the privileges that they may need",
			"to give them these, restart the daemon (with its unit: systemctl restart sesame)", confined},
		{"sequences-unread", isDegraded, "files of one-time sequences could not be read at the start, so their doors cannot be opened", "make the file readable, and save a script", sequencesUnread},
		{"writable-allowed", isNote, "users other than root can change the scripts or what they use, and `allow_writable` is set", "", writableAllowed},
		{"trial-runs", isNote, "scripts are in force on trial, and those before them return unless somebody confirms", "knock, log in anew, and run there: sesame confirm", trialRuns},
		{"scripts-wait", isNote, "the files are not those that run, and wait for a person: the configuration says so, scripts from elsewhere were put in force, or a person ended their trial", "to load them, run: sesame reload", scriptsWait},
		{"no-door", isNote, "no script has a door", "", noDoor},
		{"sequences-used-up", isNote, "all one-time sequences of a door are used", "", usedUp},
		{"limit-refused", isNote, "a door refused in the last hour because of a bound; or it refuses now, and is one that a scan of ports knocks at", "", limitRefused},
		{"tests-skipped", isNote, "tests of the scripts that run were skipped: a capture is missing, or nobody wanted them to run", "", testsSkipped},
		{"values-unread", isNote, "values are stored under a name that no script has: a file was renamed or removed", "", valuesUnread},
		{"cut-ignored", isNote, "`cut = true` does nothing for TCP in set mode", "", cutIgnored},
	}
}

func firewallRows() []row {
	return []row{
		{"firewall-broken", isBroken, "the rules of Sesame cannot be put into the kernel, so ports may be open to everyone", "look at nft list ruleset and at the log", firewallBroken},
		{"firewall-blocks", isDegraded, "another program's chain dropped what a door let in, in the last hour", "look at the chain: nft list ruleset", firewallBlocks},
		{"set-full", isDegraded, "a set of your firewall is full, so that grants fail", "raise its size in the file that makes it", setFull},
		{"firewall-unwatched", isDegraded, "the kernel's events are not read, so a change by another program is not noticed", "Sesame tries again each second; look at the error", unwatched},
		{"firewall-unseen", isDegraded, "the kernel's rules cannot be read, so nothing is known of chains of other programs", "look at the error", unseen},
		{"unmeasured", isDegraded, "the kernel does not tell what becomes of granted packets", "look at the error: the kernel needs nf_tables with nftrace", unmeasured},
		{"rules-unread", isDegraded, "the text of rules of other firewalls cannot be read, so those that drop packets are named by their numbers", "to start the process that reads it, restart the daemon (with its unit: systemctl restart sesame)", rulesUnread},
		{"firewall-may-block", isNote, "another program's chain drops by default, and has no rule for granted packets", "", firewallMayBlock},
		{"nobody-answers", isNote, "a granted connection was not answered in the last hour, or this host refused it", "", nobodyAnswers},
		{"turned-away", isNote, "a source was refused that probably knocked from another address", "", turnedAway},
		{"knock-split", isNote, "a sequence came from two addresses in the last hour", "", splitKnock},
		{"conntrack-full", isDegraded, "the kernel has no room to track more flows, and drops packets of new ones", "raise net.netfilter.nf_conntrack_max with sysctl, or end what opens so many flows", conntrackFull},
		{"table-changed", isNote, "another program changed the table of Sesame, which repaired it", "find out which program it was: its flush leaves ports open for a moment", tableChanged},
	}
}

func captureRows() []row {
	return []row{
		{"no-interface", isBroken, "no interface is captured", "bring an interface up, or correct interfaces in sesame.toml", noInterface},
		{"interface-missing", isDegraded, "an interface of the configuration is not captured", "bring it up, or take it out of interfaces in sesame.toml", missing},
		{"packets-lost", isNote, "packets came faster than they could be looked at", "", lost},
		{"filter-coarse", isNote, "the scripts have too many ports for the kernel's filter", "", coarse},
		{"recorder-blind", isNote, "packets come faster than they can be recorded", "", blind},
	}
}

func stateRows() []row {
	return []row{
		{"set-not-saved", isDegraded, "the scripts that run could not be saved for a start at which the files are broken", "look at the state directory: its space, and whether it can be written", setNotSaved},
		{"journal-unwritable", isDegraded, "the journal cannot be written, so commands with an undo and one-time sequences are refused; ports open and close",
			"look at the state directory: its space, whether it is mounted read-only, and dmesg; Sesame tries again by itself", journalUnwritable},
		{"journal-damaged", isDegraded, "a part of the journal was not readable at the start, so grants or undos may be lost", "look at the disk and at sesame grants; a restart ends this line", damaged},
		{"state-newer", isDegraded, "a newer version of Sesame wrote a part of the state that this one does not read; ports are guarded, and the rest counts",
			"start the newer version again, or go on with this one: see docs/upgrading.md; commands that are named must be run by hand", stateNewer},
		{"journal-torn", isNote, "the last line of the journal was not whole at the start, as after a crash", "nothing was done that needs it", torn},
		{"clock-sync-not-saved", isDegraded, "the next start does not know that the clock was synchronised once, so windows may refuse until it is again", "look at the state directory: its space, and whether it can be written", syncNotSaved},
	}
}

func effectRows() []row {
	return []row{
		{"queue-long", isDegraded, "many effects that were decided are not done yet", "look at the failures below, at slow commands, and at the disk of the state directory", queueLong},
		{"grant-failed", isDegraded, "access could not be given in the last 10 minutes, to somebody who knocked right, nor to anybody since", "look at what failed: the firewall, a full set, or the journal", grantFailed},
		{"command-missing", isDegraded, "a program of a command is missing or cannot be executed", "correct it; this line goes once all of them can be run", commandMissing},
		{"command-fails", isDegraded, "a command failed or hung when it ran last", "run it by hand, and correct it; this line goes once it succeeds", commandFails},
		{"command-status", isNote, "a command that may have any exit status, as those of a knockd.conf, failed when it ran last", "run it by hand; this line goes once it succeeds", commandStatus},
		{"commands-waiting", isDegraded, "commands come faster than they run, or those before them hang",
			`make the command faster, or let the door open less often, such as limit = "1/m per source" for a command of some seconds; a door of a knockd.conf gets a limit as a script: sesame import knockd`, commandsWaiting},
		{"effect-failed", isNote, "an effect failed earlier", "", effectFailed},
	}
}

func daemonRows() []row {
	return []row{
		{"socket-gone", isDegraded, "the control socket was deleted and cannot be made again", "look at its directory; Sesame tries again each second", socketGone},
		{"knockd-log", isDegraded, "lines for those who read knockd's log cannot be written", "look at the file and at the space on its disk", knockdLog},
		{"audit-log", isDegraded, "entries of the audit log are not written to its file, and only to the log", "look at the file and at the space on its disk", auditLog},
		{"service-manager", isDegraded, "the service manager cannot be notified, and may restart the daemon", "look at systemctl status sesame", serviceManager},
		{"metrics-unserved", isDegraded, "the address for metrics in the configuration is not served", "look at what else uses the address (ss -ltnp), or name another one, and restart Sesame; when it is of no interface, it is served once an interface has it; sesame metrics prints them meanwhile", metricsUnserved},
		{"no-descriptors", isDegraded, "the daemon cannot open files: grants work, commands and reloads fail", "raise LimitNOFILE with systemctl edit sesame, and restart it", noDescriptors},
		{"look-slow", isDegraded, "a disk or the kernel does not answer, so a part of the status is of an earlier moment", "look at the disk, and at dmesg", lookSlow},
		{oldDaemon, isDegraded, "the daemon that answers is older than the program that asks, and does not tell its health", oldDaemonNext, nothing},
		{"helper-gone", isDegraded, "the helper does not answer, so commands are refused and changes of the scripts are not seen; ports open and close",
			"look at systemctl status sesame-helper and at its log; Sesame tries again every few seconds. Without systemd, start Sesame again, which starts its helper, too", helperGone},
		{"undo-lost", isDegraded, "an undo was pending that the helper knows nothing of, and nobody ran it",
			"if its command had run, run the undo by hand; a restart ends this line", undoLost},
		{"undo-failed", isDegraded, "an undo failed that was pending in the helper alone, since the state of the daemon was lost",
			"look at what it says; a restart of Sesame runs it again", undoFailed},
		{"privileges-kept", isDegraded, "the disk of the state directory did not answer at the start, so the daemon kept all privileges of root",
			"look at the disk; when it answers they are dropped", privilegesKept},
		{"clock-doubt", isDegraded, "the clock of the machine is not synchronised, so windows of time refuse",
			"look at its NTP client (timedatectl, chronyc tracking), or set unsynchronised below [clock] in the configuration", clockDoubt},
		{"clock-set", isNote, "the wall clock was set since the daemon started", "", clockSet},
	}
}

func factRows() []row {
	return []row{
		{"database-broken", isDegraded, "a database of countries or networks cannot be used", "get it again: see docs/geography.md", databaseBroken},
		{"database-missing", isDegraded, "scripts ask for what no database has", "", databaseMissing},
		{"host-unknown", isDegraded, "the addresses of a name are not known", "look at the name and at the resolver of the machine", hostUnknown},
		{"names-unread", isDegraded, "the file of name servers, or of hosts, was replaced by one that the confined daemon may not read, so names are asked for at the wrong place",
			"to read it, restart the daemon (with its unit: systemctl restart sesame); it happens to a daemon that is root, or when the file is a link", namesUnread},
		{"database-old", isNote, "a database is older than 60 days", "", databaseOld},
		{"host-stale", isNote, "the last question for the addresses of a name failed, so earlier ones count", "", hostStale},
	}
}
