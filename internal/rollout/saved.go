package rollout

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// SavedPlanVersion marks the format of saved plans.
const SavedPlanVersion = "wheelhouse.dev/plan.v2"

// SavedPlan is a plan as it is kept in a file. It has no values: whoever
// executes it reads the fleet again, plans again with the same options, and goes
// on only if the outcome is the very same.
type SavedPlan struct {
	Version string    `json:"version"`
	Created time.Time `json:"created"`
	// Program is the version of the program that made it.
	Program string `json:"program"`
	// Cluster is the address of the API server that it is for.
	Cluster string `json:"cluster"`
	// Context is that cluster's, where the fleet file names clusters.
	Context string `json:"context,omitempty"`
	// File is the fleet file, as an absolute path.
	File    string      `json:"file"`
	Options PlanOptions `json:"options"`
	// Seen identifies everything that the plan was decided from and decides: what
	// differs at execution is named by its key.
	Seen map[string]string `json:"seen"`
	// Plan is for people to read. Secrets in it are masked.
	Plan *Plan `json:"plan"`
	// Sum is over everything else, so that what was read is what is executed.
	Sum string `json:"sum"`
}

// Encode writes the plan as ReadPlan reads it.
func (s *SavedPlan) Encode() ([]byte, error) {
	signed := *s
	signed.Sum = ""
	data, err := json.Marshal(signed)
	if err != nil {
		return nil, err
	}
	if signed.Sum, err = sumOf(data); err != nil {
		return nil, err
	}
	return json.MarshalIndent(signed, "", "  ")
}

// sumOf is the same however the file is laid out.
func sumOf(data []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	content := map[string]any{}
	if err := decoder.Decode(&content); err != nil {
		return "", err
	}
	delete(content, "sum")
	plain, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:]), nil
}

// PlanOptions are the options of a plan that its execution repeats.
type PlanOptions struct {
	// Fields says what to do about fields that others own.
	Fields Fields `json:"fields"`
	// Namespaces leaves all others for another run; nil: none.
	Namespaces []string `json:"namespaces,omitempty"`
	// Wave leaves the waves after it for another run; empty: none.
	Wave string `json:"wave,omitempty"`
	// NoWait says that nothing is waited for.
	NoWait bool `json:"noWait,omitempty"`
	// Drift also compares releases whose digests say that nothing changed.
	Drift bool `json:"drift,omitempty"`
	// AcceptBreakage consents to breaking live objects by changing their CRDs.
	AcceptBreakage bool `json:"acceptBreakage,omitempty"`
	// Prune removes releases of the fleet that the file no longer names.
	Prune bool `json:"prune,omitempty"`
	// KeepGoing leaves out releases that cannot go, and does the rest.
	KeepGoing bool `json:"keepGoing,omitempty"`
}

// Apply is the command that carries the plan out.
func (p *Plan) Apply() string {
	command := "wheelhouse apply"
	for _, flag := range []struct {
		given bool
		text  string
	}{
		{p.options.Drift, " --drift"},
		{p.options.Prune, " --prune"},
		{p.options.NoWait, " --no-wait"},
		{p.options.Wave != "", " --wave " + p.options.Wave},
		{p.options.AcceptBreakage, " --accept-crd-breakage"},
		{p.options.Fields.Force, " --force-conflicts"},
		{p.options.KeepGoing, " --keep-going"},
	} {
		if flag.given {
			command += flag.text
		}
	}
	for _, namespace := range p.options.Namespaces {
		command += " -n " + namespace
	}
	for _, object := range p.Replaced() {
		command += " --recreate " + object
	}
	for _, crd := range p.Moves() {
		command += " --migrate-storage " + crd
	}
	for _, ref := range p.options.Fields.Take {
		command += " --take-field '" + ref.String() + "'"
	}
	return command
}

// SavePlan makes a plan ready to be kept. A plan that cannot be carried out is
// not worth keeping: the error says why.
func SavePlan(plan *Plan, options PlanOptions, file, cluster, program string) (*SavedPlan, error) {
	if err := plan.Blocked(); err != nil {
		return nil, err
	}
	return &SavedPlan{
		Version: SavedPlanVersion, Created: time.Now().UTC(), Program: program, Cluster: cluster, File: file,
		Options: options,
		Seen:    plan.seen(), Plan: plan,
	}, nil
}

// ReadPlan reads a saved plan.
func ReadPlan(data []byte) (*SavedPlan, error) {
	var head struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("it is not a saved plan: %w", err)
	}
	if head.Version != SavedPlanVersion {
		return nil, fmt.Errorf("its version is %q, this program reads %s; make a new plan", head.Version, SavedPlanVersion)
	}
	saved := &SavedPlan{}
	if err := json.Unmarshal(data, saved); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if sum, err := sumOf(data); err != nil || sum != saved.Sum {
		return nil, errors.New("the file was edited after the plan was saved; make a new plan")
	}
	return saved, nil
}

// Check refuses a plan that is not the saved one, naming what differs.
func (s *SavedPlan) Check(plan *Plan) error {
	now := plan.seen()
	keys := maps.Clone(now)
	maps.Copy(keys, s.Seen)
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		then, planned := s.Seen[key]
		current, still := now[key]
		switch {
		case planned && !still:
			changed = append(changed, "  "+key+": no longer part of the plan")
		case !planned:
			changed = append(changed, "  "+key+": not part of the saved plan")
		case then != current:
			changed = append(changed, fmt.Sprintf("  %s: was %s, is %s", key, then, current))
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return errors.New("nothing was written: the saved plan no longer holds, since this has changed:\n" +
		strings.Join(shortened(changed), "\n") + "\nMake a new plan.")
}

// seen identifies what a plan was decided from and what it does.
func (p *Plan) seen() map[string]string {
	out := map[string]string{"fleet": p.Fleet}
	for _, step := range p.Steps {
		out["step "+step.ID] = strings.TrimSpace(string(step.Action) + " " + strings.Join(step.Needs, ", "))
		for _, change := range step.Changes {
			out["object "+change.String()] = string(change.Action) + " " + change.Digest
		}
		if step.Kind != StepRelease {
			continue
		}
		out["record of "+step.ID] = fmt.Sprintf("revision %d %s", step.last.Revision, step.last.Status)
		if step.target.Rendered != nil {
			out["chart of "+step.ID] = step.target.Digest.Chart
			out["values of "+step.ID] = step.target.Digest.Values
		}
		if step.target.Rendered != nil && step.Action.Changes() {
			out["objects of "+step.ID] = objectsDigest(step.target)
		}
	}
	for _, row := range append(p.Adoptions(), p.Foreign()...) {
		out["owner of "+row.Object()] = string(row.Standing) + " " + row.Owner
	}
	return out
}

// objectsDigest lets nobody test guesses of what was encrypted: what a Secret
// holds then follows from the digests of the chart and the values.
func objectsDigest(t Target) string {
	shown, err := t.Shown()
	if err != nil {
		return err.Error()
	}
	return digestOf(shown.Steady())
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:12])
}
