package scripting

// maxText bounds a reason, a log line and a stored string, in bytes.
const maxText = 1024

// maxKey bounds the key of a stored value, in bytes.
const maxKey = 256

// maxPayload bounds the payload that a script gets of a packet, in bytes.
const maxPayload = 2048

// maxOperations bounds the operations of one run, and so the work that a
// script can make for the engine within its budget.
const maxOperations = 256

// Suggesting the name that was meant has a price in steps, since a
// script may make the same mistake again and again and catch its errors.
const (
	suggestionCost = 2000
	maxSuggested   = 1000 // doors; with more of them no name is suggested
)
