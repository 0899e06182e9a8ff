package decide

import (
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// OpenSeries asks to record a series of like shares as one.
type OpenSeries struct {
	Series   events.SeriesOpened
	Subjects []Subject
}

// About implements [Command].
func (cmd *OpenSeries) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *OpenSeries) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	series := cmd.Series
	if series.Series.Precision == "instant" {
		series.Series.Precision = ""
	}
	if err := series.Validate(now); err != nil {
		return nil, err
	}
	if err := linked(state, &series.DisclosureRecorded); err != nil {
		return nil, err
	}
	return sharing(state, &series, &series.DisclosureRecorded, cmd.Subjects)
}

// UpdateSeries says how far a series has come, and ends it if Closing is set.
type UpdateSeries struct {
	ID       events.ID
	Progress events.SeriesProgress
	Closing  *events.SeriesClosing
}

// About implements [Command].
func (cmd *UpdateSeries) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *UpdateSeries) Decide(_ State, t *Target, now time.Time) ([]Planned, error) {
	var e events.Validatable = &events.SeriesUpdated{Progress: cmd.Progress}
	if cmd.Closing != nil {
		e = &events.SeriesClosed{Progress: cmd.Progress, Closing: *cmd.Closing}
	}
	if err := t.open(e.Type()); err != nil {
		return nil, err
	}
	if err := e.Validate(now); err != nil {
		return nil, err
	}
	first, err := time.Parse(time.RFC3339, t.Share.Occurred.At)
	last, err2 := time.Parse(time.RFC3339, cmd.Progress.Last)
	if err == nil && err2 == nil && last.Before(first) {
		return nil, &events.FieldError{Field: "progress.last", Rule: "lies before the first share of the series", Next: "check the time"}
	}
	if cmd.Progress.Count < t.Progress.Count {
		return nil, &events.FieldError{Field: "progress.count", Rule: "is less than was told before: shares are not undone",
			Next: "check the number; if what was told is wrong, retract the series and open it anew"}
	}
	return []Planned{t.about(e, t.Parties)}, nil
}

// RecordPossible asks to record that data may have been shared for a study.
type RecordPossible struct {
	Possible events.PossibleRecorded
	Subjects []Subject
}

// About implements [Command].
func (cmd *RecordPossible) About() (events.ID, bool) { return events.ID{}, false }

// Decide implements [Command].
func (cmd *RecordPossible) Decide(state State, _ *Target, now time.Time) ([]Planned, error) {
	possible := cmd.Possible
	if err := possible.Validate(now); err != nil {
		return nil, err
	}
	if err := linked(state, &possible.DisclosureRecorded); err != nil {
		return nil, err
	}
	return sharing(state, &possible, &possible.DisclosureRecorded, cmd.Subjects)
}
