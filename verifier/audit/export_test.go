package audit

// AtOnce returns a configuration under which so many labels are inserted at once.
func (c Config) AtOnce(labels int) Config {
	c.atOnce = labels
	return c
}
