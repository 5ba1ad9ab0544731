/* libbsd's pidfile(3): `pidfile hold PATH`, `pidfile ask PATH`, `pidfile storm PATH ORACLE HOLDS`. */
#include <bsd/libutil.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int hold(const char *path)
{
	pid_t other = 0;
	struct pidfh *file = pidfile_open(path, 0644, &other);

	if (file == NULL || pidfile_write(file) != 0) {
		printf("%s, PID %d\n", strerror(errno), (int)other);
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return pidfile_remove(file) != 0;
}

/* Opens the file without asking for the holder's PID, and prints the error, or `free`. */
static int ask(const char *path)
{
	struct pidfh *file = pidfile_open(path, 0644, NULL);

	puts(file == NULL ? strerror(errno) : "free");
	return file == NULL;
}

/* Acquires and releases HOLDS times. Prints the number of holds, of holds of a file that was already
 * removed, and of holds at the same time as another process, which ORACLE shows. */
static int storm(const char *path, const char *oracle, int holds)
{
	int in = 0, removed = 0, overlaps = 0;

	while (in < holds) {
		struct stat found;
		struct pidfh *file = pidfile_open(path, 0644, NULL);

		if (file == NULL)
			continue;
		if (pidfile_write(file) != 0 || fstat(pidfile_fileno(file), &found) != 0)
			return 1;
		in++;
		if (found.st_nlink == 0)
			removed++;
		else if (mkdir(oracle, 0700) != 0)
			overlaps++;
		else if (rmdir(oracle) != 0)
			return 1;
		pidfile_remove(file);
	}
	printf("%d %d %d\n", in, removed, overlaps);
	return 0;
}

int main(int count, char **words)
{
	if (count == 3 && strcmp(words[1], "hold") == 0)
		return hold(words[2]);
	if (count == 3 && strcmp(words[1], "ask") == 0)
		return ask(words[2]);
	if (count == 5 && strcmp(words[1], "storm") == 0)
		return storm(words[2], words[3], atoi(words[4]));
	return 2;
}
