// Package docs turns two pages of the documentation into text that the program contains, for its
// manual pages.
package docs

import _ "embed" // for the pages

// Configuration is docs/configuration.md before its keys are filled in.
//
//go:embed configuration.md.tmpl
var Configuration string

// Scripts is docs/scripts.md before its reference is filled in.
//
//go:embed scripts.md.tmpl
var Scripts string
