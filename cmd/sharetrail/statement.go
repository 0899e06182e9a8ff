package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
)

func statementCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "statement", Short: "Publish what the controller binds itself to, by its digest"}
	cmd.AddCommand(
		documentListCommand(),
		documentCommand("publish", "statements", "Publish a version of the privacy statement"),
		documentCommand("taxonomy", "taxonomies", "Release a taxonomy of reasons and product areas"),
		documentCommand("profile", "profiles", "Release a regime profile"),
	)
	return cmd
}

func documentCommand(verb, collection, short string) *cobra.Command {
	var f postFlags
	var d events.Document
	cmd := &cobra.Command{
		Use:   verb + " FILE --version NAME --effective DAY",
		Short: short,
		Long: short + `. The file itself stays where it is: its digest, length and version are recorded, in the
controller's own register, whose completeness can be proven like that of a person's
report.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := digest(args[0], &d); err != nil {
				return err
			}
			d.Effective = instant(d.Effective)
			return f.post(cmd, "/v1/"+collection, events.StatementPublished{Document: d})
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&d.Version, "version", "", "name of the version, as shares name it, such as privacy-statement/2017-01")
	cmd.Flags().StringVar(&d.Effective, "effective", "", "from when it is in force, a day or a time")
	cmd.Flags().StringVar(&d.MediaType, "media-type", "", "such as text/plain; guessed from the file's name")
	cmd.Flags().StringVar(&d.Language, "language", "", "BCP 47 tag, such as en or pt-BR")
	cmd.Flags().StringVar(&d.Title, "title", "", "its title")
	cmd.Flags().StringVar(&d.URL, "url", "", "where the public finds it")
	cmd.MarkFlagRequired("version")
	cmd.MarkFlagRequired("effective")
	return cmd
}

// digest reads a file to say what it is.
func digest(path string, d *events.Document) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	defer file.Close()
	h := sha256.New()
	n, err := io.Copy(h, file)
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	d.SHA256, d.Size = hex.EncodeToString(h.Sum(nil)), uint64(n)
	if d.MediaType == "" {
		if d.MediaType, _, err = mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(path))); err != nil {
			return &events.FieldError{Field: "--media-type", Rule: "cannot be guessed from the file's name", Next: "name it, such as text/plain"}
		}
	}
	return nil
}
