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
	if *defaults {
		c, err := defaultConfig()
		if err != nil {
			return err
		}
		return c.print(stdout)
	}
	c, err := loadConfig(*path, *path == "antiphon.toml", os.LookupEnv)
	if err != nil {
		return err
	}
	return c.print(stdout)
}
