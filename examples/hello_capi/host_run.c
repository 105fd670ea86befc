/*
 * Mounts the file system of the library hello_capi and has the library answer requests.
 *
 *	host_run [options] MOUNTPOINT
 *
 * Options are libfuse's.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hello_capi.h"

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
	hello_capi_set_message(fs, argv[0]);
	if (fuse_session_mount(se, opts.mountpoint) != 0)
		goto out_session;
	/* The library has no threads yet, which a child process would lack. */
	if (fuse_daemonize(opts.foreground) != 0)
		goto out_mount;

	/* Signals are the library's here. */
	ret = hello_capi_run(fs, se);
out_mount:
	/* The session is still ours. */
	fuse_session_unmount(se);
out_session:
	fuse_session_destroy(se);
out_fs:
	hello_capi_free(fs);
out_args:
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return ret ? 1 : 0;
}
