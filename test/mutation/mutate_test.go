package mutation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
)

// mutation is a valid document made wrong in one place.
type mutation struct {
	kind, what string
	document   document
	content    map[string]any
}

// mutators make one kind of mistake each, or return false if the place that
// they drew does not allow it. What they make is certainly wrong; how that is
// decided without the schemas is said at each.
var mutators = map[string]func(*rand.Rand, document, known) (mutation, bool){
	"misspelt key":  misspell,
	"misplaced key": misplace,
	"wrong type":    mistype,
	"wrong unit":    misunit,
}

// known lists the keys that the documents, which hold every key of the charts'
// defaults, have at a pattern of places.
type known map[string]bool

func knownKeys(documents []document) known {
	out := known{}
	for _, d := range documents {
		for _, at := range places(d.content, nil) {
			out[strings.Join(at.steps(), "/")] = true
		}
	}
	return out
}

func (k known) at(mapping place, key string) bool {
	return k[strings.Join(append(slices.Clone(mapping), key).steps(), "/")]
}

// misspell changes one letter of a key. It is wrong unless the mapping's keys
// are free, or the result is a key that is known there.
func misspell(rng *rand.Rand, d document, keys known) (mutation, bool) {
	at, ok := draw(rng, d, func(at place) bool {
		_, isKey := at[len(at)-1].(string)
		return isKey && d.ours(at) && !d.freeAt(at.parent())
	})
	if !ok {
		return mutation{}, false
	}
	key := at.key()
	wrong := typo(rng, key)
	if wrong == key || wrong == "" || keys.at(at.parent(), wrong) {
		return mutation{}, false
	}
	content := copied(d.content).(map[string]any)
	value := get(content, at)
	remove(content, at)
	put(content, append(slices.Clone(at.parent()), wrong), value)
	return mutation{what: fmt.Sprintf("%s -> %s", at, wrong), document: d, content: content}, true
}

// typo drops, doubles, swaps or replaces a letter, or changes its case.
func typo(rng *rand.Rand, word string) string {
	letters := []rune(word)
	i := rng.IntN(len(letters))
	switch rng.IntN(5) {
	case 0:
		return string(slices.Delete(letters, i, i+1))
	case 1:
		return string(slices.Insert(letters, i, letters[i]))
	case 2:
		j := (i + 1) % len(letters)
		letters[i], letters[j] = letters[j], letters[i]
	case 3:
		letters[i] = rune('a' + rng.IntN(26))
	case 4:
		if unicode.IsUpper(letters[i]) {
			letters[i] = unicode.ToLower(letters[i])
		} else {
			letters[i] = unicode.ToUpper(letters[i])
		}
	}
	return string(letters)
}

// misplace moves a key a level up, into a neighbour, or under another chart. It
// is wrong unless the key is known where it gets to, or keys are free or a
// third-party chart's there.
func misplace(rng *rand.Rand, d document, keys known) (mutation, bool) {
	at, ok := draw(rng, d, func(at place) bool {
		_, isKey := at[len(at)-1].(string)
		return isKey && len(at) > 1 && d.ours(at) && !d.freeAt(at.parent())
	})
	if !ok {
		return mutation{}, false
	}
	var targets []place
	if up := at.parent(); len(up) > 0 {
		for up = up.parent(); len(up) > 0 && !isMapping(get(d.content, up)); {
			up = up.parent()
		}
		targets = append(targets, up)
	}
	siblings, _ := get(d.content, at.parent()).(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(siblings)) {
		if down := append(slices.Clone(at.parent()), name); name != at.key() && isMapping(siblings[name]) {
			targets = append(targets, down)
		}
	}
	if at[0] == "platform" && len(at) <= 3 {
		targets = append(targets, place{"crds"})
	}
	target := targets[rng.IntN(len(targets))]
	moved := append(slices.Clone(target), at.key())
	if keys.at(target, at.key()) || d.freeAt(target) || !d.ours(moved) {
		return mutation{}, false
	}
	content := copied(d.content).(map[string]any)
	value := get(content, at)
	remove(content, at)
	if len(target) == 1 && content[target.key()] == nil {
		content[target.key()] = map[string]any{}
	}
	put(content, moved, value)
	return mutation{what: fmt.Sprintf("%s -> %s", at, moved), document: d, content: content}, true
}

// eitherWay are keys whose values may be numbers or texts.
var eitherWay = []string{"cpu", "memory", "ephemeral-storage", "size", "targetPort", "maxUnavailable", "maxSurge"}

