// Package configfile reads the configuration files of our programs: YAML, in
// which an unknown or repeated key is an error.
package configfile

import (
	"errors"
	"fmt"
	"os"

	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Load reads the file at path and parses it. Errors call it what, and name path.
func Load[T any](what, path string, parse func([]byte) (*T, error)) (*T, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the %s: %w", what, err)
	}
	cfg, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	return cfg, nil
}

// Decode reads data over what is in into. It refuses unknown and repeated keys
// and names their full path.
func Decode(data []byte, into any) error {
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return err
	}
	mistakes, err := json.UnmarshalStrict(asJSON, into)
	return errors.Join(append(mistakes, err)...)
}
