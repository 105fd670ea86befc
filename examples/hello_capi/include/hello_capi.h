/*
 * hello_capi: a file system in Rust, for C programs that use libfuse's low-level API.
 *
 *	hello		says hello
 *	message		what was last written to it, or told to hello_capi_set_message
 *	next		waits for the next message, and is that
 *	panic		cannot be read: its handler panics, which is EIO
 *
 * The program makes the session, mounts it and ends it:
 *
 *	fs = hello_capi_new();
 *	se = fuse_session_new(&args, hello_capi_ops(fs), sizeof(struct fuse_lowlevel_ops),
 *			      hello_capi_userdata(fs));
 *	fuse_session_mount(se, mountpoint);
 *	fuse_session_loop(se);		or fuse_session_loop_mt, or hello_capi_run(fs, se)
 *	hello_capi_stop(fs);
 *	fuse_session_unmount(se);
 *	fuse_session_destroy(se);
 *	hello_capi_free(fs);
 *
 * FUSE_USE_VERSION has to be defined, as for fuse_lowlevel.h.
 */
#ifndef HELLO_CAPI_H
#define HELLO_CAPI_H

#include <fuse_lowlevel.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hello_capi;

/* A file system, for one session. NULL, with a message on standard error, if the loaded libfuse is not of
 * the kind that the library was built with. No thread is started before requests come. */
struct hello_capi *hello_capi_new(void);

/* Two arguments of fuse_session_new. The first is there for ever, the second until hello_capi_free. */
const struct fuse_lowlevel_ops *hello_capi_ops(const struct hello_capi *fs);
void *hello_capi_userdata(const struct hello_capi *fs);

/* Optional: tells which session was made with it, so that hello_capi_set_message can have the kernel drop
 * what it has cached. */
void hello_capi_set_session(struct hello_capi *fs, struct fuse_session *se);

/* Takes the place of fuse_session_loop: answers requests until somebody unmounts, a signal ends it (HUP, INT
 * and TERM, without fuse_set_signal_handlers), or fuse_session_exit is called. 0, or -1 with a message on
 * standard error. Unmounting and destroying stay with the program. */
int hello_capi_run(struct hello_capi *fs, struct fuse_session *se);

/* Changes the message, from any thread; not from within a callback of libfuse. 0, or a negative error
 * number if the kernel could not be told: -ENOTCONN before there are requests, or without
 * hello_capi_set_session. */
int hello_capi_set_message(struct hello_capi *fs, const char *text);

/* Ends what is still going on, in a second at most; from here on all requests fail. To be called before
 * fuse_session_unmount. */
void hello_capi_stop(struct hello_capi *fs);

/* Frees it, after fuse_session_destroy. NULL is fine. */
void hello_capi_free(struct hello_capi *fs);

#ifdef __cplusplus
}
#endif

#endif
