package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Provenance prints where values come from and what they overrode.
func Provenance(w io.Writer, key fleet.Key, leaves []fleet.Explained) error {
	if _, err := fmt.Fprintf(w, "# Release: %s\n", key); err != nil {
		return err
	}
	for _, leaf := range leaves {
		if _, err := fmt.Fprintf(w, "%s: %s\n    set by %s\n", leaf.Path, compact(leaf.Value), place(leaf.Origin)); err != nil {
			return err
		}
		for _, lost := range leaf.Overrode {
			if _, err := fmt.Fprintf(w, "    over %s by %s\n", compact(lost.Value), place(lost.Origin)); err != nil {
				return err
			}
		}
	}
	return nil
}

func place(o fleet.Origin) string {
	at := o.String()
	if o.Layer == "" || at == string(o.Layer) {
		return at
	}
	return fmt.Sprintf("%s (%s)", at, o.Layer)
}

func compact(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
