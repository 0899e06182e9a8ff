package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/internal/rows"
)

func importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import shares from CSV or JSON Lines, or recipients from a vendor list",
	}
	cmd.AddCommand(importCSVCommand(), importJSONLCommand(), importGVLCommand(), importFieldsCommand())
	return cmd
}

// importFlags are those of every import of shares.
type importFlags struct {
	dataFlags
	dryRun, asJSON bool
	rejects, wait  string
	batch          int
}

func (f *importFlags) register(cmd *cobra.Command) {
	f.dataFlags.registerWaiting(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check every row, store nothing")
	cmd.Flags().StringVar(&f.rejects, "rejects", "", "`file` for the rows that are refused, .csv or .jsonl; default FILE.rejects.csv")
	cmd.Flags().StringVar(&f.wait, "wait", "accepted", "what to wait for: accepted or published")
	cmd.Flags().IntVar(&f.batch, "batch", 500, "rows a request, 1 to 1000")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
}

const rerunHelp = `
Rows are sent with idempotency keys, so the same import can be run again after
an interruption: what is recorded already is counted and not recorded twice. The
keys come from the file's digest and the row's line, or from a column that names
each row. Without such a column an edited file is another file: to import
corrected rows, put them into a file of their own.

A row that is refused is named in the rejects file with its field, the rule and
what to do; it takes no other row with it. Exits with 1 if a row was refused.`

func importJSONLCommand() *cobra.Command {
	var f importFlags
	var key string
	cmd := &cobra.Command{
		Use:   "jsonl FILE",
		Short: "Import shares from JSON Lines",
		Long:  "Imports shares from a file with one JSON document a line, each as POST /v1/disclosures takes it.\n" + rerunHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0], func(r io.Reader) iter.Seq2[rows.Row, error] { return rows.JSONL(r, key, api.CheckJSON) })
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&key, "key", "", "`member` of each row that identifies it; it is taken off the share")
	return cmd
}

func importCSVCommand() *cobra.Command {
	var f importFlags
	var path string
	var columns, constants []string
	var given rows.Mapping
	cmd := &cobra.Command{
		Use:   "csv FILE",
		Short: "Import shares from CSV, with a mapping of its columns",
		Long: `Imports shares from a CSV file whose first row names its columns. A column means
the field it is named after, or the one the mapping names; "import fields" lists
them. docs/import.md describes the mapping file.
` + rerunHelp,
		Example: `  sharetrail import csv shares.csv --dry-run \
    --map Vendor=recipient.legal_name --set promise.statement=privacy-statement/2017-01`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := mapping(path, given, columns, constants)
			if err != nil {
				return err
			}
			return f.run(cmd, args[0], func(r io.Reader) iter.Seq2[rows.Row, error] { return rows.CSV(r, m) })
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&path, "mapping", "", "mapping `file`, JSON")
	cmd.Flags().StringArrayVar(&columns, "map", nil, "`COLUMN=FIELD`; repeat for several")
	cmd.Flags().StringArrayVar(&constants, "set", nil, "`FIELD=VALUE` for every row; repeat for several")
	cmd.Flags().StringArrayVar(&given.Ignore, "ignore", nil, "`column` to leave out; repeat for several")
	cmd.Flags().StringVar(&given.Key, "key", "", "`column` that identifies each row, for ever")
	cmd.Flags().StringVar(&given.Delimiter, "delimiter", "", "of columns; default a comma")
	return cmd
}

// mapping is the file's with the flags on top.
func mapping(path string, given rows.Mapping, columns, constants []string) (*rows.Mapping, error) {
	m := &rows.Mapping{}
	if path != "" {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading the mapping: %w", err)
		}
		if m, err = rows.ParseMapping(b); err != nil {
			return nil, err
		}
	}
	for flag, pairs := range map[string]struct {
		given []string
		to    *map[string]string
	}{"--map": {columns, &m.Columns}, "--set": {constants, &m.Constants}} {
		for _, pair := range pairs.given {
			i := strings.LastIndex(pair, "=")
			if flag == "--set" {
				i = strings.Index(pair, "=")
			}
			if i < 1 {
				return nil, fmt.Errorf("%s: %q has no = in it; see --help", flag, pair)
			}
			if *pairs.to == nil {
				*pairs.to = map[string]string{}
			}
			(*pairs.to)[pair[:i]] = pair[i+1:]
		}
	}
	m.Ignore = append(m.Ignore, given.Ignore...)
	if given.Key != "" {
		m.Key = given.Key
	}
	if given.Delimiter != "" {
		m.Delimiter = given.Delimiter
	}
	return m, nil
}

func importFieldsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "fields", Short: "List the fields that a CSV column can fill", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows.Fields())
			}
			for _, f := range rows.Fields() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-26s %s\n", f.Path, f.Doc)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "answer in JSON")
	return cmd
}

// run imports one file.
func (f *importFlags) run(cmd *cobra.Command, path string, read func(io.Reader) iter.Seq2[rows.Row, error]) error {
	if f.batch < 1 || f.batch > 1000 {
		return errors.New("--batch: must be 1 to 1000")
	}
	if f.rejects == "" {
		f.rejects = path + ".rejects.csv"
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("importing: %w", err)
	}
	defer file.Close()
	digest, lines, err := digestOf(file)
	if err != nil {
		return err
	}
	im := &importer{
		digest: digest, batch: f.batch, wait: f.wait, dryRun: f.dryRun, keys: map[string]int{},
		rejects: &rejects{path: f.rejects}, result: Imported{File: path, DryRun: f.dryRun},
		bar: newBar(lines, "importing", "rows"),
	}
	err = f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
		im.client = c
		return im.importAll(ctx, read(file))
	})
	im.bar.Finish()
	if err = errors.Join(err, im.rejects.close()); err != nil {
		if im.result.Rows > 0 {
			err = fmt.Errorf("%w\n%s\nRun the same command again: nothing is recorded twice", err, im.result)
		}
		return err
	}
	return im.tell(cmd.OutOrStdout(), f.asJSON)
}

func (im *importer) tell(out io.Writer, asJSON bool) error {
	if im.result.Refused > 0 {
		im.result.Rejects = im.rejects.path
	}
	if asJSON {
		b, err := json.MarshalIndent(im.result, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(out, string(b))
	} else {
		fmt.Fprintln(out, im.result)
	}
	if im.result.Refused > 0 {
		return errNo
	}
	return nil
}
