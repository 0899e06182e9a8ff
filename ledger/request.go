package ledger

import (
	"context"

	"github.com/sharetrail/sharetrail/ledger/decide"
)

// request is a command on its way through the writer. A nil command asks for a
// state leaf.
type request struct {
	cmd      *Command
	aside    func(context.Context) error // with no command: done by the writer, between two batches; nothing is appended
	final    *string                     // with no command: the state leaf ends the ledger and names this successor
	target   *target                     // what the command is about, if it is about a record
	decided  []decide.Planned            // by the caller, if the command concerns many; else the writer decides
	on       uint64                      // closings that decided was decided on
	rest     *rest                       // what the request appends of a command whose header is recorded
	reply    chan reply                  // capacity 1: the writer never waits for a caller
	answered bool                        // writer only
}

// looks reports whether a request is about what the stream holds now, whoever
// appended it, and appends nothing that would conflict with that.
func (l *Ledger) looks(r *request) bool {
	return r.aside != nil || l.cover() > 0 && r.cmd == nil && r.rest == nil && r.final == nil
}

// answer gives a request its one answer. A second one would find the reply
// taken or, when the caller has left, block the writer for ever.
func (r *request) answer(a reply) {
	if r.answered {
		panic("ledger: a request is answered twice")
	}
	r.answered = true
	r.reply <- a
}

func answerAll(requests []*request, a reply) {
	for _, req := range requests {
		req.answer(a)
	}
}

// answerOr returns the answer if it has come, else err: what was accepted is
// told, also to a caller that was about to leave.
func (r *request) answerOr(err error) reply {
	select {
	case a := <-r.reply:
		return a
	default:
		return reply{err: err}
	}
}

type reply struct {
	accepted Accepted
	decided  []decide.Planned // on the command, if it was accepted now
	on       uint64           // closings at that time
	err      error
}
