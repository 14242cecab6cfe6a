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
		if err := history(w, leaf); err != nil {
			return err
		}
	}
	return nil
}

func history(w io.Writer, leaf fleet.Explained) error {
	text, verb := compact(leaf.Value), "set"
	if leaf.Deleted {
		text, verb = "(none)", "deleted"
	}
	if _, err := fmt.Fprintf(w, "%s: %s\n    %s by %s\n", leaf.Path, text, verb, place(leaf.Origin)); err != nil {
		return err
	}
	for _, lost := range leaf.Overrode {
		text := compact(lost.Value)
		if lost.Path != "" {
			text = lost.Path + ": " + text
		}
		if _, err := fmt.Fprintf(w, "    over %s by %s\n", text, place(lost.Origin)); err != nil {
			return err
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
