package apply

import "reflect"

// replacedWhole are the lists that server-side apply replaces as one value, so
// that an item too many is a difference. Lists of other objects are merged by
// key: what somebody else adds to them is his.
var replacedWhole = map[string]bool{
	"rules": true, "subjects": true, "tolerations": true, "paths": true, "tls": true,
}

// contains reports whether live has every value of desired. What live has
// besides comes from the API server's defaults or from other owners.
func contains(live, desired map[string]any) bool {
	for key, want := range desired {
		if !valueContains(key, live[key], want) {
			return false
		}
	}
	return true
}

func valueContains(key string, live, want any) bool {
	if isEmpty(want) {
		return true // the API server may drop what is empty
	}
	switch want := want.(type) {
	case map[string]any:
		have, ok := live.(map[string]any)
		return ok && contains(have, want)
	case []any:
		have, ok := live.([]any)
		return ok && listContains(key, have, want)
	default:
		return reflect.DeepEqual(live, want)
	}
}

// listContains: scalars must be the same, objects must occur in live in the
// wanted order, with or without others between them.
func listContains(key string, live, want []any) bool {
	_, objects := want[0].(map[string]any)
	if (!objects || replacedWhole[key]) && len(live) != len(want) {
		return false
	}
	next := 0
	for _, item := range want {
		for next < len(live) && !valueContains(key, live[next], item) {
			if !objects {
				return false
			}
			next++
		}
		if next == len(live) {
			return false
		}
		next++
	}
	return true
}

func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}
