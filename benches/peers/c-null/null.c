/*
 * The benchmark's tree on libfuse3, in C: null MOUNTPOINT single|mt|mt-clone
 *
 * The tree is described in ../tree/src/lib.rs: keep the two in step.
 */
#define FUSE_USE_VERSION 312
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	ROOT = 1,
	ZERO,
	SLOW,
	MANY,
	FIRST_NEW = 100,
	NEW_COUNT = 64,
	FIRST_ENTRY = 1000000,
	ENTRY_COUNT = 100000,
	MAX_IO = 1 << 20,
};

static const char no_file[MAX_IO];
/* What all reads return: the memory of the file that BENCH_ZEROS names, as in the other servers. */
static const char *zeros = no_file;

/* Which of the new- files are there: a bit for each. */
static atomic_ullong new_files;

static int attributes(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_blksize = 4096;
	if (ino == ROOT || ino == MANY) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	st->st_mode = S_IFREG | 0644;
	st->st_nlink = 1;
	if (ino == ZERO || ino == SLOW) {
		st->st_size = 1LL << 40;
		return 0;
	}
	if ((ino >= FIRST_NEW && ino < FIRST_NEW + NEW_COUNT) ||
	    (ino >= FIRST_ENTRY && ino < FIRST_ENTRY + ENTRY_COUNT))
		return 0;
	return ENOENT;
}

static void entry_name(unsigned index, char name[13])
{
	memcpy(name, "entry-000000", 13);
	for (int i = 11; i > 5; i--) {
		name[i] = '0' + index % 10;
		index /= 10;
	}
}

/* The number behind a prefix, or limit. */
static unsigned long number(const char *name, const char *prefix, unsigned long limit)
{
	size_t len = strlen(prefix);
	unsigned long n = 0;

	if (strncmp(name, prefix, len) != 0 || name[len] == 0)
		return limit;
	for (name += len; *name; name++) {
		if (*name < '0' || *name > '9' || n >= limit)
			return limit;
		n = n * 10 + (*name - '0');
	}
	return n < limit ? n : limit;
}

static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	unsigned long n;

	if (parent == ROOT) {
		if (strcmp(name, "zero") == 0)
			return ZERO;
		if (strcmp(name, "slow") == 0)
			return SLOW;
		if (strcmp(name, "many") == 0)
			return MANY;
		n = number(name, "new-", NEW_COUNT);
		if (n < NEW_COUNT && (atomic_load_explicit(&new_files, memory_order_relaxed) & (1ULL << n)))
			return FIRST_NEW + n;
	} else if (parent == MANY) {
		n = number(name, "entry-", ENTRY_COUNT);
		if (n < ENTRY_COUNT)
			return FIRST_ENTRY + n;
	}
	return 0;
}

static void null_init(void *userdata, struct fuse_conn_info *conn)
{
	(void) userdata;
	/* Attributes with each listing, as all servers of the benchmark give them. */
	conn->want &= ~FUSE_CAP_READDIRPLUS_AUTO;
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;

	memset(&e, 0, sizeof(e));
	e.ino = find(parent, name);
	if (e.ino == 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	attributes(e.ino, &e.attr);
	fuse_reply_entry(req, &e);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;
	int error = attributes(ino, &st);

	(void) fi;
	if (error)
		fuse_reply_err(req, error);
	else
		fuse_reply_attr(req, &st, 0);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void) ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void null_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			struct fuse_file_info *fi)
{
	unsigned long n = number(name, "new-", NEW_COUNT);
	struct fuse_entry_param e;

	(void) mode;
	if (parent != ROOT || n == NEW_COUNT) {
		fuse_reply_err(req, EPERM);
		return;
	}
	atomic_fetch_or_explicit(&new_files, 1ULL << n, memory_order_relaxed);
	memset(&e, 0, sizeof(e));
	e.ino = FIRST_NEW + n;
	attributes(e.ino, &e.attr);
	fi->direct_io = 1;
	fuse_reply_create(req, &e, fi);
}

