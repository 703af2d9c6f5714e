package engine

// An Invocation says which declared command an [Exec] is, and what fills its placeholders. It is
// for a process that runs commands and does not believe the one that judges packets: that process
// looks the command up in what it knows to be declared, and fills the placeholders itself. The
// engine hands it on. Nobody changes it.
type Invocation struct {
	// Argv and Undo are as the script wrote them, with placeholders in braces; Undo nil: there is
	// none.
	Argv, Undo []string
	Values     map[string]string // by placeholder; those that the command does not use may be there too
}
