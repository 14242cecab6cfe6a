package launch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Where the pods of a group that meet by SSH have their keys, under the published
// names, and what they make of them. The folder is their own, and in memory.
const (
	SSHKeys       = "/ssh-pk"
	SSHPrivateKey = "private.key"
	SSHPublicKey  = "private.key.pub"
	SSHFolder     = "/ssh-run"
	// SSHPort is where workers are reached.
	SSHPort = 2222
)

// llmapiLauncher is the image's own program that makes one engine of the ranks.
const llmapiLauncher = "trtllm-llmapi-launch"

// The key pair of the namespace is that of both sides, so that the leader knows
// its workers. ssh and sshd take keys that nobody else can read, and a Secret's
// volume may have others. An SSH session has nothing of the container's
// environment, so the worker's is kept.
const (
	sshClient = `(umask 077 && cat ` + SSHKeys + `/` + SSHPrivateKey + ` >` + SSHFolder + `/key` +
		` && { printf '* '; cat ` + SSHKeys + `/` + SSHPublicKey + `; } >` + SSHFolder + `/known_hosts)`
	sshOptions = `-p 2222 -i ` + SSHFolder + `/key -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=` + SSHFolder + `/known_hosts`
	sshServer  = `(umask 077 && cat ` + SSHKeys + `/` + SSHPrivateKey + ` >` + SSHFolder + `/key` +
		` && cat ` + SSHKeys + `/` + SSHPublicKey + ` >` + SSHFolder + `/authorized_keys` +
		` && { export -p && echo 'exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'; } >` + SSHFolder + `/session)` +
		` && { mkdir -p /run/sshd 2>/dev/null || true; }` +
		` && exec /usr/sbin/sshd -D -e -f /dev/null -p 2222 -h ` + SSHFolder + `/key -o AuthorizedKeysFile=` + SSHFolder + `/authorized_keys` +
		` -o 'ForceCommand=/bin/sh ` + SSHFolder + `/session' -o StrictModes=no -o UsePAM=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no -o PidFile=none`
)

// trtllm: mpirun starts a rank per GPU, those of the workers over SSH. The leader
// waits for them: one that cannot be reached ends mpirun, and with it the group.
func trtllm(group Group, engine *call) (leader, worker edit, notes []string, err error) {
	if notes, err = trtllmFits(group, engine); err != nil {
		return edit{}, edit{}, nil, err
	}
	slots := fmt.Sprintf(":%d", group.GPUs)
	hosts, workers := []string{asShell(group.Names.leader) + slots}, []string{}
	for rank := 1; rank < int(group.Nodes); rank++ {
		host := group.Names.worker(rank)
		hosts, workers = append(hosts, host+slots), append(workers, `"`+host+`"`)
	}
	mpirun := []string{
		"mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to none", fmt.Sprintf("-n %d", group.total()),
		`-H "` + strings.Join(hosts, ",") + `"`, "--mca pml ob1", `--mca plm_rsh_args "` + sshOptions + `"`,
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(engine.exports))) {
		mpirun = append(mpirun, "-x "+name)
	}
	if !slices.ContainsFunc(engine.program, calls(llmapiLauncher)) {
		mpirun = append(mpirun, llmapiLauncher)
	}
	leader = edit{
		// A shell that is the first process of its container ends by no signal without a trap.
		before: sshClient + ` && trap 'exit 143' TERM && for ssh_host in ` + strings.Join(workers, " ") +
			`; do until ssh ` + sshOptions + ` -o ConnectTimeout=5 "$ssh_host" true; do sleep 1; done; done`,
		under: strings.Join(mpirun, " "),
	}
	return leader, edit{instead: sshServer}, notes, nil
}

func calls(program string) func(word) bool {
	return func(w word) bool { return !w.dynamic && path.Base(w.text) == program }
}

// trtllmFits refuses what a group would start otherwise than meant.
func trtllmFits(group Group, engine *call) (notes []string, err error) {
	for _, starter := range []string{"mpirun", "mpiexec", "srun"} {
		if slices.ContainsFunc(engine.program, calls(starter)) {
			return nil, fmt.Errorf("the command has %s, and the ranks are started for it: write it as for one node, without %s", starter, starter)
		}
	}
	if group.GPUs == 0 {
		return nil, fmt.Errorf("resources.limits.gpu is not set, so it is not known how many ranks a node has")
	}
	if first := engine.program[0]; !first.dynamic && slices.Contains([]string{"exec", "command", "builtin", "eval"}, first.text) && programIn(engine.program) == 0 {
		return nil, fmt.Errorf("the engine is called by %s, which no other program can do: call it without", first.text)
	}
	for _, file := range []string{"extra-engine-args", "override-engine-args"} {
		if engine.flags.has(file) {
			return []string{fmt.Sprintf("--%s is left alone: what it says of sizes is not read, and must make %d ranks, one for each GPU of the group", file, group.total())}, nil
		}
	}
	ranks := int64(1)
	for _, size := range [][]string{{"tensor-parallel-size"}, {"pipeline-parallel-size"}} {
		n, err := engine.flags.number(1, size...)
		if err != nil {
			return nil, err
		}
		ranks *= n
	}
	if ranks != group.total() {
		return nil, fmt.Errorf("tensor-parallel-size x pipeline-parallel-size is %d, and %d nodes with %d GPUs each run %d ranks: both must be the same", ranks, group.Nodes, group.GPUs, group.total())
	}
	return nil, nil
}
