package events

// SeriesOpened begins a series of like shares with one recipient, told as one
// (45 CFR 164.528(b)(3)): first, how often, how many, last.
type SeriesOpened struct {
	DisclosureRecorded
	Series Series `json:"series"`
}

// Series says when a series began; how often it recurs is in the conveyance.
type Series struct {
	First     string `cbor:"first" json:"first" doc:"RFC 3339 time in UTC of the first share"`
	Precision string `cbor:"precision,omitempty" json:"precision,omitempty" doc:"instant (default), day or month"`
}

// Type implements [Event].
func (*SeriesOpened) Type() string { return TypeSeriesOpened }

func (s *SeriesOpened) groups() []group {
	return append([]group{{"series", &s.Series, true}}, s.DisclosureRecorded.without("occurred")...)
}

// SeriesUpdated says how far a series has come.
type SeriesUpdated struct {
	Progress SeriesProgress `json:"progress"`
}

// SeriesProgress counts the shares of a series, from its first on.
type SeriesProgress struct {
	Count uint64 `cbor:"count" json:"count" doc:"shares so far"`
	Last  string `cbor:"last" json:"last" doc:"RFC 3339 time in UTC of the last of them"`
}

// Type implements [Event].
func (*SeriesUpdated) Type() string { return TypeSeriesUpdated }

func (s *SeriesUpdated) groups() []group {
	return []group{{"progress", &s.Progress, true}}
}

// SeriesClosed ends a series.
type SeriesClosed struct {
	Progress SeriesProgress `json:"progress"`
	Closing  SeriesClosing  `json:"closing"`
}

// SeriesClosing says why no more shares of the series follow.
type SeriesClosing struct {
	Reason string `cbor:"reason" json:"reason" doc:"in words that say nothing of a person"`
}

// Type implements [Event].
func (*SeriesClosed) Type() string { return TypeSeriesClosed }

func (s *SeriesClosed) groups() []group {
	return []group{{"progress", &s.Progress, true}, {"closing", &s.Closing, true}}
}

// PossibleRecorded says that data may have been shared for a study on fifty or
// more people (45 CFR 164.528(b)(4)): every one of them gets it in the report.
type PossibleRecorded struct {
	DisclosureRecorded
	Period Period `json:"period"`
}

// Period is when data may have been shared.
type Period struct {
	From string `cbor:"from" json:"from" doc:"RFC 3339 time in UTC"`
	To   string `cbor:"to" json:"to" doc:"RFC 3339 time in UTC of the last possible share"`
}

// Type implements [Event].
func (*PossibleRecorded) Type() string { return TypePossibleRecorded }

func (p *PossibleRecorded) groups() []group {
	return append([]group{{"period", &p.Period, true}}, p.DisclosureRecorded.without("occurred")...)
}
