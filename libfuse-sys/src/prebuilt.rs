// Made by `make bindings`, by bindgen from the headers of libfuse 3.14.0 on x86_64.
// Used where DOCS_RS is set, and nowhere else.

pub use libc::{dev_t, gid_t, mode_t, off_t, pid_t, uid_t, flock, iovec, stat, statvfs, statx};

#[repr(C)]
#[derive(Copy, Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct __BindgenBitfieldUnit<Storage> {
    storage: Storage,
}
impl<Storage> __BindgenBitfieldUnit<Storage> {
    #[inline]
    pub const fn new(storage: Storage) -> Self {
        Self { storage }
    }
}
impl<Storage> __BindgenBitfieldUnit<Storage>
where
    Storage: AsRef<[u8]> + AsMut<[u8]>,
{
    #[inline]
    fn extract_bit(byte: u8, index: usize) -> bool {
        let bit_index = if cfg!(target_endian = "big") {
            7 - (index % 8)
        } else {
            index % 8
        };
        let mask = 1 << bit_index;
        byte & mask == mask
    }
    #[inline]
    pub fn get_bit(&self, index: usize) -> bool {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = self.storage.as_ref()[byte_index];
        Self::extract_bit(byte, index)
    }
    #[inline]
    pub unsafe fn raw_get_bit(this: *const Self, index: usize) -> bool {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            *(core::ptr::addr_of!((*this).storage) as *const u8).offset(byte_index as isize)
        };
        Self::extract_bit(byte, index)
    }
    #[inline]
    fn change_bit(byte: u8, index: usize, val: bool) -> u8 {
        let bit_index = if cfg!(target_endian = "big") {
            7 - (index % 8)
        } else {
            index % 8
        };
        let mask = 1 << bit_index;
        if val { byte | mask } else { byte & !mask }
    }
    #[inline]
    pub fn set_bit(&mut self, index: usize, val: bool) {
        debug_assert!(index / 8 < self.storage.as_ref().len());
        let byte_index = index / 8;
        let byte = &mut self.storage.as_mut()[byte_index];
        *byte = Self::change_bit(*byte, index, val);
    }
    #[inline]
    pub unsafe fn raw_set_bit(this: *mut Self, index: usize, val: bool) {
        debug_assert!(index / 8 < core::mem::size_of::<Storage>());
        let byte_index = index / 8;
        let byte = unsafe {
            (core::ptr::addr_of_mut!((*this).storage) as *mut u8).offset(byte_index as isize)
        };
        unsafe { *byte = Self::change_bit(*byte, index, val) };
    }
    #[inline]
    pub fn get(&self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!((bit_offset + (bit_width as usize) + 7) / 8 <= self.storage.as_ref().len());
        if bit_width == 0 {
            return 0;
        }
        let mut val = 0u64;
        let storage = self.storage.as_ref();
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        if cfg!(target_endian = "big") {
            for i in 0..bytes_needed {
                val |= (storage[start_byte + i].reverse_bits() as u64) << (i * 8);
            }
        } else {
            for i in 0..bytes_needed {
                val |= (storage[start_byte + i] as u64) << (i * 8);
            }
        }
        val >>= bit_shift;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        val
    }
    #[inline]
    pub unsafe fn raw_get(this: *const Self, bit_offset: usize, bit_width: u8) -> u64 {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8 <= core::mem::size_of::<Storage>()
        );
        if bit_width == 0 {
            return 0;
        }
        let mut val = 0u64;
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        let storage_ptr = unsafe { core::ptr::addr_of!((*this).storage) as *const u8 };
        if cfg!(target_endian = "big") {
            for i in 0..bytes_needed {
                let byte = unsafe { *storage_ptr.add(start_byte + i) };
                val |= (byte.reverse_bits() as u64) << (i * 8);
            }
        } else {
            for i in 0..bytes_needed {
                let byte = unsafe { *storage_ptr.add(start_byte + i) };
                val |= (byte as u64) << (i * 8);
            }
        }
        val >>= bit_shift;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        val
    }
    #[inline]
    pub fn set(&mut self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < self.storage.as_ref().len());
        debug_assert!((bit_offset + (bit_width as usize) + 7) / 8 <= self.storage.as_ref().len());
        if bit_width == 0 {
            return;
        }
        let mut val = val;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        let storage = self.storage.as_mut();
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        val <<= bit_shift;
        let field_mask = if bit_width as usize + bit_shift >= 64 {
            !0u64 << bit_shift
        } else {
            ((1u64 << bit_width) - 1) << bit_shift
        };
        for i in 0..bytes_needed {
            let byte_val = (val >> (i * 8)) as u8;
            let byte_mask = (field_mask >> (i * 8)) as u8;
            if cfg!(target_endian = "big") {
                let byte = storage[start_byte + i].reverse_bits();
                let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                storage[start_byte + i] = new_byte.reverse_bits();
            } else {
                storage[start_byte + i] =
                    (storage[start_byte + i] & !byte_mask) | (byte_val & byte_mask);
            }
        }
    }
    #[inline]
    pub unsafe fn raw_set(this: *mut Self, bit_offset: usize, bit_width: u8, val: u64) {
        debug_assert!(bit_width <= 64);
        debug_assert!(bit_offset / 8 < core::mem::size_of::<Storage>());
        debug_assert!(
            (bit_offset + (bit_width as usize) + 7) / 8 <= core::mem::size_of::<Storage>()
        );
        if bit_width == 0 {
            return;
        }
        let mut val = val;
        if bit_width < 64 {
            val &= (1u64 << bit_width) - 1;
        }
        if cfg!(target_endian = "big") {
            val = val.reverse_bits() >> (64 - bit_width as usize);
        }
        let start_byte = bit_offset / 8;
        let bit_shift = bit_offset % 8;
        let bytes_needed = (bit_width as usize + bit_shift + 7) / 8;
        val <<= bit_shift;
        let field_mask = if bit_width as usize + bit_shift >= 64 {
            !0u64 << bit_shift
        } else {
            ((1u64 << bit_width) - 1) << bit_shift
        };
        let storage_ptr = unsafe { core::ptr::addr_of_mut!((*this).storage) as *mut u8 };
        for i in 0..bytes_needed {
            let byte_val = (val >> (i * 8)) as u8;
            let byte_mask = (field_mask >> (i * 8)) as u8;
            let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
            if cfg!(target_endian = "big") {
                let byte = unsafe { (*byte_ptr).reverse_bits() };
                let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                unsafe { *byte_ptr = new_byte.reverse_bits() };
            } else {
                unsafe { *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask) };
            }
        }
    }
}
#[doc = " Const-generic methods for efficient bitfield access when offset and width"]
#[doc = " are known at compile time."]
impl<const N: usize> __BindgenBitfieldUnit<[u8; N]> {
    #[doc = " Get a field using const generics for compile-time optimization."]
    #[doc = " Uses native word size operations when the field fits in usize."]
    #[inline]
    pub const fn get_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(&self) -> u64 {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return 0;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = 0usize;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i].reverse_bits() as usize) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i] as usize) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val as u64
        } else {
            let mut val = 0u64;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i].reverse_bits() as u64) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    val |= (self.storage[start_byte + i] as u64) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val
        }
    }
    #[doc = " Set a field using const generics for compile-time optimization."]
    #[doc = " Uses native word size operations when the field fits in usize."]
    #[inline]
    pub fn set_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(&mut self, val: u64) {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = val as usize;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= usize::BITS as usize {
                !0usize << bit_shift
            } else {
                ((1usize << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                if cfg!(target_endian = "big") {
                    let byte = self.storage[start_byte + i].reverse_bits();
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    self.storage[start_byte + i] = new_byte.reverse_bits();
                } else {
                    self.storage[start_byte + i] =
                        (self.storage[start_byte + i] & !byte_mask) | (byte_val & byte_mask);
                }
                i += 1;
            }
        } else {
            let mut val = val;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= 64 {
                !0u64 << bit_shift
            } else {
                ((1u64 << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                if cfg!(target_endian = "big") {
                    let byte = self.storage[start_byte + i].reverse_bits();
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    self.storage[start_byte + i] = new_byte.reverse_bits();
                } else {
                    self.storage[start_byte + i] =
                        (self.storage[start_byte + i] & !byte_mask) | (byte_val & byte_mask);
                }
                i += 1;
            }
        }
    }
    #[doc = " Raw pointer get using const generics for compile-time optimization."]
    #[doc = " Uses native word size operations when the field fits in usize."]
    #[inline]
    pub const unsafe fn raw_get_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(
        this: *const Self,
    ) -> u64 {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return 0;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        let storage_ptr = unsafe { core::ptr::addr_of!((*this).storage) as *const u8 };
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = 0usize;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte.reverse_bits() as usize) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte as usize) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val as u64
        } else {
            let mut val = 0u64;
            if cfg!(target_endian = "big") {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte.reverse_bits() as u64) << (i * 8);
                    i += 1;
                }
            } else {
                let mut i = 0;
                while i < bytes_needed {
                    let byte = unsafe { *storage_ptr.add(start_byte + i) };
                    val |= (byte as u64) << (i * 8);
                    i += 1;
                }
            }
            val >>= bit_shift;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val
        }
    }
    #[doc = " Raw pointer set using const generics for compile-time optimization."]
    #[doc = " Uses native word size operations when the field fits in usize."]
    #[inline]
    pub unsafe fn raw_set_const<const BIT_OFFSET: usize, const BIT_WIDTH: u8>(
        this: *mut Self,
        val: u64,
    ) {
        debug_assert!(BIT_WIDTH <= 64);
        debug_assert!(BIT_OFFSET / 8 < N);
        debug_assert!((BIT_OFFSET + (BIT_WIDTH as usize) + 7) / 8 <= N);
        if BIT_WIDTH == 0 {
            return;
        }
        let start_byte = BIT_OFFSET / 8;
        let bit_shift = BIT_OFFSET % 8;
        let bytes_needed = (BIT_WIDTH as usize + bit_shift + 7) / 8;
        let storage_ptr = this.cast::<[u8; N]>().cast::<u8>();
        if BIT_WIDTH as usize + bit_shift <= usize::BITS as usize {
            let mut val = val as usize;
            if (BIT_WIDTH as u32) < usize::BITS {
                val &= (1usize << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (usize::BITS as usize - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= usize::BITS as usize {
                !0usize << bit_shift
            } else {
                ((1usize << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
                if cfg!(target_endian = "big") {
                    let byte = unsafe { (*byte_ptr).reverse_bits() };
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    unsafe { *byte_ptr = new_byte.reverse_bits() };
                } else {
                    unsafe { *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask) };
                }
                i += 1;
            }
        } else {
            let mut val = val;
            if BIT_WIDTH < 64 {
                val &= (1u64 << BIT_WIDTH) - 1;
            }
            if cfg!(target_endian = "big") {
                val = val.reverse_bits() >> (64 - BIT_WIDTH as usize);
            }
            val <<= bit_shift;
            let field_mask = if BIT_WIDTH as usize + bit_shift >= 64 {
                !0u64 << bit_shift
            } else {
                ((1u64 << BIT_WIDTH) - 1) << bit_shift
            };
            let mut i = 0;
            while i < bytes_needed {
                let byte_val = (val >> (i * 8)) as u8;
                let byte_mask = (field_mask >> (i * 8)) as u8;
                let byte_ptr = unsafe { storage_ptr.add(start_byte + i) };
                if cfg!(target_endian = "big") {
                    let byte = unsafe { (*byte_ptr).reverse_bits() };
                    let new_byte = (byte & !byte_mask) | (byte_val & byte_mask);
                    unsafe { *byte_ptr = new_byte.reverse_bits() };
                } else {
                    unsafe { *byte_ptr = (*byte_ptr & !byte_mask) | (byte_val & byte_mask) };
                }
                i += 1;
            }
        }
    }
}
pub const LIBFUSE_BUILT_WITH_VERSIONED_SYMBOLS: u32 = 1;
pub const FUSE_OPT_KEY_OPT: i32 = -1;
pub const FUSE_OPT_KEY_NONOPT: i32 = -2;
pub const FUSE_OPT_KEY_KEEP: i32 = -3;
pub const FUSE_OPT_KEY_DISCARD: i32 = -4;
pub const FUSE_MAJOR_VERSION: u32 = 3;
pub const FUSE_MINOR_VERSION: u32 = 14;
pub const FUSE_CAP_ASYNC_READ: u32 = 1;
pub const FUSE_CAP_POSIX_LOCKS: u32 = 2;
pub const FUSE_CAP_ATOMIC_O_TRUNC: u32 = 8;
pub const FUSE_CAP_EXPORT_SUPPORT: u32 = 16;
pub const FUSE_CAP_DONT_MASK: u32 = 64;
pub const FUSE_CAP_SPLICE_WRITE: u32 = 128;
pub const FUSE_CAP_SPLICE_MOVE: u32 = 256;
pub const FUSE_CAP_SPLICE_READ: u32 = 512;
pub const FUSE_CAP_FLOCK_LOCKS: u32 = 1024;
pub const FUSE_CAP_IOCTL_DIR: u32 = 2048;
pub const FUSE_CAP_AUTO_INVAL_DATA: u32 = 4096;
pub const FUSE_CAP_READDIRPLUS: u32 = 8192;
pub const FUSE_CAP_READDIRPLUS_AUTO: u32 = 16384;
pub const FUSE_CAP_ASYNC_DIO: u32 = 32768;
pub const FUSE_CAP_WRITEBACK_CACHE: u32 = 65536;
pub const FUSE_CAP_NO_OPEN_SUPPORT: u32 = 131072;
pub const FUSE_CAP_PARALLEL_DIROPS: u32 = 262144;
pub const FUSE_CAP_POSIX_ACL: u32 = 524288;
pub const FUSE_CAP_HANDLE_KILLPRIV: u32 = 1048576;
pub const FUSE_CAP_CACHE_SYMLINKS: u32 = 8388608;
pub const FUSE_CAP_NO_OPENDIR_SUPPORT: u32 = 16777216;
pub const FUSE_CAP_EXPLICIT_INVAL_DATA: u32 = 33554432;
pub const FUSE_CAP_EXPIRE_ONLY: u32 = 67108864;
pub const FUSE_IOCTL_COMPAT: u32 = 1;
pub const FUSE_IOCTL_UNRESTRICTED: u32 = 2;
pub const FUSE_IOCTL_RETRY: u32 = 4;
pub const FUSE_IOCTL_DIR: u32 = 16;
pub const FUSE_IOCTL_MAX_IOV: u32 = 256;
pub const FUSE_ROOT_ID: u32 = 1;
pub const FUSE_SET_ATTR_MODE: u32 = 1;
pub const FUSE_SET_ATTR_UID: u32 = 2;
pub const FUSE_SET_ATTR_GID: u32 = 4;
pub const FUSE_SET_ATTR_SIZE: u32 = 8;
pub const FUSE_SET_ATTR_ATIME: u32 = 16;
pub const FUSE_SET_ATTR_MTIME: u32 = 32;
pub const FUSE_SET_ATTR_ATIME_NOW: u32 = 128;
pub const FUSE_SET_ATTR_MTIME_NOW: u32 = 256;
pub const FUSE_SET_ATTR_FORCE: u32 = 512;
pub const FUSE_SET_ATTR_CTIME: u32 = 1024;
pub const FUSE_SET_ATTR_KILL_SUID: u32 = 2048;
pub const FUSE_SET_ATTR_KILL_SGID: u32 = 4096;
pub const FUSE_SET_ATTR_FILE: u32 = 8192;
pub const FUSE_SET_ATTR_KILL_PRIV: u32 = 16384;
pub const FUSE_SET_ATTR_OPEN: u32 = 32768;
pub const FUSE_SET_ATTR_TIMES_SET: u32 = 65536;
pub const FUSE_SET_ATTR_TOUCH: u32 = 131072;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_opt {
    pub templ: *const ::core::ffi::c_char,
    pub offset: ::core::ffi::c_ulong,
    pub value: ::core::ffi::c_int,
}
impl Default for fuse_opt {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_args {
    pub argc: ::core::ffi::c_int,
    pub argv: *mut *mut ::core::ffi::c_char,
    pub allocated: ::core::ffi::c_int,
}
impl Default for fuse_args {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type fuse_opt_proc_t = ::core::option::Option<
    unsafe extern "C" fn(
        data: *mut ::core::ffi::c_void,
        arg: *const ::core::ffi::c_char,
        key: ::core::ffi::c_int,
        outargs: *mut fuse_args,
    ) -> ::core::ffi::c_int,
>;
unsafe extern "C" {
    pub fn fuse_opt_parse(
        args: *mut fuse_args,
        data: *mut ::core::ffi::c_void,
        opts: *const fuse_opt,
        proc_: fuse_opt_proc_t,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_opt_add_opt(
        opts: *mut *mut ::core::ffi::c_char,
        opt: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_opt_add_opt_escaped(
        opts: *mut *mut ::core::ffi::c_char,
        opt: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_opt_add_arg(
        args: *mut fuse_args,
        arg: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_opt_insert_arg(
        args: *mut fuse_args,
        pos: ::core::ffi::c_int,
        arg: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_opt_free_args(args: *mut fuse_args);
}
unsafe extern "C" {
    pub fn fuse_opt_match(
        opts: *const fuse_opt,
        opt: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
pub const FUSE_LOG_EMERG: fuse_log_level = 0;
pub const FUSE_LOG_ALERT: fuse_log_level = 1;
pub const FUSE_LOG_CRIT: fuse_log_level = 2;
pub const FUSE_LOG_ERR: fuse_log_level = 3;
pub const FUSE_LOG_WARNING: fuse_log_level = 4;
pub const FUSE_LOG_NOTICE: fuse_log_level = 5;
pub const FUSE_LOG_INFO: fuse_log_level = 6;
pub const FUSE_LOG_DEBUG: fuse_log_level = 7;
pub type fuse_log_level = ::core::ffi::c_uint;
unsafe extern "C" {
    pub fn fuse_log(level: fuse_log_level, fmt: *const ::core::ffi::c_char, ...);
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_file_info {
    pub flags: ::core::ffi::c_int,
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 8usize]>,
    pub fh: u64,
    pub lock_owner: u64,
    pub poll_events: u32,
}
impl fuse_file_info {
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn writepage(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<0usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_writepage(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<0usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn writepage_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<0usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_writepage_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<0usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn direct_io(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<1usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_direct_io(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<1usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn direct_io_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<1usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_direct_io_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<1usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn keep_cache(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<2usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_keep_cache(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<2usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn keep_cache_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<2usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_keep_cache_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<2usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn flush(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<3usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_flush(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<3usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn flush_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<3usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_flush_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<3usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn nonseekable(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<4usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_nonseekable(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<4usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn nonseekable_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<4usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_nonseekable_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<4usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn flock_release(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<5usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_flock_release(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<5usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn flock_release_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<5usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_flock_release_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<5usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn cache_readdir(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<6usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_cache_readdir(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<6usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn cache_readdir_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<6usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_cache_readdir_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<6usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn noflush(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<7usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_noflush(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<7usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn noflush_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<7usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_noflush_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<7usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn padding(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<8usize, 24u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_padding(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<8usize, 24u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn padding_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(<__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<
                8usize,
                24u8,
            >(::core::ptr::addr_of!((*this)._bitfield_1))
                as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_padding_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<8usize, 24u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn padding2(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<32usize, 32u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set_padding2(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<32usize, 32u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn padding2_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(<__BindgenBitfieldUnit<[u8; 8usize]>>::raw_get_const::<
                32usize,
                32u8,
            >(::core::ptr::addr_of!((*this)._bitfield_1))
                as u32)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set_padding2_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 8usize]>>::raw_set_const::<32usize, 32u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn new_bitfield_1(
        writepage: ::core::ffi::c_uint,
        direct_io: ::core::ffi::c_uint,
        keep_cache: ::core::ffi::c_uint,
        flush: ::core::ffi::c_uint,
        nonseekable: ::core::ffi::c_uint,
        flock_release: ::core::ffi::c_uint,
        cache_readdir: ::core::ffi::c_uint,
        noflush: ::core::ffi::c_uint,
        padding: ::core::ffi::c_uint,
        padding2: ::core::ffi::c_uint,
    ) -> __BindgenBitfieldUnit<[u8; 8usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 8usize]> = Default::default();
        __bindgen_bitfield_unit.set_const::<0usize, 1u8>({
            let writepage: u32 = unsafe { ::core::mem::transmute(writepage) };
            writepage as u64
        });
        __bindgen_bitfield_unit.set_const::<1usize, 1u8>({
            let direct_io: u32 = unsafe { ::core::mem::transmute(direct_io) };
            direct_io as u64
        });
        __bindgen_bitfield_unit.set_const::<2usize, 1u8>({
            let keep_cache: u32 = unsafe { ::core::mem::transmute(keep_cache) };
            keep_cache as u64
        });
        __bindgen_bitfield_unit.set_const::<3usize, 1u8>({
            let flush: u32 = unsafe { ::core::mem::transmute(flush) };
            flush as u64
        });
        __bindgen_bitfield_unit.set_const::<4usize, 1u8>({
            let nonseekable: u32 = unsafe { ::core::mem::transmute(nonseekable) };
            nonseekable as u64
        });
        __bindgen_bitfield_unit.set_const::<5usize, 1u8>({
            let flock_release: u32 = unsafe { ::core::mem::transmute(flock_release) };
            flock_release as u64
        });
        __bindgen_bitfield_unit.set_const::<6usize, 1u8>({
            let cache_readdir: u32 = unsafe { ::core::mem::transmute(cache_readdir) };
            cache_readdir as u64
        });
        __bindgen_bitfield_unit.set_const::<7usize, 1u8>({
            let noflush: u32 = unsafe { ::core::mem::transmute(noflush) };
            noflush as u64
        });
        __bindgen_bitfield_unit.set_const::<8usize, 24u8>({
            let padding: u32 = unsafe { ::core::mem::transmute(padding) };
            padding as u64
        });
        __bindgen_bitfield_unit.set_const::<32usize, 32u8>({
            let padding2: u32 = unsafe { ::core::mem::transmute(padding2) };
            padding2 as u64
        });
        __bindgen_bitfield_unit
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_loop_config_v1 {
    pub clone_fd: ::core::ffi::c_int,
    pub max_idle_threads: ::core::ffi::c_uint,
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_conn_info {
    pub proto_major: ::core::ffi::c_uint,
    pub proto_minor: ::core::ffi::c_uint,
    pub max_write: ::core::ffi::c_uint,
    pub max_read: ::core::ffi::c_uint,
    pub max_readahead: ::core::ffi::c_uint,
    pub capable: ::core::ffi::c_uint,
    pub want: ::core::ffi::c_uint,
    pub max_background: ::core::ffi::c_uint,
    pub congestion_threshold: ::core::ffi::c_uint,
    pub time_gran: ::core::ffi::c_uint,
    pub reserved: [::core::ffi::c_uint; 22usize],
}
#[repr(C)]
#[derive(Debug)]
pub struct fuse_session {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct fuse_pollhandle {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct fuse_conn_info_opts {
    _unused: [u8; 0],
}
unsafe extern "C" {
    pub fn fuse_parse_conn_info_opts(args: *mut fuse_args) -> *mut fuse_conn_info_opts;
}
unsafe extern "C" {
    pub fn fuse_apply_conn_info_opts(opts: *mut fuse_conn_info_opts, conn: *mut fuse_conn_info);
}
unsafe extern "C" {
    pub fn fuse_daemonize(foreground: ::core::ffi::c_int) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_version() -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_pkgversion() -> *const ::core::ffi::c_char;
}
unsafe extern "C" {
    pub fn fuse_pollhandle_destroy(ph: *mut fuse_pollhandle);
}
pub const FUSE_BUF_IS_FD: fuse_buf_flags = 2;
pub const FUSE_BUF_FD_SEEK: fuse_buf_flags = 4;
pub const FUSE_BUF_FD_RETRY: fuse_buf_flags = 8;
pub type fuse_buf_flags = ::core::ffi::c_uint;
pub const FUSE_BUF_NO_SPLICE: fuse_buf_copy_flags = 2;
pub const FUSE_BUF_FORCE_SPLICE: fuse_buf_copy_flags = 4;
pub const FUSE_BUF_SPLICE_MOVE: fuse_buf_copy_flags = 8;
pub const FUSE_BUF_SPLICE_NONBLOCK: fuse_buf_copy_flags = 16;
pub type fuse_buf_copy_flags = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_buf {
    pub size: usize,
    pub flags: fuse_buf_flags,
    pub mem: *mut ::core::ffi::c_void,
    pub fd: ::core::ffi::c_int,
    pub pos: off_t,
}
impl Default for fuse_buf {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_bufvec {
    pub count: usize,
    pub idx: usize,
    pub off: usize,
    pub buf: [fuse_buf; 1usize],
}
impl Default for fuse_bufvec {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn fuse_buf_size(bufv: *const fuse_bufvec) -> usize;
}
unsafe extern "C" {
    pub fn fuse_buf_copy(
        dst: *mut fuse_bufvec,
        src: *mut fuse_bufvec,
        flags: fuse_buf_copy_flags,
    ) -> isize;
}
unsafe extern "C" {
    pub fn fuse_set_signal_handlers(se: *mut fuse_session) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_remove_signal_handlers(se: *mut fuse_session);
}
#[repr(C)]
#[derive(Debug)]
pub struct fuse_loop_config {
    _unused: [u8; 0],
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_create() -> *mut fuse_loop_config;
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_destroy(config: *mut fuse_loop_config);
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_set_idle_threads(
        config: *mut fuse_loop_config,
        value: ::core::ffi::c_uint,
    );
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_set_max_threads(config: *mut fuse_loop_config, value: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_set_clone_fd(config: *mut fuse_loop_config, value: ::core::ffi::c_uint);
}
unsafe extern "C" {
    pub fn fuse_loop_cfg_convert(config: *mut fuse_loop_config, v1_conf: *mut fuse_loop_config_v1);
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct _fuse_off_t_must_be_64bit_dummy_struct {
    pub _bindgen_align: [u32; 0],
    pub _bitfield_1: __BindgenBitfieldUnit<[u8; 1usize]>,
    pub __bindgen_padding_0: [u8; 3usize],
}
impl _fuse_off_t_must_be_64bit_dummy_struct {
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn _fuse_off_t_must_be_64bit(&self) -> ::core::ffi::c_uint {
        unsafe { ::core::mem::transmute(self._bitfield_1.get_const::<0usize, 1u8>() as u32) }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn set__fuse_off_t_must_be_64bit(&mut self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            self._bitfield_1.set_const::<0usize, 1u8>(val as u64)
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn _fuse_off_t_must_be_64bit_raw(this: *const Self) -> ::core::ffi::c_uint {
        unsafe {
            ::core::mem::transmute(
                <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_get_const::<0usize, 1u8>(
                    ::core::ptr::addr_of!((*this)._bitfield_1),
                ) as u32,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub unsafe fn set__fuse_off_t_must_be_64bit_raw(this: *mut Self, val: ::core::ffi::c_uint) {
        unsafe {
            let val: u32 = ::core::mem::transmute(val);
            <__BindgenBitfieldUnit<[u8; 1usize]>>::raw_set_const::<0usize, 1u8>(
                ::core::ptr::addr_of_mut!((*this)._bitfield_1),
                val as u64,
            )
        }
    }
    #[inline]
    #[allow(unnecessary_transmutes)]
    pub fn new_bitfield_1(
        _fuse_off_t_must_be_64bit: ::core::ffi::c_uint,
    ) -> __BindgenBitfieldUnit<[u8; 1usize]> {
        let mut __bindgen_bitfield_unit: __BindgenBitfieldUnit<[u8; 1usize]> = Default::default();
        __bindgen_bitfield_unit.set_const::<0usize, 1u8>({
            let _fuse_off_t_must_be_64bit: u32 =
                unsafe { ::core::mem::transmute(_fuse_off_t_must_be_64bit) };
            _fuse_off_t_must_be_64bit as u64
        });
        __bindgen_bitfield_unit
    }
}
pub type fuse_ino_t = u64;
#[repr(C)]
#[derive(Debug)]
pub struct fuse_req {
    _unused: [u8; 0],
}
pub type fuse_req_t = *mut fuse_req;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_entry_param {
    pub ino: fuse_ino_t,
    pub generation: u64,
    pub attr: stat,
    pub attr_timeout: f64,
    pub entry_timeout: f64,
}
impl Default for fuse_entry_param {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_ctx {
    pub uid: uid_t,
    pub gid: gid_t,
    pub pid: pid_t,
    pub umask: mode_t,
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_forget_data {
    pub ino: fuse_ino_t,
    pub nlookup: u64,
}
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_custom_io {
    pub writev: ::core::option::Option<
        unsafe extern "C" fn(
            fd: ::core::ffi::c_int,
            iov: *mut iovec,
            count: ::core::ffi::c_int,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub read: ::core::option::Option<
        unsafe extern "C" fn(
            fd: ::core::ffi::c_int,
            buf: *mut ::core::ffi::c_void,
            buf_len: usize,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub splice_receive: ::core::option::Option<
        unsafe extern "C" fn(
            fdin: ::core::ffi::c_int,
            offin: *mut off_t,
            fdout: ::core::ffi::c_int,
            offout: *mut off_t,
            len: usize,
            flags: ::core::ffi::c_uint,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
    pub splice_send: ::core::option::Option<
        unsafe extern "C" fn(
            fdin: ::core::ffi::c_int,
            offin: *mut off_t,
            fdout: ::core::ffi::c_int,
            offout: *mut off_t,
            len: usize,
            flags: ::core::ffi::c_uint,
            userdata: *mut ::core::ffi::c_void,
        ) -> isize,
    >,
}
pub const FUSE_LL_EXPIRE_ONLY: fuse_expire_flags = 1;
pub type fuse_expire_flags = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Debug, Default, Copy, Clone)]
pub struct fuse_lowlevel_ops {
    pub init: ::core::option::Option<
        unsafe extern "C" fn(userdata: *mut ::core::ffi::c_void, conn: *mut fuse_conn_info),
    >,
    pub destroy: ::core::option::Option<unsafe extern "C" fn(userdata: *mut ::core::ffi::c_void)>,
    pub lookup: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, parent: fuse_ino_t, name: *const ::core::ffi::c_char),
    >,
    pub forget: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, nlookup: u64),
    >,
    pub getattr: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub setattr: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            attr: *mut stat,
            to_set: ::core::ffi::c_int,
            fi: *mut fuse_file_info,
        ),
    >,
    pub readlink: ::core::option::Option<unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t)>,
    pub mknod: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            parent: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            mode: mode_t,
            rdev: dev_t,
        ),
    >,
    pub mkdir: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            parent: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            mode: mode_t,
        ),
    >,
    pub unlink: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, parent: fuse_ino_t, name: *const ::core::ffi::c_char),
    >,
    pub rmdir: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, parent: fuse_ino_t, name: *const ::core::ffi::c_char),
    >,
    pub symlink: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            link: *const ::core::ffi::c_char,
            parent: fuse_ino_t,
            name: *const ::core::ffi::c_char,
        ),
    >,
    pub rename: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            parent: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            newparent: fuse_ino_t,
            newname: *const ::core::ffi::c_char,
            flags: ::core::ffi::c_uint,
        ),
    >,
    pub link: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            newparent: fuse_ino_t,
            newname: *const ::core::ffi::c_char,
        ),
    >,
    pub open: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub read: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            size: usize,
            off: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub write: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            buf: *const ::core::ffi::c_char,
            size: usize,
            off: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub flush: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub release: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub fsync: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            datasync: ::core::ffi::c_int,
            fi: *mut fuse_file_info,
        ),
    >,
    pub opendir: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub readdir: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            size: usize,
            off: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub releasedir: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, fi: *mut fuse_file_info),
    >,
    pub fsyncdir: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            datasync: ::core::ffi::c_int,
            fi: *mut fuse_file_info,
        ),
    >,
    pub statfs: ::core::option::Option<unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t)>,
    pub setxattr: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            value: *const ::core::ffi::c_char,
            size: usize,
            flags: ::core::ffi::c_int,
        ),
    >,
    pub getxattr: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            size: usize,
        ),
    >,
    pub listxattr:
        ::core::option::Option<unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, size: usize)>,
    pub removexattr: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, name: *const ::core::ffi::c_char),
    >,
    pub access: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, mask: ::core::ffi::c_int),
    >,
    pub create: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            parent: fuse_ino_t,
            name: *const ::core::ffi::c_char,
            mode: mode_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub getlk: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            fi: *mut fuse_file_info,
            lock: *mut flock,
        ),
    >,
    pub setlk: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            fi: *mut fuse_file_info,
            lock: *mut flock,
            sleep: ::core::ffi::c_int,
        ),
    >,
    pub bmap: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, ino: fuse_ino_t, blocksize: usize, idx: u64),
    >,
    pub ioctl: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            cmd: ::core::ffi::c_uint,
            arg: *mut ::core::ffi::c_void,
            fi: *mut fuse_file_info,
            flags: ::core::ffi::c_uint,
            in_buf: *const ::core::ffi::c_void,
            in_bufsz: usize,
            out_bufsz: usize,
        ),
    >,
    pub poll: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            fi: *mut fuse_file_info,
            ph: *mut fuse_pollhandle,
        ),
    >,
    pub write_buf: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            bufv: *mut fuse_bufvec,
            off: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub retrieve_reply: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            cookie: *mut ::core::ffi::c_void,
            ino: fuse_ino_t,
            offset: off_t,
            bufv: *mut fuse_bufvec,
        ),
    >,
    pub forget_multi: ::core::option::Option<
        unsafe extern "C" fn(req: fuse_req_t, count: usize, forgets: *mut fuse_forget_data),
    >,
    pub flock: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            fi: *mut fuse_file_info,
            op: ::core::ffi::c_int,
        ),
    >,
    pub fallocate: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            mode: ::core::ffi::c_int,
            offset: off_t,
            length: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub readdirplus: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            size: usize,
            off: off_t,
            fi: *mut fuse_file_info,
        ),
    >,
    pub copy_file_range: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino_in: fuse_ino_t,
            off_in: off_t,
            fi_in: *mut fuse_file_info,
            ino_out: fuse_ino_t,
            off_out: off_t,
            fi_out: *mut fuse_file_info,
            len: usize,
            flags: ::core::ffi::c_int,
        ),
    >,
    pub lseek: ::core::option::Option<
        unsafe extern "C" fn(
            req: fuse_req_t,
            ino: fuse_ino_t,
            off: off_t,
            whence: ::core::ffi::c_int,
            fi: *mut fuse_file_info,
        ),
    >,
}
unsafe extern "C" {
    pub fn fuse_reply_err(req: fuse_req_t, err: ::core::ffi::c_int) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_none(req: fuse_req_t);
}
unsafe extern "C" {
    pub fn fuse_reply_entry(req: fuse_req_t, e: *const fuse_entry_param) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_create(
        req: fuse_req_t,
        e: *const fuse_entry_param,
        fi: *const fuse_file_info,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_attr(
        req: fuse_req_t,
        attr: *const stat,
        attr_timeout: f64,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_readlink(
        req: fuse_req_t,
        link: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_open(req: fuse_req_t, fi: *const fuse_file_info) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_write(req: fuse_req_t, count: usize) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_buf(
        req: fuse_req_t,
        buf: *const ::core::ffi::c_char,
        size: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_data(
        req: fuse_req_t,
        bufv: *mut fuse_bufvec,
        flags: fuse_buf_copy_flags,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_iov(
        req: fuse_req_t,
        iov: *const iovec,
        count: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_statfs(req: fuse_req_t, stbuf: *const statvfs) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_xattr(req: fuse_req_t, count: usize) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_lock(req: fuse_req_t, lock: *const flock) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_bmap(req: fuse_req_t, idx: u64) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_add_direntry(
        req: fuse_req_t,
        buf: *mut ::core::ffi::c_char,
        bufsize: usize,
        name: *const ::core::ffi::c_char,
        stbuf: *const stat,
        off: off_t,
    ) -> usize;
}
unsafe extern "C" {
    pub fn fuse_add_direntry_plus(
        req: fuse_req_t,
        buf: *mut ::core::ffi::c_char,
        bufsize: usize,
        name: *const ::core::ffi::c_char,
        e: *const fuse_entry_param,
        off: off_t,
    ) -> usize;
}
unsafe extern "C" {
    pub fn fuse_reply_ioctl_retry(
        req: fuse_req_t,
        in_iov: *const iovec,
        in_count: usize,
        out_iov: *const iovec,
        out_count: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_ioctl(
        req: fuse_req_t,
        result: ::core::ffi::c_int,
        buf: *const ::core::ffi::c_void,
        size: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_ioctl_iov(
        req: fuse_req_t,
        result: ::core::ffi::c_int,
        iov: *const iovec,
        count: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_poll(req: fuse_req_t, revents: ::core::ffi::c_uint) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_reply_lseek(req: fuse_req_t, off: off_t) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_poll(ph: *mut fuse_pollhandle) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_inval_inode(
        se: *mut fuse_session,
        ino: fuse_ino_t,
        off: off_t,
        len: off_t,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_inval_entry(
        se: *mut fuse_session,
        parent: fuse_ino_t,
        name: *const ::core::ffi::c_char,
        namelen: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_expire_entry(
        se: *mut fuse_session,
        parent: fuse_ino_t,
        name: *const ::core::ffi::c_char,
        namelen: usize,
        flags: fuse_expire_flags,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_delete(
        se: *mut fuse_session,
        parent: fuse_ino_t,
        child: fuse_ino_t,
        name: *const ::core::ffi::c_char,
        namelen: usize,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_store(
        se: *mut fuse_session,
        ino: fuse_ino_t,
        offset: off_t,
        bufv: *mut fuse_bufvec,
        flags: fuse_buf_copy_flags,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_notify_retrieve(
        se: *mut fuse_session,
        ino: fuse_ino_t,
        size: usize,
        offset: off_t,
        cookie: *mut ::core::ffi::c_void,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_req_userdata(req: fuse_req_t) -> *mut ::core::ffi::c_void;
}
unsafe extern "C" {
    pub fn fuse_req_ctx(req: fuse_req_t) -> *const fuse_ctx;
}
unsafe extern "C" {
    pub fn fuse_req_getgroups(
        req: fuse_req_t,
        size: ::core::ffi::c_int,
        list: *mut gid_t,
    ) -> ::core::ffi::c_int;
}
pub type fuse_interrupt_func_t =
    ::core::option::Option<unsafe extern "C" fn(req: fuse_req_t, data: *mut ::core::ffi::c_void)>;
unsafe extern "C" {
    pub fn fuse_req_interrupt_func(
        req: fuse_req_t,
        func: fuse_interrupt_func_t,
        data: *mut ::core::ffi::c_void,
    );
}
unsafe extern "C" {
    pub fn fuse_req_interrupted(req: fuse_req_t) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_lowlevel_version();
}
unsafe extern "C" {
    pub fn fuse_lowlevel_help();
}
unsafe extern "C" {
    pub fn fuse_cmdline_help();
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct fuse_cmdline_opts {
    pub singlethread: ::core::ffi::c_int,
    pub foreground: ::core::ffi::c_int,
    pub debug: ::core::ffi::c_int,
    pub nodefault_subtype: ::core::ffi::c_int,
    pub mountpoint: *mut ::core::ffi::c_char,
    pub show_version: ::core::ffi::c_int,
    pub show_help: ::core::ffi::c_int,
    pub clone_fd: ::core::ffi::c_int,
    pub max_idle_threads: ::core::ffi::c_uint,
    pub max_threads: ::core::ffi::c_uint,
}
impl Default for fuse_cmdline_opts {
    fn default() -> Self {
        let mut s = ::core::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::core::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn fuse_parse_cmdline(
        args: *mut fuse_args,
        opts: *mut fuse_cmdline_opts,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_new(
        args: *mut fuse_args,
        op: *const fuse_lowlevel_ops,
        op_size: usize,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut fuse_session;
}
unsafe extern "C" {
    pub fn fuse_session_custom_io(
        se: *mut fuse_session,
        io: *const fuse_custom_io,
        fd: ::core::ffi::c_int,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_mount(
        se: *mut fuse_session,
        mountpoint: *const ::core::ffi::c_char,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_loop(se: *mut fuse_session) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_loop_mt(
        se: *mut fuse_session,
        config: *mut fuse_loop_config,
    ) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_exit(se: *mut fuse_session);
}
unsafe extern "C" {
    pub fn fuse_session_reset(se: *mut fuse_session);
}
unsafe extern "C" {
    pub fn fuse_session_exited(se: *mut fuse_session) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_unmount(se: *mut fuse_session);
}
unsafe extern "C" {
    pub fn fuse_session_destroy(se: *mut fuse_session);
}
unsafe extern "C" {
    pub fn fuse_session_fd(se: *mut fuse_session) -> ::core::ffi::c_int;
}
unsafe extern "C" {
    pub fn fuse_session_process_buf(se: *mut fuse_session, buf: *const fuse_buf);
}
unsafe extern "C" {
    pub fn fuse_session_receive_buf(
        se: *mut fuse_session,
        buf: *mut fuse_buf,
    ) -> ::core::ffi::c_int;
}
