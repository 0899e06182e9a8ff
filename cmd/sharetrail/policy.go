package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Say who must have signed what is published: show, set",
		Long: `Witnesses see that the ledger only grows; auditors have replayed it too. The policy
names them, how many must sign, and what is done if they do not. docs/witnesses.md
says how to find or run some.`,
	}
	cmd.AddCommand(policySetCommand(), policyShowCommand())
	return cmd
}

func policySetCommand() *cobra.Command {
	var f dataFlags
	var missing, refresh string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "set FILE", Short: "Put a policy in force, from a file (- is stdin)", Args: cobra.ExactArgs(1),
		Long: `Reads a c2sp.org/tlog-policy, each witness line with its address:

    witness w1 KEY https://w1.example/
    witness a1 KEY https://a1.example/
    group witnesses all w1
    group auditors all a1
    group both all witnesses auditors
    quorum both

The log line may be left out. "quorum none" alone: nobody signs. The trust file
changes with the policy: give readers the new one, for those who pinned the one
before refuse reports that are written from now on.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readPolicy(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				kept, err := c.SetPolicy(ctx, ledger.Publication{Policy: text, Missing: missing, Refresh: refresh})
				if err != nil {
					return err
				}
				return showPolicy(cmd.OutOrStdout(), kept, asJSON)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().StringVar(&missing, "missing", ledger.MissingWait, "what is done while too few have signed: wait (nothing newer is published), publish (without them), stop (nothing is recorded either)")
	cmd.Flags().StringVar(&refresh, "refresh", "", "after how long an idle ledger is signed again; default 30m")
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

func readPolicy(path string, stdin io.Reader) (string, error) {
	if path != "-" {
		b, err := os.ReadFile(path)
		return string(b), err
	}
	b, err := io.ReadAll(stdin)
	return string(b), err
}

func policyShowCommand() *cobra.Command {
	var f dataFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show", Short: "Print the policy in force", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
				p, err := c.Policy(ctx)
				if err != nil {
					return err
				}
				return showPolicy(cmd.OutOrStdout(), p, asJSON)
			})
		},
	}
	f.registerWaiting(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// showPolicy prints what policy set reads again.
func showPolicy(out io.Writer, p ledger.Publication, asJSON bool) error {
	if asJSON {
		return printJSON(out, p)
	}
	refresh := p.Refresh
	if refresh == "" {
		refresh = "30m"
	}
	_, err := fmt.Fprintf(out, "# missing: %s; refresh: %s\n%s", p.Missing, refresh, p.Policy)
	return err
}
