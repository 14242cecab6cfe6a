package config

import (
	"strings"
	"testing"
)

// TestWhatHasNoEffectIsSaid: where somebody has set it.
func TestWhatHasNoEffectIsSaid(t *testing.T) {
	if got := Default().Checkpoint.CRIU.Ignored(); got != nil {
		t.Errorf("nobody has set %q", got)
	}
	cfg, err := Parse([]byte(`{apiVersion: chrek.config.dynamo.nvidia.com/v1alpha1, kind: AgentConfiguration, checkpoint: {criu: {
  workDir: /elsewhere, libDir: "", shellJob: false, extMasters: false, manageCgroupsMode: soft, lazyPages: true, allowUprobes: false,
  ghostLimit: 1, timeout: 1, logLevel: 1, leaveRunning: false, tcpClose: false, tcpEstablished: true, fileLocks: false,
  orphanPtsMaster: false, extUnixSk: false, linkRemap: false, autoDedup: true, skipInFlight: false}}}`))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(cfg.Checkpoint.CRIU.Ignored(), "\n")
	for _, name := range []string{"workDir", "libDir", "shellJob", "extMasters", "manageCgroupsMode", "lazyPages", "allowUprobes"} {
		if !strings.Contains(got, "checkpoint.criu."+name+" has no effect: ") {
			t.Errorf("%s is not among\n%s", name, got)
		}
	}
	if strings.Count(got, "\n") != 6 {
		t.Errorf("more than the seven:\n%s", got)
	}
}
