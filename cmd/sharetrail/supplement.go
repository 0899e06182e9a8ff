package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/verifier"
)

// writeRegister writes the register of an authority, as the keyholder whose token
// was given.
func writeRegister(ctx context.Context, out io.Writer, c *api.Client, f *reportFlags) error {
	c, err := f.keeper.as(c)
	if err != nil {
		return err
	}
	f.register.SinceCheckpoint = f.about.SinceCheckpoint
	file, err := c.SealRegister(ctx, f.register)
	if err != nil {
		return err
	}
	v, err := f.verdict(ctx, c, file, events.RoleAuthority, f.register.Authority)
	if err != nil {
		fmt.Fprintln(os.Stderr, "REFUTED:", err)
		return errNo
	}
	if err := writeOut(out, f.output, file); err != nil {
		return err
	}
	if f.asJSON {
		return printJSON(out, api.WrittenReport{Role: v.Role.String(), About: v.IDs[0], Entries: len(v.Entries), Size: v.Size, Sentence: v.Sentence})
	}
	fmt.Fprintln(os.Stderr, v.Sentence)
	return nil
}

// verdict checks a file against the trust file the ledger hands out.
func (f *reportFlags) verdict(ctx context.Context, c *api.Client, file []byte, role events.Role, ids ...string) (*verifier.Verdict, error) {
	pins, err := c.Trust(ctx)
	if err != nil {
		return nil, err
	}
	trust, err := verifier.ParseTrust(pins)
	if err != nil {
		return nil, err
	}
	asked := verifier.About(role, ids...)
	asked.Previous = f.about.SinceCheckpoint
	return verifier.CheckReport(file, asked, trust)
}

// supplement says what a report shows that the one handed out before it did not:
// what was recorded since, and what was under seal then.
func (f *reportFlags) supplement(ctx context.Context, out io.Writer, c *api.Client, file []byte, written api.WrittenReport) error {
	role, _ := events.ParseRole(written.Role)
	v, err := f.verdict(ctx, c, file, role, append([]string{written.About}, written.Names...)...)
	if err != nil {
		return fmt.Errorf("--supplement-to: %w", err)
	}
	if len(v.Extends) == 0 {
		return fmt.Errorf("--supplement-to: the report says nothing of the checkpoint of that one")
	}
	before, news := v.Extends[len(v.Extends)-1].Size, 0
	for _, e := range v.Entries {
		if e.Index < before {
			continue
		}
		news++
		said := fmt.Sprintf("since that report: leaf %d, recorded %s, %s", e.Index, minuteOf(e.TimeMS), e.Event.Type())
		if e.Sealed != nil {
			said += fmt.Sprintf("; it was recorded %s in leaf %d and under seal until now", minuteOf(e.Sealed.TimeMS), e.Sealed.Index)
		}
		fmt.Fprintln(out, said)
	}
	fmt.Fprintf(out, "supplement to the report under %d leaves: %d new, and nothing that it showed was changed\n", before, news)
	return nil
}

func minuteOf(ms uint64) string {
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02 15:04 UTC")
}
