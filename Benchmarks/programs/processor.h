#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <sys/types.h>

/* Processor seconds of this process and of the children it has waited for. */
double processor_self(void);

/* Processor seconds of a process and its descendants, those it has waited for included; 0 for pid 0. Exits when the
   process is not there. Precise to a hundredth of a second. */
double processor_of(pid_t pid);

/* Processor seconds of everything on this machine, and of what its host gave to others. */
double processor_all(void);

#endif
