package scripting

// maxText bounds a reason, a line of a log and a stored string, in bytes.
const maxText = 1024

// maxKey bounds the key of a stored value, in bytes.
const maxKey = 256

// maxPayload bounds what a script sees of a packet.
const maxPayload = 2048

// maxOperations bounds a reply: a script that runs wild in its budget still
// hands the engine little work.
const maxOperations = 256

// Looking for the name that was meant costs instructions: a script may be wrong
// again and again, and catch its errors.
const (
	suggestionCost = 2000
	maxSuggested   = 1000 // doors; among more none is looked for
)
