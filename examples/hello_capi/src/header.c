/* Nothing but the header, so that it has to stand by itself. */
#include "hello_capi.h"

_Static_assert(sizeof(struct fuse_lowlevel_ops) > 0, "the header brings libfuse's types with it");
