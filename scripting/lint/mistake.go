package lint

// mistakes reports uses in functions that probably fail when they run. Those that certainly fail
// are problems, and such a set does not load.
func (c *checker) mistakes() {
	for _, m := range c.set.Mistakes {
		c.found = append(c.found, Finding{ID: Mistake, File: m.File, Line: m.Line, Message: m.Message,
			Hint: "correct it; the value may come from elsewhere, so it is no error: if it is meant, allow it by a comment -- sesame:allow mistake REASON"})
	}
}
