package scripting

// maxText bounds a reason, a log line and a stored string, in bytes.
const maxText = 1024

// maxKey bounds the key of a stored value, in bytes.
const maxKey = 256

// maxPayload bounds the payload that a script gets of a packet, in bytes.
const maxPayload = 2048

// maxOperations bounds the operations of one run. A script that runs wild
// within its budget still makes little work for the engine.
const maxOperations = 256

// To look for the name that was meant costs instructions, since a script may be
// wrong again and again and catch its errors.
const (
	suggestionCost = 2000
	maxSuggested   = 1000 // doors; with more of them no name is suggested
)
