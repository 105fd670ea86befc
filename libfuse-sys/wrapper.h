/*
 * The libfuse headers that the bindings mirror; nothing is added here.
 * build.rs defines FUSE_USE_VERSION and _FILE_OFFSET_BITS.
 */
#include <fuse_lowlevel.h> /* includes fuse_common.h */
#include <fuse_log.h>
#include <fuse_opt.h>

/* libfuse 3.19 and later. */
#if __has_include(<fuse_daemonize.h>)
#include <fuse_daemonize.h>
#endif
