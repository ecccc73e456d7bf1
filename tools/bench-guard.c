/* Starts programs one after another and says how long each took, in nanoseconds: for tools/bench-guard.
 *
 *   spawn FILE…     waits for a line, then starts every file and prints one number for each, twice: a first and a second
 *                   round. A start is vfork, execve, _exit and wait; a refused one ends where execve does.
 *   spawn --allow DIR
 *                   is asked about every start and every opening on DIR's file system, and allows and has remembered each
 *                   at once: the least that any answer can cost.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int allow(const char *dir)
{
	const uint64_t asked = FAN_OPEN_EXEC_PERM | FAN_OPEN_PERM;
	int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
	struct pollfd waits = { group, POLLIN, 0 };
	struct fanotify_event_metadata events[64], *event;
	ssize_t length;

	if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, asked, AT_FDCWD, dir)) {
		perror("fanotify");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (poll(&waits, 1, -1) > 0) {
		length = read(group, events, sizeof(events));
		for (event = events; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
			struct fanotify_response answer = { event->fd, FAN_ALLOW };

			fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, asked, event->fd, NULL);
			if (write(group, &answer, sizeof(answer)) < 0)
				perror("answer");
			close(event->fd);
		}
	}
	return 1;
}

int main(int argc, char **argv)
{
	char line[16], *none[] = { NULL };

	if (argc == 1)
		return 0; /* this is what is started */
	if (argc == 3 && !strcmp(argv[1], "--allow"))
		return allow(argv[2]);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	for (int round = 0; round < 2; round++)
		for (int i = 1; i < argc; i++) {
			char *args[] = { argv[i], NULL };
			long long begin = now();
			pid_t child = vfork();

			if (child == 0) {
				execve(argv[i], args, none);
				_exit(126);
			}
			int status;

			waitpid(child, &status, 0);
			printf("%lld\n", now() - begin);
		}
	return 0;
}
