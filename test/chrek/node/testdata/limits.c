/*
 * Lets CRIU read the limits of another user's process where the machine itself has not
 * got CAP_SYS_RESOURCE: the kernel shows them in /proc to whoever may look into it.
 * Tests preload it there; agents have the capability.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static long raw(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

static rlim_t limit(const char *text) { return strncmp(text, "unlimited", 9) ? strtoull(text, NULL, 10) : RLIM_INFINITY; }

/* The lines of /proc/PID/limits are in the order of the resources, below a heading. */
static long shown(int pid, int resource, struct rlimit *old)
{
	char path[64], line[256], soft[32], hard[32];
	long ret = -EPERM;
	snprintf(path, sizeof path, "/proc/%d/limits", pid);
	FILE *file = fopen(path, "r");
	if (!file)
		return -EPERM;
	for (int at = -1; at <= resource && fgets(line, sizeof line, file); at++)
		if (at == resource && sscanf(line + 26, "%31s %31s", soft, hard) == 2) {
			old->rlim_cur = limit(soft);
			old->rlim_max = limit(hard);
			ret = 0;
		}
	fclose(file);
	return ret;
}

long syscall(long n, ...)
{
	long v[6];
	va_list args;
	va_start(args, n);
	for (int i = 0; i < 6; i++)
		v[i] = va_arg(args, long);
	va_end(args);
	long ret = raw(n, v[0], v[1], v[2], v[3], v[4], v[5]);
	if (ret == -EPERM && n == SYS_prlimit64 && !v[2] && v[3])
		ret = shown((int)v[0], (int)v[1], (struct rlimit *)v[3]);
	if (ret < 0) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *new, struct rlimit64 *old)
{
	return (int)syscall(SYS_prlimit64, (long)pid, (long)resource, new, old);
}
