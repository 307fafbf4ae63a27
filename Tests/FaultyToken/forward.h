/* How a function is wrapped. */
#ifndef FORWARD_H
#define FORWARD_H

#include "faulty.h"

#define IN_SESSION call.has_session = true; call.session = session
#define ON_SLOT call.has_slot = true; call.slot = slot
#define ON_OBJECT(handle) call.has_object = true; call.object = handle
#define ON_KEY(handle) ON_OBJECT(handle); call.object_is_key = true
#define WITH_MECHANISM call.has_mechanism = mechanism != NULL; call.mechanism = mechanism != NULL ? mechanism->mechanism : 0

/* Calls the real module with arguments in parentheses. */
#define REAL_WITH(name, arguments) \
    INSIDE(real_enter, real->name != NULL ? real->name arguments : (CK_RV)CKR_FUNCTION_NOT_SUPPORTED)

/* Defines the function for the list: notes what the call is about, lets rules do theirs, calls the real module's, and
   when that succeeds does what stands in the last braces. */
#define FORWARD(name, parameters, arguments, about, ...)                                          \
    static CK_RV forward_##name parameters {                                                      \
        struct call call = {.function = F_##name};                                                \
        about;                                                                                    \
        CK_RV value;                                                                              \
        if (!call_before(&call, &value)) return value;                                            \
        value = REAL_WITH(name, arguments);                                                       \
        if (value == CKR_OK) __VA_ARGS__                                                          \
        return call_after(&call, value);                                                          \
    }                                                                                             \
    const CK_##name wrapped_##name = forward_##name;

#endif
