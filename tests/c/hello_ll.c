/*
 * What examples/hello_ll.rs is compared with: the same file system and the same command line, by a C program
 * that leaves as much as it can to libfuse.
 */

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELLO 2

static const char text[] = "Hello World!\n";

static int attributes(fuse_ino_t inode, struct stat *attr)
{
	memset(attr, 0, sizeof(*attr));
	attr->st_ino = inode;
	if (inode == FUSE_ROOT_ID) {
		attr->st_mode = S_IFDIR | 0755;
		attr->st_nlink = 2;
	} else if (inode == HELLO) {
		attr->st_mode = S_IFREG | 0444;
		attr->st_nlink = 1;
		attr->st_size = strlen(text);
	} else {
		return ENOENT;
	}
	return 0;
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = HELLO, .attr_timeout = 1, .entry_timeout = 1 };

	if (parent != FUSE_ROOT_ID || strcmp(name, "hello") != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attributes(HELLO, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
	struct stat attr;

	if (attributes(inode, &attr) != 0)
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_attr(req, &attr, 1);
}

static void readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t from,
		    struct fuse_file_info *fi)
{
	static const struct {
		const char *name;
		fuse_ino_t inode;
	} entries[] = { { ".", FUSE_ROOT_ID }, { "..", FUSE_ROOT_ID }, { "hello", HELLO } };
	char buffer[4096];
	size_t filled = 0;

	if (inode != FUSE_ROOT_ID) {
		fuse_reply_err(req, ENOTDIR);
		return;
	}
	if (size > sizeof(buffer))
		size = sizeof(buffer);
	for (off_t i = from; i < 3; i++) {
		struct stat attr;
		size_t needed;

		attributes(entries[i].inode, &attr);
		needed = fuse_add_direntry(req, buffer + filled, size - filled, entries[i].name,
					   &attr, i + 1);
		if (needed > size - filled)
			break;
		filled += needed;
	}
	fuse_reply_buf(req, buffer, filled);
}

static void open_file(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *fi)
{
	if (inode != HELLO)
		fuse_reply_err(req, EISDIR);
	else if ((fi->flags & O_ACCMODE) != O_RDONLY)
		fuse_reply_err(req, EACCES);
	else
		fuse_reply_open(req, fi);
}

static void read_file(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		      struct fuse_file_info *fi)
{
	size_t length = strlen(text);
	size_t start = (size_t)offset < length ? (size_t)offset : length;

	fuse_reply_buf(req, text + start, size < length - start ? size : length - start);
}

static void set_attribute(fuse_req_t req, fuse_ino_t inode, const char *name, const char *value,
			  size_t size, int flags)
{
	static const char expected[] = "hello_ll_setxattr_value";
	int known = strcmp(name, "hello_ll_setxattr_name") == 0 && size == strlen(expected) &&
		    memcmp(value, expected, size) == 0;

	fuse_reply_err(req, known ? 0 : ENOTSUP);
}

static void get_attribute(fuse_req_t req, fuse_ino_t inode, const char *name, size_t size)
{
	static const char value[] = "hello_ll_getxattr_value";

	if (strcmp(name, "hello_ll_getxattr_name") != 0)
		fuse_reply_err(req, ENOTSUP);
	else if (size == 0)
		fuse_reply_xattr(req, strlen(value));
	else
		fuse_reply_buf(req, value, strlen(value));
}

static void remove_attribute(fuse_req_t req, fuse_ino_t inode, const char *name)
{
	fuse_reply_err(req, strcmp(name, "hello_ll_removexattr_name") == 0 ? 0 : ENOTSUP);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = lookup,
	.getattr = getattr,
	.readdir = readdir,
	.open = open_file,
	.read = read_file,
	.setxattr = set_attribute,
	.getxattr = get_attribute,
	.removexattr = remove_attribute,
};

static int loop(struct fuse_session *se, const struct fuse_cmdline_opts *opts)
{
	int result;

	if (opts->singlethread)
		return fuse_session_loop(se);
#if FUSE_MINOR_VERSION >= 12
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	fuse_loop_cfg_set_clone_fd(config, opts->clone_fd);
	fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	/* The default is a number that this function refuses. */
	if (opts->max_idle_threads != UINT_MAX)
		fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	result = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
#else
	struct fuse_loop_config config = {
		.clone_fd = opts->clone_fd,
		.max_idle_threads = opts->max_idle_threads,
	};

	result = fuse_session_loop_mt(se, &config);
#endif
	return result;
}

static int mount_and_run(struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	struct fuse_session *se = fuse_session_new(args, &operations, sizeof(operations), NULL);
	int result = -1;

	if (!se)
		return -1;
	if (fuse_set_signal_handlers(se) == 0) {
		if (fuse_session_mount(se, opts->mountpoint) == 0) {
			if (fuse_daemonize(opts->foreground) == 0)
				result = loop(se, opts);
			fuse_session_unmount(se);
		}
		fuse_remove_signal_handlers(se);
	}
	fuse_session_destroy(se);
	return result;
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts;
	int result = 0;

	if (fuse_parse_cmdline(&args, &opts) != 0)
		return EXIT_FAILURE;
	if (opts.show_help) {
		printf("usage: %s [options] <mountpoint>\n\n", argv[0]);
		fuse_cmdline_help();
		fuse_lowlevel_help();
	} else if (opts.show_version) {
		printf("FUSE library version %s\n", fuse_pkgversion());
		fuse_lowlevel_version();
	} else if (!opts.mountpoint) {
		printf("usage: %s [options] <mountpoint>\n", argv[0]);
		result = -1;
	} else {
		result = mount_and_run(&args, &opts);
	}
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
