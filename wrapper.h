/*
 * The C that this crate adds to libfuse: what Rust cannot call or express by itself (va_list, macros,
 * inline functions). src/raw/shim.c includes this file, so that the C compiler checks the declarations;
 * build.rs has bindgen read it, so that Rust sees the same ones. Every name begins with `shim_` (constants: `SHIM_`).
 * build.rs defines FUSE_USE_VERSION and _FILE_OFFSET_BITS.
 */
#ifndef LIBFUSE3_RS_WRAPPER_H
#define LIBFUSE3_RS_WRAPPER_H

#include <fuse_lowlevel.h>
#include <fuse_log.h>
#include <fuse_opt.h>

#endif
