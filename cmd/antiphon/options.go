package main

import (
	"errors"
	"flag"
	"io"
	"os"
)

// errHelp ends the program with status 0: --help was asked for, and has been told.
var errHelp = errors.New("help")

// options is a command's flag set; it tells of itself on stderr.
func options(command string, stderr io.Writer) *flag.FlagSet {
	set := flag.NewFlagSet("antiphon "+command, flag.ContinueOnError)
	set.SetOutput(stderr)
	return set
}

// parse reads a command's flags; the set has said what is wrong with them.
func parse(set *flag.FlagSet, args []string) error {
	switch err := set.Parse(args); {
	case err == nil:
		return nil
	case errors.Is(err, flag.ErrHelp):
		return errHelp
	default:
		return errUsage
	}
}

// withConfig adds --config to a set; after parse, the function that it returns reads the configuration.
func withConfig(set *flag.FlagSet) func() (*config, error) {
	const usual = "antiphon.toml"
	path := set.String("config", usual, "the configuration `file`; the default one may be missing")
	return func() (*config, error) { return loadConfig(*path, *path == usual, os.LookupEnv) }
}
