package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// story tells the steps of the demo, one line each, for people or as JSON.
type story struct {
	out   io.Writer
	json  bool
	begun time.Time
}

// step is one line of the story.
type step struct {
	Step  string         `json:"step"`
	OK    bool           `json:"ok"`
	MS    int64          `json:"ms"`
	Error string         `json:"error,omitempty"`
	Made  map[string]any `json:"made,omitempty"`
}

// stepError is a step that failed; the story has told it already.
type stepError struct {
	name string
	err  error
}

func (e *stepError) Error() string { return e.name + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// tell runs one step and tells how it went. What it made is told with it.
func (s *story) tell(name string, run func(made map[string]any) error) error {
	begin, made := time.Now(), map[string]any{}
	err := run(made)
	took := time.Since(begin)
	if s.json {
		line := step{Step: name, OK: err == nil, MS: took.Milliseconds(), Made: made}
		if err != nil {
			line.Error = err.Error()
		}
		if e := json.NewEncoder(s.out).Encode(line); e != nil {
			return e
		}
	} else {
		s.print(name, took, made, err)
	}
	if err != nil {
		return &stepError{name, err}
	}
	return nil
}

func (s *story) print(name string, took time.Duration, made map[string]any, err error) {
	mark := "ok"
	if err != nil {
		mark = "FAILED"
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(made)) {
		parts = append(parts, fmt.Sprintf("%s %v", key, made[key]))
	}
	fmt.Fprintf(s.out, "%8.2fs  %-6s  %-42s %s\n", took.Seconds(), mark, name, strings.Join(parts, ", "))
	if err != nil {
		fmt.Fprintf(s.out, "                    %v\n", err)
	}
}
