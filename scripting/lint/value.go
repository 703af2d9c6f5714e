package lint

// values finds values that are stored for each source without a ttl. They stay for ever, so the
// share of the script fills with sources that never come back.
func (c *checker) values() {
	for _, site := range c.set.Values {
		what, ttl := "attempt.store:"+site.Method, `attempt.store:set("seen", true, "30d")`
		if site.Common {
			what = "sesame.store:" + site.Method + ", with the source in its key,"
			ttl = `sesame.store:set("seen " .. attempt.source, true, "30d")`
		}
		if site.Method == "incr" {
			ttl = `attempt.store:incr("opens", 1, "30d")`
		}
		c.found = append(c.found, Finding{ID: NoTTL, File: site.File, Line: site.Line,
			Message: what + " stores a value of each source for ever: when the share of the script is full, its functions fail",
			Hint:    "give the value a ttl, such as " + ttl})
	}
}