// mistype puts a value of another type. A number that may be a text, a pull
// secret that may be its name, and `auto`, beside which true is fine, are left.
func mistype(rng *rand.Rand, d document, _ known) (mutation, bool) {
	at, ok := draw(rng, d, d.ours)
	if !ok {
		return mutation{}, false
	}
	either := slices.Contains(eitherWay, at.key())
	var wrong []any
	switch value := get(d.content, at).(type) {
	case bool:
		wrong = []any{"maybe", fmt.Sprint(value), 1.0, []any{value}, map[string]any{"value": value}}
	case float64:
		wrong = []any{true, []any{value}, map[string]any{"value": value}}
		if !either {
			wrong = append(wrong, "many", fmt.Sprint(value), 1.5)
		}
	case string:
		wrong = []any{[]any{value}, map[string]any{"value": value}}
		if !either {
			wrong = append(wrong, 5.0)
		}
		if value != "auto" {
			wrong = append(wrong, true)
		}
	case map[string]any:
		wrong = []any{3.0, true, []any{"text"}}
		if at.key() != "imagePullSecrets" {
			wrong = append(wrong, "text")
		}
	case []any:
		wrong = []any{3.0, "text", map[string]any{"key": "text"}}
	default:
		return mutation{}, false
	}
	return replaced(d, at, wrong[rng.IntN(len(wrong))]), true
}

// units lists, by what a value measures, the keys that hold it and how people
// get its unit wrong.
var units = []struct {
	keys  []string
	wrong []any
}{
	{[]string{"memory", "size", "ephemeral-storage"}, []any{"4GB", "4gb", "4 Gi", "4GiB", "512mb", "512", 512.0, "512m", "4G i", "lots", "-1Gi"}},
	{[]string{"cpu"}, []any{"500mcpu", "50%", "1Gi", "two", "500 m", "500Mi", "-1"}},
	{[]string{"duration", "renewBefore", "renewInterval"}, []any{30.0, "30", "30sec", "30 s", "1d", "30S", "1y", "-30s", "half an hour"}},
	{[]string{"certificateValidity"}, []any{"365d", "8760h", "1y", 0.0, -1.0, 0.5, 31536000.0}},
	{[]string{"timeoutSeconds"}, []any{"10s", 10000.0, 0.0, -5.0, 2.5, "10"}},
	{[]string{"timeout"}, []any{"6h", "3600s", 0.0, -1.0, 0.5}},
	{[]string{"tolerationSeconds"}, []any{"60s", "1m", 0.5}},
	{[]string{"ghostLimit"}, []any{"512M", "512Mi", 0.0, -1.0, 1e12}},
	{[]string{"port"}, []any{84430.0, 0.0, -1.0, "8443/tcp", ":8443", 84.43}},
	{[]string{"nodePort"}, []any{304430.0, -1.0, "30443/tcp"}},
	{[]string{"listenAddr"}, []any{"8080", 8080.0, ":80800", "localhost:8080", ":http", ":0"}},
	{[]string{"weight"}, []any{0.0, 101.0, "50%", 0.5}},
	{[]string{"maxUnavailable"}, []any{"25 %", "25percent", 0.25, -1.0, "%"}},
	{[]string{"modelExpressURL", "prometheusEndpoint"}, []any{"models.example.com:8001", "htp://models", "http:/models", "http://", "http://models:port", "ftp://models"}},
	{[]string{"natsAddr"}, []any{"nats.messaging:4222", "http://nats:4222", "nats:/nats:4222", "nats://nats:port", "nats://"}},
	{[]string{"etcdAddr"}, []any{"etcd.data", "nats://etcd:2379", "http://etcd", "http://etcd:port", "etcd.data:2379/path"}},
	{[]string{"imageRegistry", "registry"}, []any{"https://registry.example.com", "registry.example.com:port", "registry example", "oci://registry.example.com"}},
	{[]string{"digest"}, []any{"sha256:abc", "abc", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:" + strings.Repeat("Z", 64)}},
	{[]string{"cidr"}, []any{"10.0.0.0", "10.0.0.0/33", "10.0.0/8", "10.0.0.0-10.0.0.9", "anywhere"}},
}

// misunit writes a quantity, a duration, a port, a number of days or an address
// in a unit or a form that it has not.
func misunit(rng *rand.Rand, d document, _ known) (mutation, bool) {
	wrongAt := func(at place) []any {
		for _, unit := range units {
			if slices.Contains(unit.keys, at.key()) && !isMapping(get(d.content, at)) {
				return unit.wrong
			}
		}
		return nil
	}
	at, ok := draw(rng, d, func(at place) bool { return d.ours(at) && len(wrongAt(at)) > 0 })
	if !ok {
		return mutation{}, false
	}
	wrong := wrongAt(at)
	return replaced(d, at, wrong[rng.IntN(len(wrong))]), true
}

func replaced(d document, at place, value any) mutation {
	content := copied(d.content).(map[string]any)
	put(content, at, value)
	return mutation{what: fmt.Sprintf("%s: %v -> %v (%[3]T)", at, get(d.content, at), value), document: d, content: content}
}

// draw chooses one of the places that suit.
func draw(rng *rand.Rand, d document, suits func(place) bool) (place, bool) {
	found := slices.DeleteFunc(places(d.content, nil), func(at place) bool { return !suits(at) })
	if len(found) == 0 {
		return nil, false
	}
	return found[rng.IntN(len(found))], true
}
