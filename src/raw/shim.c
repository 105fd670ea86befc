/* The C that this crate adds to libfuse; wrapper.h says what each function is for. */
#include "wrapper.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static shim_log_sink log_sink;

static void log_to_sink(enum fuse_log_level level, const char *format, va_list arguments)
{
	char message[4096];

	vsnprintf(message, sizeof(message), format, arguments);
	log_sink((int)level, message);
}

void shim_set_log_sink(shim_log_sink sink)
{
	log_sink = sink;
	fuse_set_log_func(sink ? log_to_sink : NULL);
}

struct fuse_session *shim_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *ops,
				      size_t ops_size, void *userdata)
{
	return fuse_session_new(args, ops, ops_size, userdata);
}

int shim_parse_cmdline(struct fuse_args *args, struct fuse_cmdline_opts *opts)
{
	return fuse_parse_cmdline(args, opts);
}

int shim_session_custom_io(struct fuse_session *se, const struct shim_custom_io *io, int fd)
{
#if LIBFUSE_VERSION_NUMBER >= 3013000
	const struct fuse_custom_io custom_io = {
		.writev = io->writev,
		.read = io->read,
		.splice_receive = io->splice_receive,
		.splice_send = io->splice_send,
	};

	return fuse_session_custom_io(se, &custom_io, fd);
#else
	(void)se;
	(void)io;
	(void)fd;
	return -ENOSYS;
#endif
}

uint64_t shim_conn_capable(const struct fuse_conn_info *conn)
{
#if LIBFUSE_VERSION_NUMBER >= 3017000
	return conn->capable_ext;
#else
	return conn->capable;
#endif
}

uint64_t shim_conn_want(const struct fuse_conn_info *conn)
{
#if LIBFUSE_VERSION_NUMBER >= 3017000
	return conn->want_ext;
#else
	return conn->want;
#endif
}

void shim_conn_set_want(struct fuse_conn_info *conn, uint64_t want)
{
#if LIBFUSE_VERSION_NUMBER >= 3017000
	conn->want_ext = want;
#else
	conn->want = (unsigned)want;
#endif
}

void shim_conn_set_limits(struct fuse_conn_info *conn, uint32_t max_backing_stack_depth,
			  bool no_interrupt, uint16_t request_timeout)
{
#if LIBFUSE_VERSION_NUMBER >= 3017000
	conn->max_backing_stack_depth = max_backing_stack_depth;
	conn->no_interrupt = no_interrupt;
#endif
#if LIBFUSE_VERSION_NUMBER >= 3018000
	conn->request_timeout = request_timeout;
#endif
	(void)conn, (void)max_backing_stack_depth, (void)no_interrupt, (void)request_timeout;
}

int shim_notify_expire_entry(struct fuse_session *se, fuse_ino_t parent, const char *name,
			     size_t name_len)
{
#if LIBFUSE_VERSION_NUMBER >= 3016000
	return fuse_lowlevel_notify_expire_entry(se, parent, name, name_len);
#elif LIBFUSE_VERSION_NUMBER >= 3013000
	return fuse_lowlevel_notify_expire_entry(se, parent, name, name_len, FUSE_LL_EXPIRE_ONLY);
#else
	(void)se, (void)parent, (void)name, (void)name_len;
	return -ENOSYS;
#endif
}

int shim_notify_increment_epoch(struct fuse_session *se)
{
#if LIBFUSE_VERSION_NUMBER >= 3018000
	return fuse_lowlevel_notify_increment_epoch(se);
#else
	(void)se;
	return -ENOSYS;
#endif
}

int shim_notify_prune(struct fuse_session *se, fuse_ino_t *inodes, uint32_t count)
{
#ifdef LIBFUSE_HAS_NOTIFY_PRUNE
	return fuse_lowlevel_notify_prune(se, inodes, count);
#else
	(void)se, (void)inodes, (void)count;
	return -ENOSYS;
#endif
}

void shim_req_secctx_reset(fuse_req_t req)
{
#ifdef LIBFUSE_HAS_SECURITY_CONTEXTS
	fuse_req_secctx_reset(req);
#else
	(void)req;
#endif
}

bool shim_req_secctx_next(fuse_req_t req, const char **name, const char **value, uint32_t *len)
{
#ifdef LIBFUSE_HAS_SECURITY_CONTEXTS
	return fuse_req_secctx_next(req, name, value, len) == 0;
#else
	(void)req, (void)name, (void)value, (void)len;
	return false;
#endif
}

uint32_t shim_file_info_get(const struct fuse_file_info *fi)
{
	uint32_t bits = (fi->writepage ? SHIM_WRITEPAGE : 0) | (fi->flush ? SHIM_FLUSH : 0) |
			(fi->flock_release ? SHIM_FLOCK_RELEASE : 0);

#ifdef LIBFUSE_HAS_KILL_SUIDGID
	bits |= fi->kill_suidgid ? SHIM_KILL_SUIDGID : 0;
#endif
	return bits;
}
