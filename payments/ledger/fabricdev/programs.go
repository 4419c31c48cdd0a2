package fabricdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Version is the release of Fabric that tools/fabric pins.
const Version = "v3.1.1"

// ErrNotBuilt means that a program of Fabric is missing.
var ErrNotBuilt = errors.New("the programs of Hyperledger Fabric are not built")

// programs are what a network needs of Fabric.
var programs = []string{"configtxgen", "cryptogen", "orderer", "osnadmin", "peer"}

// Programs returns the absolute path of the folder that holds Fabric's five programs: dir, or when it is empty the
// place where .ci/fabric leaves them, in the working folder or above it. ErrNotBuilt says what to run.
func Programs(dir string) (string, error) {
	places := []string{dir}
	if dir == "" {
		here, err := os.Getwd()
		if err != nil {
			return "", err
		}
		places = nil
		for up := ""; up != here; here, up = filepath.Dir(here), here {
			places = append(places, filepath.Join(here, ".cache", "fabric-"+Version))
		}
	}
	missing := programs[0]
	for _, place := range places {
		if missing = missingIn(place); missing == "" {
			return filepath.Abs(place)
		}
	}
	if dir == "" {
		return "", fmt.Errorf("%w: run .ci/fabric in Antiphon's source, which takes minutes once", ErrNotBuilt)
	}
	return "", fmt.Errorf("%w: %s has no %s; run .ci/fabric in Antiphon's source, which prints the folder that has", ErrNotBuilt, dir, missing)
}

// missingIn is the first program that a folder does not have; empty when it has all.
func missingIn(dir string) string {
	for _, name := range programs {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return name
		}
	}
	return ""
}
