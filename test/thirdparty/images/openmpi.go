package main

import "github.com/wheelhouse-dev/wheelhouse/images"

// openMPI is what starts the ranks of an engine over several nodes in the runtimes
// of TensorRT-LLM, for amd64 alone: Open MPI of the version that they have, which
// reaches the nodes by OpenSSH, a POSIX shell, and every library that these load. All
// are of Debian's bookworm, as of its last release.
var openMPI = []images.Package{
	{Pool: "d/dash/dash_0.5.12-2_amd64.deb", SHA256: "33ea40061da2f1a861ec46212b2b6a34f0776a049b1a3f0abce2fb8cb994258f", Files: []string{"/bin/dash as /bin/sh"}},
	{Pool: "g/glibc/libc6_2.36-9%2bdeb12u14_amd64.deb", SHA256: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf", Files: []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/lib/x86_64-linux-gnu/libresolv.so.2", "/lib64/ld-linux-x86-64.so.2"}},
	{Pool: "o/openmpi/libopenmpi3_4.1.4-3%2bb1_amd64.deb", SHA256: "acbb84293aa092a49a457a724d293ff0bcceabf297f2828ef9e8cad08b28fc99", Files: []string{"/usr/lib/x86_64-linux-gnu/libopen-pal.so.40", "/usr/lib/x86_64-linux-gnu/libopen-rte.so.40", "/usr/lib/x86_64-linux-gnu/openmpi/lib/openmpi3/"}},
	{Pool: "p/pmix/libpmix2_4.2.2-1%2bdeb12u1_amd64.deb", SHA256: "fe19bbea5a23897618ef4c54b097366a834bd6c7157276ef4375d053ac2ecd1e", Files: []string{"/usr/lib/x86_64-linux-gnu/libpmix.so.2", "/usr/lib/x86_64-linux-gnu/pmix2/lib/pmix/"}},
	{Pool: "o/openmpi/openmpi-bin_4.1.4-3%2bb1_amd64.deb", SHA256: "555300f03e3c3b02d13dc1c44ece592728b790b71a0d138ebe695d4e267bf8bb", Files: []string{"/usr/bin/orterun as /usr/bin/mpirun", "/usr/bin/orted"}},
	{Pool: "o/openssh/openssh-client_9.2p1-2%2bdeb12u10_amd64.deb", SHA256: "42c250b8b9110382488c53c066a960bc564ddac2cb9e449f47b6cdbb5fc1cb60", Files: []string{"/usr/bin/ssh"}},
	{Pool: "o/openssh/openssh-server_9.2p1-2%2bdeb12u10_amd64.deb", SHA256: "933cd92a2329f9bf26d22660a834ae18ebdbe8df9c6127e4d9fcb098dac9cf72", Files: []string{"/usr/sbin/sshd"}},
	{Pool: "a/audit/libaudit1_3.0.9-1_amd64.deb", SHA256: "30954df4b5a7c505661ba8ae5e6ea94f5805e408899fb400783bb166eb5ff306", Files: []string{"/lib/x86_64-linux-gnu/libaudit.so.1"}},
	{Pool: "libc/libcap-ng/libcap-ng0_0.8.3-1%2bb3_amd64.deb", SHA256: "b4b54769c77e4a71c8b33aee4d600ba28a9994a1c6f60d55d4ebe7fc44882e07", Files: []string{"/lib/x86_64-linux-gnu/libcap-ng.so.0"}},
	{Pool: "libc/libcap2/libcap2_2.66-4%2bdeb12u3%2bb1_amd64.deb", SHA256: "8d684c673e7483802a5c447834b0df6fce006eb3a7109e1be412f5ad425bb24f", Files: []string{"/lib/x86_64-linux-gnu/libcap.so.2"}},
	{Pool: "e/e2fsprogs/libcom-err2_1.47.0-2%2bb2_amd64.deb", SHA256: "a2bac7015e78fbc0c504df3e441f3a22292f1d2d77f9ccda760057f3690e22f2", Files: []string{"/lib/x86_64-linux-gnu/libcom_err.so.2"}},
	{Pool: "libx/libxcrypt/libcrypt1_4.4.33-2_amd64.deb", SHA256: "f5f60a5cdfd4e4eaa9438ade5078a57741a7a78d659fcb0c701204f523e8bd29", Files: []string{"/lib/x86_64-linux-gnu/libcrypt.so.1"}},
	{Pool: "libe/libevent/libevent-core-2.1-7_2.1.12-stable-8_amd64.deb", SHA256: "4cebf4a24fb222ddbc5569df9960c5ff2da8b7ed71a02e13c79a59dcaf3b518a", Files: []string{"/usr/lib/x86_64-linux-gnu/libevent_core-2.1.so.7"}},
	{Pool: "libe/libevent/libevent-pthreads-2.1-7_2.1.12-stable-8_amd64.deb", SHA256: "798bbe7f492e176c287fc211e4a670eb64b10952720a036927357980d9a4a4b0", Files: []string{"/usr/lib/x86_64-linux-gnu/libevent_pthreads-2.1.so.7"}},
	{Pool: "libg/libgcrypt20/libgcrypt20_1.10.1-3_amd64.deb", SHA256: "bffcac7e4f69e39d37d4a33e841d6371ac8b5aba6cd55546b385dc7ff6c702f5", Files: []string{"/usr/lib/x86_64-linux-gnu/libgcrypt.so.20"}},
	{Pool: "libg/libgpg-error/libgpg-error0_1.46-1_amd64.deb", SHA256: "89944ee11d7370ce6ef46fc52f094c4a6512eff8943ec4c6ebefeae6360ceada", Files: []string{"/lib/x86_64-linux-gnu/libgpg-error.so.0"}},
	{Pool: "k/krb5/libgssapi-krb5-2_1.20.1-2%2bdeb12u4_amd64.deb", SHA256: "ae20a9d90d0998ccb062a42739c8c5c725579e2d3f44fbd16b026e336b4543bb", Files: []string{"/usr/lib/x86_64-linux-gnu/libgssapi_krb5.so.2"}},
	{Pool: "h/hwloc/libhwloc15_2.9.0-1_amd64.deb", SHA256: "4e7194b5d9adbb1a7d11a9501a4be4a4fa22876b69c73b7998056f552962c0e4", Files: []string{"/usr/lib/x86_64-linux-gnu/libhwloc.so.15"}},
	{Pool: "k/krb5/libk5crypto3_1.20.1-2%2bdeb12u4_amd64.deb", SHA256: "b921355ee030582117aadd95a9f08de341867921a277803ae7e520be2ac9786d", Files: []string{"/usr/lib/x86_64-linux-gnu/libk5crypto.so.3"}},
	{Pool: "k/keyutils/libkeyutils1_1.6.3-2_amd64.deb", SHA256: "cfac89e6a7a54ff3c6a4f843310e25efeddaa771baeae470bd98bd588c373563", Files: []string{"/lib/x86_64-linux-gnu/libkeyutils.so.1"}},
	{Pool: "k/krb5/libkrb5-3_1.20.1-2%2bdeb12u4_amd64.deb", SHA256: "af14ab652a7e8579c67c846dd95b987a4332c05165c8eec9790028f5aea6c2b0", Files: []string{"/usr/lib/x86_64-linux-gnu/libkrb5.so.3"}},
	{Pool: "k/krb5/libkrb5support0_1.20.1-2%2bdeb12u4_amd64.deb", SHA256: "5e7fac690530a3e16c0a6707d8262d869c23248eac72daee3eb7c40982c3ddfe", Files: []string{"/usr/lib/x86_64-linux-gnu/libkrb5support.so.0"}},
	{Pool: "l/lz4/liblz4-1_1.9.4-1_amd64.deb", SHA256: "64cde86cef1deaf828bd60297839b59710b5cd8dc50efd4f12643caaee9389d3", Files: []string{"/usr/lib/x86_64-linux-gnu/liblz4.so.1"}},
	{Pool: "x/xz-utils/liblzma5_5.4.1-1_amd64.deb", SHA256: "d321b9502b16aac534e1c691afbe3dc5e125e5091aa35bea026c59b25ebe82e7", Files: []string{"/lib/x86_64-linux-gnu/liblzma.so.5"}},
	{Pool: "m/munge/libmunge2_0.5.15-2%2bdeb12u1_amd64.deb", SHA256: "533a38220c7f2a38a1130f5f80033d1a07723880fa352299b22a10ba99ce826e", Files: []string{"/usr/lib/x86_64-linux-gnu/libmunge.so.2"}},
	{Pool: "libn/libnl3/libnl-3-200_3.7.0-0.2%2bb1_amd64.deb", SHA256: "d1fc3e9eb8e79b4c96b0a64c3d8c9e068ae2f665cab71bd19f417ffd0453a890", Files: []string{"/lib/x86_64-linux-gnu/libnl-3.so.200"}},
	{Pool: "libn/libnsl/libnsl2_1.3.0-2_amd64.deb", SHA256: "c0d83437fdb016cb289436f49f28a36be44b3e8f1f2498c7e3a095f709c0d6f8", Files: []string{"/usr/lib/x86_64-linux-gnu/libnsl.so.2"}},
	{Pool: "p/pam/libpam0g_1.5.2-6%2bdeb12u2_amd64.deb", SHA256: "a06f889caf9e97ccf04dedec0905573916bc6ec3366ade2c6ef8900047fd5cc1", Files: []string{"/lib/x86_64-linux-gnu/libpam.so.0"}},
	{Pool: "p/pcre2/libpcre2-8-0_10.42-1_amd64.deb", SHA256: "030db54f4d76cdfe2bf0e8eb5f9efea0233ab3c7aa942d672c7b63b52dbaf935", Files: []string{"/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0"}},
	{Pool: "libs/libselinux/libselinux1_3.4-1%2bb6_amd64.deb", SHA256: "2b07f5287b9105f40158b56e4d70cc1652dac56a408f3507b4ab3d061eed425f", Files: []string{"/lib/x86_64-linux-gnu/libselinux.so.1"}},
	{Pool: "o/openssl/libssl3_3.0.20-1~deb12u1_amd64.deb", SHA256: "4fae7e5825e1bb9eaeb6c2679c3d4fce93431d1105426af6de7469f000d3b7f2", Files: []string{"/usr/lib/x86_64-linux-gnu/libcrypto.so.3"}},
	{Pool: "s/systemd/libsystemd0_252.39-1~deb12u2_amd64.deb", SHA256: "013c07514a9e4933b2d5c098018695a6aa42d085dbc483ce2c094a954c8a1b0a", Files: []string{"/usr/lib/x86_64-linux-gnu/libsystemd.so.0"}},
	{Pool: "libt/libtirpc/libtirpc3_1.3.3%2bds-1_amd64.deb", SHA256: "2a46d5a5e9486da11ffeff5740931740d6deae4f92cd6098df060dc5dff1e1c7", Files: []string{"/lib/x86_64-linux-gnu/libtirpc.so.3"}},
	{Pool: "s/systemd/libudev1_252.39-1~deb12u2_amd64.deb", SHA256: "6f7e08f11c4809d2e5998c775f7b423ab5ec2ce0309494b4a2615037052245e2", Files: []string{"/usr/lib/x86_64-linux-gnu/libudev.so.1"}},
	{Pool: "t/tcp-wrappers/libwrap0_7.6.q-32_amd64.deb", SHA256: "cbce2669a3ba4d74cfdc52b14f38014893e23d85a33d109a3422c342eefc55f8", Files: []string{"/usr/lib/x86_64-linux-gnu/libwrap.so.0"}},
	{Pool: "libz/libzstd/libzstd1_1.5.4%2bdfsg2-5_amd64.deb", SHA256: "6315b5ac38b724a710fb96bf1042019398cb656718b1522279a5185ed39318fa", Files: []string{"/usr/lib/x86_64-linux-gnu/libzstd.so.1"}},
	{Pool: "z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb", SHA256: "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4", Files: []string{"/lib/x86_64-linux-gnu/libz.so.1"}},
}
