#ifndef OPTIONS_H
#define OPTIONS_H

/* The value of `--name VALUE`; the fallback when it is not given, and the end of the program when that is NULL. */
const char *option_text(int count, char **arguments, const char *name, const char *fallback);
double option_number(int count, char **arguments, const char *name, const char *fallback);

#endif
