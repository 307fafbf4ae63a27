#ifndef PRIVYSEAL_CZLIB_SHIM_H
#define PRIVYSEAL_CZLIB_SHIM_H

#include <zlib.h>

#endif
