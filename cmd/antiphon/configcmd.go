package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
)

func runConfig(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("antiphon config", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("config", "antiphon.toml", "the configuration `file`; the default one may be missing")
	defaults := flags.Bool("defaults", false, "print the defaults, as a file to begin with")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage
	}
	environ := os.LookupEnv
	if *defaults {
		*path, environ = os.DevNull, func(string) (string, bool) { return "", false }
	}
	c, err := loadConfig(*path, *path == "antiphon.toml", environ)
	if err != nil {
		return err
	}
	return c.print(stdout)
}
