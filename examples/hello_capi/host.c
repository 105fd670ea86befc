/*
 * Mounts the file system of the library hello_capi and answers requests with libfuse's own loop.
 *
 *	host [options] MOUNTPOINT
 *
 * Options are libfuse's. With -s it is fuse_session_loop, otherwise fuse_session_loop_mt. host_run.c leaves
 * the loop to the library.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "hello_capi.h"

static int loop_mt(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 12)
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int ret;

	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	/* The default, which some versions would complain about. */
	if (opts->max_idle_threads != UINT_MAX)
		fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	ret = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return ret;
#else
	struct fuse_loop_config config = {
		.clone_fd = opts->clone_fd,
		.max_idle_threads = opts->max_idle_threads,
	};

	return fuse_session_loop_mt(se, &config);
#endif
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	struct fuse_session *se;
	struct hello_capi *fs;
	int ret = 1;

	if (fuse_parse_cmdline(&args, &opts) != 0)
		return 1;
	if (opts.show_help || !opts.mountpoint) {
		printf("usage: %s [options] <mountpoint>\n\n", argv[0]);
		fuse_cmdline_help();
		fuse_lowlevel_help();
		ret = !opts.show_help;
		goto out_args;
	}

	fs = hello_capi_new();
	if (!fs)
		goto out_args;
	se = fuse_session_new(&args, hello_capi_ops(fs), sizeof(struct fuse_lowlevel_ops),
			      hello_capi_userdata(fs));
	if (!se)
		goto out_fs;
	hello_capi_set_session(fs, se);
	hello_capi_set_message(fs, argv[0]);
	if (fuse_set_signal_handlers(se) != 0)
		goto out_session;
	if (fuse_session_mount(se, opts.mountpoint) != 0)
		goto out_signals;
	/* The library has no threads yet, which a child process would lack. */
	if (fuse_daemonize(opts.foreground) != 0)
		goto out_mount;

	ret = opts.singlethread ? fuse_session_loop(se) : loop_mt(se, &opts);

	/* While answers can still be sent. */
	hello_capi_stop(fs);
out_mount:
	fuse_session_unmount(se);
out_signals:
	fuse_remove_signal_handlers(se);
out_session:
	fuse_session_destroy(se);
out_fs:
	/* Not before: the session has used it until now. */
	hello_capi_free(fs);
out_args:
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return ret ? 1 : 0;
}
