// Package source turns a directory of Lua files into texts that are read once, with the places and
// the calls in them. It runs none of them.
//
// [Files] holds the text of each script, module and referenced file. [Scripts]
// compiles them for one loading. What is hashed, loaded, recorded and stored is
// the same text, also when a file is edited in the meantime.
package source
