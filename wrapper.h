/*
 * The C that this crate adds to libfuse: what Rust cannot call or express by itself (va_list,
 * macros, inline functions, bit fields). src/raw/shim.c includes this file, so that the C compiler
 * checks the declarations; build.rs has bindgen read it, so that Rust sees the same ones. Every
 * name begins with `shim_` (constants: `SHIM_`). build.rs defines FUSE_USE_VERSION,
 * _FILE_OFFSET_BITS, LIBFUSE_VERSION_NUMBER, and LIBFUSE_HAS_* for what its PROBES have found.
 */
#ifndef LIBFUSE3_RS_WRAPPER_H
#define LIBFUSE3_RS_WRAPPER_H

#include <fuse_lowlevel.h>
#include <fuse_log.h>
#include <fuse_opt.h>
#include <stdbool.h>
#include <stdint.h>

/* Sends libfuse's log messages, formatted, to `sink`. */
typedef void (*shim_log_sink)(int level, const char *message);
void shim_set_log_sink(shim_log_sink sink);

/* A macro over an inline function from 3.17 on. */
struct fuse_session *shim_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *ops,
				      size_t ops_size, void *userdata);

/* A macro where the C library has no symbol versions. */
int shim_parse_cmdline(struct fuse_args *args, struct fuse_cmdline_opts *opts);

/* `struct fuse_custom_io` as it was in 3.13, without what was added later. */
struct shim_custom_io {
	ssize_t (*writev)(int fd, struct iovec *iov, int count, void *userdata);
	ssize_t (*read)(int fd, void *buf, size_t buf_len, void *userdata);
	ssize_t (*splice_receive)(int fdin, off_t *offin, int fdout, off_t *offout, size_t len,
				  unsigned int flags, void *userdata);
	ssize_t (*splice_send)(int fdin, off_t *offin, int fdout, off_t *offout, size_t len,
			       unsigned int flags, void *userdata);
};

/* From 3.13 on, and an inline function from 3.17 on; -ENOSYS before. */
int shim_session_custom_io(struct fuse_session *se, const struct shim_custom_io *io, int fd);

/* `capable` and `want` up to 3.16, `capable_ext` and `want_ext` from 3.17 on: never both. */
uint64_t shim_conn_capable(const struct fuse_conn_info *conn);
uint64_t shim_conn_want(const struct fuse_conn_info *conn);
void shim_conn_set_want(struct fuse_conn_info *conn, uint64_t want);

/* Those that are missing before 3.17, or 3.18 (request_timeout); nothing is done about them there. */
void shim_conn_set_limits(struct fuse_conn_info *conn, uint32_t max_backing_stack_depth,
			  bool no_interrupt, uint16_t request_timeout);

/* Parameters differ between versions: 3.13 to 3.15 have flags. -ENOSYS before 3.13. */
int shim_notify_expire_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
			     size_t name_len);

/* -ENOSYS before 3.18. */
int shim_notify_increment_epoch(struct fuse_session *se);

/* -ENOSYS before 3.19. */
int shim_notify_prune(struct fuse_session *se, fuse_ino_t *inodes, uint32_t count);

/*
 * The security contexts of a request that creates something: `reset` goes back to the first, `next`
 * says whether there is one more. There are none before 3.19.
 */
void shim_req_secctx_reset(fuse_req_t req);
bool shim_req_secctx_next(fuse_req_t req, const char **name, const char **value, uint32_t *len);

/* The bit fields of fuse_file_info, whose places differ between versions. */
#define SHIM_WRITEPAGE 0x01
#define SHIM_FLUSH 0x02
#define SHIM_FLOCK_RELEASE 0x04
#define SHIM_KILL_SUIDGID 0x08
uint32_t shim_file_info_get(const struct fuse_file_info *fi);

#endif
