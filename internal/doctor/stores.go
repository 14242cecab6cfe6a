package doctor

import (
	"fmt"
	"strings"
)

var natsWithoutStorage = Check{
	ID:   "nats-without-storage",
	Says: "NATS keeps its streams in files, and has no volume for them: they are gone with its pod",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			if !w.isStore(natsName) || w.storage || len(claimsOf(&w.template.Spec)) > 0 {
				continue
			}
			for _, config := range s.Configs {
				if config.Namespace != w.Namespace || !keepsFiles(config.Data["nats.conf"]) {
					continue
				}
				out = append(out, Finding{
					At: w.Place, Seen: fmt.Sprintf("ConfigMap %s turns JetStream's file store on, and the StatefulSet has no claim", config.Name),
					Next: kubectl(w.Namespace, "get", "statefulset", w.Name, "-o", "yaml"),
				})
				break
			}
		}
		return out
	},
}

// keepsFiles reads from a configuration of NATS whether streams are kept in files.
func keepsFiles(config string) bool {
	return strings.Contains(config, "jetstream") && (strings.Contains(config, "store_dir") || strings.Contains(config, "max_file_store"))
}

// lostQuorum reports whether a store has lost the majority that it needs to answer.
func (w workload) lostQuorum() bool {
	store := w.isStore(etcdName) || w.isStore(natsName) && w.wanted > 1
	return store && w.wanted > 0 && w.ready < w.wanted/2+1
}

var quorumLost = Check{
	ID:      "quorum-lost",
	Follows: true,
	Says:    "too few members are ready to agree on anything, so nothing can be written",
	Find: func(s *Snapshot) (out []Finding) {
		for _, w := range s.workloads() {
			if !w.lostQuorum() {
				continue
			}
			f := Finding{
				At: w.Place, Says: fmt.Sprintf("%s has too few ready members to agree on anything, so nothing can be written", w.what()),
				Seen: fmt.Sprintf("%d of %d ready, and it needs %d", w.ready, w.wanted, w.wanted/2+1), Next: w.describe(), breaks: s.behind(w),
			}
			if w.refused != "" {
				f.Seen += "; " + w.refused
			}
			out = append(out, f)
		}
		return out
	},
}
