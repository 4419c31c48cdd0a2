package main

import (
	"context"
	"io"
)

func runConfig(_ context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("config", stderr)
	read := withConfig(set)
	defaults := set.Bool("defaults", false, "print the defaults, as a file to begin with")
	if err := parse(set, args); err != nil {
		return err
	}
	if *defaults {
		c, err := defaultConfig()
		if err != nil {
			return err
		}
		return c.print(stdout)
	}
	c, err := read()
	if err != nil {
		return err
	}
	return c.print(stdout)
}
