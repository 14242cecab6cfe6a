package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/plugins"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/requestcontrol"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/scheduling/framework"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/scheduling/types"
)

// The profiles of a graph whose workers share a request, and the headers by which
// the frontend beside the chosen worker learns of the choice.
const (
	prefillProfile = "prefill"
	decodeProfile  = "decode"
	decodeHeader   = "x-worker-instance-id"
	prefillHeader  = "x-prefill-instance-id"
)

var (
	_ framework.ProfileHandler  = &profiles{}
	_ requestcontrol.PreRequest = &profiles{}
	_ framework.Filter          = &labelFilter{}
)

// profiles runs every profile; the request goes where that of decode says, and
// without one of prefill nobody prefills apart.
type profiles struct{ name plugins.TypedName }

func newProfiles(name string, _ json.RawMessage, _ plugins.Handle) (plugins.Plugin, error) {
	return &profiles{plugins.TypedName{Type: "disagg-profile-handler", Name: name}}, nil
}

func (p *profiles) TypedName() plugins.TypedName { return p.name }

// Pick implements framework.ProfileHandler.
func (p *profiles) Pick(_ context.Context, _ *types.CycleState, _ *types.LLMRequest, all map[string]*framework.SchedulerProfile, done map[string]*types.ProfileRunResult) map[string]*framework.SchedulerProfile {
	if len(done) == len(all) {
		return nil
	}
	return all
}

// ProcessResults implements framework.ProfileHandler.
func (p *profiles) ProcessResults(_ context.Context, _ *types.CycleState, _ *types.LLMRequest, results map[string]*types.ProfileRunResult) (*types.SchedulingResult, error) {
	if results[decodeProfile] == nil {
		return nil, errors.New("profile " + decodeProfile + " found no endpoint")
	}
	return &types.SchedulingResult{ProfileResults: results, PrimaryProfileName: decodeProfile}, nil
}

// PreRequest implements requestcontrol.PreRequest.
func (p *profiles) PreRequest(_ context.Context, request *types.LLMRequest, result *types.SchedulingResult) {
	for profile, header := range map[string]string{decodeProfile: decodeHeader, prefillProfile: prefillHeader} {
		if picked := result.ProfileResults[profile]; picked != nil && len(picked.TargetPods) > 0 {
			request.Headers[header] = instanceID(picked.TargetPods[0].GetPod().PodName)
		}
	}
}

// instanceID is that of the stand-in runtime's worker in a pod.
func instanceID(pod string) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(pod))
	return strconv.FormatUint(sum.Sum64()&(1<<53-1), 10)
}

// labelFilter keeps pods by the value of a label.
type labelFilter struct {
	name          plugins.TypedName
	Label         string   `json:"label"`
	ValidValues   []string `json:"validValues"`
	AllowsNoLabel bool     `json:"allowsNoLabel"`
}

func newLabelFilter(name string, parameters json.RawMessage, _ plugins.Handle) (plugins.Plugin, error) {
	f := &labelFilter{name: plugins.TypedName{Type: "label-filter", Name: name}}
	if err := json.Unmarshal(parameters, f); err != nil {
		return nil, fmt.Errorf("parameters of %s: %w", name, err)
	}
	return f, nil
}

func (f *labelFilter) TypedName() plugins.TypedName { return f.name }

// Filter implements framework.Filter.
func (f *labelFilter) Filter(_ context.Context, _ *types.CycleState, _ *types.LLMRequest, pods []types.Pod) []types.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod types.Pod) bool {
		value, labelled := pod.GetPod().Labels[f.Label]
		return labelled && !slices.Contains(f.ValidValues, value) || !labelled && !f.AllowsNoLabel
	})
}