static void null_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	unsigned long n = number(name, "new-", NEW_COUNT);
	unsigned long long before = 0;

	if (parent == ROOT && n < NEW_COUNT)
		before = atomic_fetch_and_explicit(&new_files, ~(1ULL << n), memory_order_relaxed) & (1ULL << n);
	fuse_reply_err(req, before ? 0 : ENOENT);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void) off;
	(void) fi;
	if (ino == SLOW)
		sleep(1);
	fuse_reply_buf(req, zeros, size < MAX_IO ? size : MAX_IO);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void) ino;
	(void) buf;
	(void) off;
	(void) fi;
	fuse_reply_write(req, size);
}

/* Entry number index of a directory; 0 behind the last one. */
static fuse_ino_t entry(fuse_ino_t dir, unsigned long index, char name[13])
{
	static const char *const names[] = { "zero", "slow", "many" };

	if (dir == ROOT && index < 3) {
		strcpy(name, names[index]);
		return ZERO + index;
	}
	if (dir == MANY && index < ENTRY_COUNT) {
		entry_name(index, name);
		return FIRST_ENTRY + index;
	}
	return 0;
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, int plus)
{
	char *buf = malloc(size);
	size_t used = 0, len;
	struct fuse_entry_param e;
	char name[13];

	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	memset(&e, 0, sizeof(e));
	while ((e.ino = entry(ino, off, name)) != 0) {
		attributes(e.ino, &e.attr);
		off++;
		if (plus)
			len = fuse_add_direntry_plus(req, buf + used, size - used, name, &e, off);
		else
			len = fuse_add_direntry(req, buf + used, size - used, name, &e.attr, off);
		if (len > size - used)
			break;
		used += len;
	}
	fuse_reply_buf(req, buf, used);
	free(buf);
}

static void null_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	(void) fi;
	list(req, ino, size, off, 0);
}

static void null_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			     struct fuse_file_info *fi)
{
	(void) fi;
	list(req, ino, size, off, 1);
}

static const struct fuse_lowlevel_ops operations = {
	.init = null_init,
	.lookup = null_lookup,
	.getattr = null_getattr,
	.open = null_open,
	.create = null_create,
	.unlink = null_unlink,
	.read = null_read,
	.write = null_write,
	.readdir = null_readdir,
	.readdirplus = null_readdirplus,
};

static int loop_mt(struct fuse_session *se, int clone_fd)
{
	/* Apart from clone_fd as libfuse has it. */
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 12)
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int result;

	fuse_loop_cfg_set_clone_fd(config, clone_fd);
	result = fuse_session_loop_mt(se, config);
	fuse_loop_cfg_destroy(config);
	return result;
#else
	struct fuse_loop_config config = { .clone_fd = clone_fd, .max_idle_threads = 10 };

	return fuse_session_loop_mt(se, &config);
#endif
}

static void map_zeros(void)
{
	const char *path = getenv("BENCH_ZEROS");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *memory;

	if (fd == -1)
		return;
	memory = mmap(NULL, MAX_IO, PROT_READ, MAP_SHARED, fd, 0);
	if (memory != MAP_FAILED)
		zeros = memory;
	close(fd);
}

int main(int argc, char *argv[])
{
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *se;
	int result = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: %s MOUNTPOINT single|mt|mt-clone\n", argv[0]);
		return 2;
	}
	map_zeros();
	se = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (se == NULL)
		return 1;
	if (fuse_set_signal_handlers(se) == 0) {
		if (fuse_session_mount(se, argv[1]) == 0) {
			if (strcmp(argv[2], "single") == 0)
				result = fuse_session_loop(se);
			else
				result = loop_mt(se, strcmp(argv[2], "mt-clone") == 0);
			fuse_session_unmount(se);
		}
		fuse_remove_signal_handlers(se);
	}
	fuse_session_destroy(se);
	return result != 0;
}
