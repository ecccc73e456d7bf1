/* Starts programs one after another and says how long each took, in nanoseconds: for tools/bench-guard.
 *
 *   spawn FILE…     waits for a line, then starts every file and prints one number for each, twice: a first and a second
 *                   round. A start is vfork, execve, _exit and wait; a refused one ends where execve does.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	char line[16], *none[] = { NULL };

	if (argc == 1)
		return 0; /* this is what is started */
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
