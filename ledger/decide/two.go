package decide

import "github.com/sharetrail/sharetrail/events"

// TakesTwo is a command that must be asked for and confirmed by two people.
type TakesTwo interface {
	Command
	// As says who gives the command, and with whom they are no two people.
	As(by string, kin []string)
}

var (
	_ TakesTwo = (*RequestClosure)(nil)
	_ TakesTwo = (*ConfirmClosure)(nil)
	_ TakesTwo = (*ProposeLift)(nil)
	_ TakesTwo = (*LiftSeal)(nil)
)

// As implements [TakesTwo]. All names are pseudonyms.
func (cmd *RequestClosure) As(by string, _ []string) { cmd.By = by }

// As implements [TakesTwo]. All names are pseudonyms.
func (cmd *ConfirmClosure) As(by string, kin []string) { cmd.By, cmd.Kin = by, kin }

// As implements [TakesTwo].
func (cmd *ProposeLift) As(by string, _ []string) { cmd.By = by }

// As implements [TakesTwo].
func (cmd *LiftSeal) As(by string, kin []string) { cmd.By, cmd.Kin = by, kin }

// NotTwo is why an actor cannot confirm what their kin asked for.
func NotTwo() error {
	return &events.FieldError{Field: "actor", Rule: "added the one who asked for it, or was added by them, also through others: it takes two who did not",
		Next: "let somebody else confirm; sharetrail actor list says who added whom"}
}
