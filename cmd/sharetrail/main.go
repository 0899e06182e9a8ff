// Command sharetrail runs a data-sharing audit ledger: it records each share of
// personal data as an immutable event, logs it verifiably, and writes reports
// that a person can check offline.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes: 0 yes, 1 no, 2 usage or input and output.
const (
	exitNo    = 1
	exitUsage = 2
)

// errNo is returned by a command whose answer is no; it has said why.
var errNo = errors.New("no")

func main() {
	limitMemory()
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return exitNo
	}
	fmt.Fprintln(os.Stderr, "sharetrail: error:", err)
	return exitUsage
}

// rootCommand is the tree of all verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "sharetrail",
		Short:         "A ledger of with whom and why personal data was shared, that anyone can verify",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		demoCommand(), initCommand(), serveCommand(), statusCommand(),
		recordCommand(), amendCommand(), retractCommand(), reattributeCommand(), disputeCommand(), acknowledgeCommand(),
		eraseCommand(), rotateCommand(), aliasCommand(),
		consentCommand(), statementCommand(), importCommand(), recipientCommand(), registerCommand(), listCommand(), reportCommand(), receiptCommand(), trustCommand(),
		actorCommand(), sealCommand(), holdCommand(), policyCommand(), viewsCommand(), closeCommand(), fsckCommand(), generateCommand(), benchCommand(),
	)
	return root
}
