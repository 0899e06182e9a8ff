package ui

import (
	"bytes"

	"github.com/sharetrail/sharetrail/events"
)

// RenderShare is a share as the preview and the report show it.
func RenderShare(d *events.DisclosureRecorded, p *events.Private) (string, error) {
	var b bytes.Buffer
	err := pages["report"].ExecuteTemplate(&b, "share", showShare(d, p))
	return b.String(), err
}

// Worded are the reasons that have a choice and an answer in plain words.
func Worded() (all []string) {
	for _, list := range [][]worded{statementReasons, otherReasons} {
		for _, w := range list {
			if w.Choice != "" && w.Answer != "" {
				all = append(all, string(w.Reason))
			}
		}
	}
	return all
}
