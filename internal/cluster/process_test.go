package cluster

import (
	"strings"
	"testing"
)

func TestOnlyProcessesOfThisMachineAreKnownDead(t *testing.T) {
	self := thisProcess()
	if self == "" || knownDead(self) {
		t.Fatalf("this process (%q) lives", self)
	}
	fields := strings.Fields(self)
	reused := strings.Join([]string{fields[0], fields[1], fields[2], "1"}, " ")
	if !knownDead(reused) {
		t.Error("a process number that was given again hides a dead process")
	}
	elsewhere := strings.Join([]string{"another-boot", fields[1], fields[2], "1"}, " ")
	if knownDead(elsewhere) || knownDead("") {
		t.Error("nothing is known about processes elsewhere")
	}
	gone := strings.Join([]string{fields[0], fields[1], "999999999", "1"}, " ")
	if !knownDead(gone) {
		t.Error("a process that does not exist is dead")
	}
}
