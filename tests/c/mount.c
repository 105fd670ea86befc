/* Mounts with the options of its command line, the mountpoint last, until its standard input ends. */

#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc - 1, argv);
	struct fuse_lowlevel_ops none = { 0 };
	struct fuse_session *se = fuse_session_new(&args, &none, sizeof(none), NULL);

	if (!se || fuse_session_mount(se, argv[argc - 1]) != 0)
		return EXIT_FAILURE;
	puts("mounted");
	fflush(stdout);
	getchar();
	fuse_session_unmount(se);
	return EXIT_SUCCESS;
}
