#include "processor.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

double processor_self(void) {
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds(own.ru_utime) + seconds(own.ru_stime) + seconds(children.ru_utime) + seconds(children.ru_stime);
}

/* Reads /proc/PID/stat; see proc(5). */
static int read_stat(pid_t pid, pid_t *parent, double *used) {
    char path[64], line[1024];
    unsigned long user, system;
    long waited_user, waited_system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    /* The name can hold anything, parentheses too. */
    char *rest = read ? strrchr(line, ')') : NULL;
    if (!rest
        || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", parent, &user, &system,
                  &waited_user, &waited_system) != 5)
        return 0;
    *used = (double)(user + system + (unsigned long)waited_user + (unsigned long)waited_system)
            / (double)sysconf(_SC_CLK_TCK);
    return 1;
}

static double with_descendants(pid_t pid, int depth) {
    pid_t parent;
    double sum, used;
    if (!read_stat(pid, &parent, &sum)) return 0;
    DIR *processes = opendir("/proc");
    if (!processes || depth == 0) {
        if (processes) closedir(processes);
        return sum;
    }
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        pid_t other = atoi(entry->d_name);
        if (read_stat(other, &parent, &used) && parent == pid) sum += with_descendants(other, depth - 1);
    }
    closedir(processes);
    return sum;
}

double processor_of(pid_t pid) {
    pid_t parent;
    double used;
    if (pid == 0) return 0;
    if (!read_stat(pid, &parent, &used)) {
        fprintf(stderr, "error: there is no process %d to measure\n", (int)pid);
        exit(1);
    }
    return with_descendants(pid, 3);
}

double processor_all(void) {
    unsigned long user, nice, system, interrupts, late_interrupts, stolen;
    FILE *file = fopen("/proc/stat", "r");
    if (!file
        || fscanf(file, "cpu %lu %lu %lu %*u %*u %lu %lu %lu", &user, &nice, &system, &interrupts, &late_interrupts,
                  &stolen) != 6) {
        fputs("error: /proc/stat cannot be read\n", stderr);
        exit(1);
    }
    fclose(file);
    return (double)(user + nice + system + interrupts + late_interrupts + stolen) / (double)sysconf(_SC_CLK_TCK);
}
