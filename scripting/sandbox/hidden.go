package sandbox

// The rewritten tree calls these functions of the host. They are locals of a chunk around the
// script's; no script can reach or hide them, since no name in Lua begins with a zero byte.
const (
	hiddenConcat  = "\x00concat"  // (a, b, ...): a .. b .. ...
	hiddenCompare = "\x00compare" // ("<", a, b): a < b, for values that may be long strings
	hiddenSet     = "\x00set"     // (t, k, v): t[k] = v
	hiddenGlobal  = "\x00global"  // ("g", v): g = v
	hiddenTable   = "\x00table"   // ({...}): charges for a constructed table
	hiddenKey     = "\x00key"     // (k, position): a computed key of a constructor
	hiddenFunc    = "\x00func"    // (f): charges for a function that was made
	hiddenArgs    = "\x00args"    // (...): charges for passing them on
)

var hidden = []string{hiddenConcat, hiddenCompare, hiddenSet, hiddenGlobal, hiddenTable, hiddenKey, hiddenFunc, hiddenArgs}
