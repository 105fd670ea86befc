//! The bytes of a file, in pages; a page that was never written takes no memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use libfuse3::Errno;
use libfuse3::Result;

use crate::space::Space;

pub(crate) const PAGE: u64 = 4096;

/// No file can be larger: sizes are signed numbers of 64 bits to C.
const MAX_SIZE: u64 = i64::MAX as u64;

/// # Invariants
///
/// - Each page has `PAGE` bytes; those of them that are behind `size` are zero, so that growing the
///   file needs no work.
/// - Each page is taken from `space`, and given back when it is dropped.
pub(crate) struct Contents {
    size: u64,
    /// By number: page `n` starts at offset `n * PAGE`. What is missing is a hole.
    pages: BTreeMap<u64, Box<[u8]>>,
    space: Arc<Space>,
}

impl Contents {
    pub(crate) fn new(space: &Arc<Space>) -> Self {
        Self {
            size: 0,
            pages: BTreeMap::new(),
            space: Arc::clone(space),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of memory taken: the size without the holes.
    pub(crate) fn allocated(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }

    /// Up to `size` bytes, fewer only at the end of the file.
    pub(crate) fn read(&self, offset: u64, size: usize) -> Vec<u8> {
        let end = offset.saturating_add(size as u64).min(self.size);
        if offset >= end {
            return Vec::new();
        }
        let mut bytes = vec![0; (end - offset) as usize];
        for (number, page) in self.pages.range(offset / PAGE..=(end - 1) / PAGE) {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + PAGE).min(end));
            bytes[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&page[(from - start) as usize..(to - start) as usize]);
        }
        bytes
    }

    /// Returns how much was written: less than all of `data` where the space ran out on the way.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<usize> {
        if offset
            .checked_add(data.len() as u64)
            .is_none_or(|end| end > MAX_SIZE)
        {
            return Err(Errno::EFBIG);
        }
        let mut done = 0;
        while done < data.len() {
            let position = offset + done as u64;
            let start = (position % PAGE) as usize;
            let part = &data[done..data.len().min(done + PAGE as usize - start)];
            match self.pages.entry(position / PAGE) {
                Entry::Occupied(page) => {
                    page.into_mut()[start..start + part.len()].copy_from_slice(part);
                }
                Entry::Vacant(hole) => {
                    if let Err(error) = self.space.take_bytes(PAGE) {
                        if done > 0 {
                            break;
                        }
                        return Err(error);
                    }
                    let mut page = Vec::with_capacity(PAGE as usize);
                    page.resize(start, 0);
                    page.extend_from_slice(part);
                    page.resize(PAGE as usize, 0);
                    hole.insert(page.into_boxed_slice());
                }
            }
            done += part.len();
            self.size = self.size.max(offset + done as u64);
        }
        Ok(done)
    }

    /// The first byte from `offset` on that is in a page.
    pub(crate) fn next_data(&self, offset: u64) -> Option<u64> {
        let (number, _) = self.pages.range(offset / PAGE..).next()?;
        Some(offset.max(number * PAGE)).filter(|found| *found < self.size)
    }

    /// The first byte from `offset` on that is in no page, if `offset` is in the file.
    pub(crate) fn next_hole(&self, offset: u64) -> Option<u64> {
        if offset >= self.size {
            return None;
        }
        let first = offset / PAGE;
        let pages = self.pages.range(first..).zip(first..);
        let in_a_row = pages.take_while(|((number, _), expected)| *number == expected);
        let behind = (first + in_a_row.count() as u64) * PAGE;
        Some(behind.clamp(offset, self.size))
    }

    /// Makes sure that no write in the range can fail for want of space: all of it, or nothing.
    pub(crate) fn allocate(&mut self, offset: u64, len: u64, keep_size: bool) -> Result<()> {
        let end = offset.checked_add(len).filter(|end| *end <= MAX_SIZE);
        let end = end.ok_or(Errno::EFBIG)?;
        let numbers = offset / PAGE..end.div_ceil(PAGE);
        let there = self.pages.range(numbers.clone()).count() as u64;
        let missing = (numbers.end - numbers.start).saturating_sub(there);
        self.space.take_bytes(missing * PAGE)?;
        for number in numbers {
            let page = self.pages.entry(number);
            page.or_insert_with(|| vec![0; PAGE as usize].into_boxed_slice());
        }
        if !keep_size {
            self.size = self.size.max(end);
        }
        Ok(())
    }

    /// The range reads as zeros from now on. What there is in memory stays there.
    pub(crate) fn fill_with_zeros(&mut self, offset: u64, len: u64) {
        let end = offset.saturating_add(len);
        for (number, page) in self.pages.range_mut(offset / PAGE..end.div_ceil(PAGE)) {
            let start = number * PAGE;
            let (from, to) = (start.max(offset), (start + PAGE).min(end));
            page[(from - start) as usize..(to - start) as usize].fill(0);
        }
    }

    /// The range reads as zeros from now on, and the pages that are all in it are given back.
    pub(crate) fn punch_hole(&mut self, offset: u64, len: u64) {
        self.fill_with_zeros(offset, len);
        let whole = offset.div_ceil(PAGE)..offset.saturating_add(len) / PAGE;
        let before = self.pages.len();
        self.pages.retain(|number, _| !whole.contains(number));
        let given_back = (before - self.pages.len()) as u64;
        self.space.give_bytes(given_back * PAGE);
    }

    /// Cuts the file off, or makes it longer by a hole.
    pub(crate) fn truncate(&mut self, size: u64) -> Result<()> {
        if size > MAX_SIZE {
            return Err(Errno::EFBIG);
        }
        // Cutting off nothing gives back what was reserved behind the end.
        if size <= self.size {
            let gone = self.pages.split_off(&size.div_ceil(PAGE));
            self.space.give_bytes(gone.len() as u64 * PAGE);
            if let Some(last) = self.pages.get_mut(&(size / PAGE)) {
                last[(size % PAGE) as usize..].fill(0);
            }
        }
        self.size = size;
        Ok(())
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        self.space.give_bytes(self.allocated());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(pages: u64) -> (Contents, Arc<Space>) {
        let space = Arc::new(Space::new(pages * PAGE, 0));
        (Contents::new(&space), space)
    }

    #[test]
    fn holes_read_as_zeros_and_take_no_space() {
        let (mut file, _) = contents(2);
        assert_eq!(file.write(3 * PAGE - 1, b"ab"), Ok(2));
        assert_eq!(file.size(), 3 * PAGE + 1);
        assert_eq!(file.allocated(), 2 * PAGE);
        let all = file.read(0, 1 << 20);
        assert_eq!(all.len() as u64, file.size());
        assert!(all[..all.len() - 2].iter().all(|&byte| byte == 0) && all.ends_with(b"ab"));
        assert_eq!(file.read(3 * PAGE, 10), b"b");
        assert!(file.read(3 * PAGE + 1, 10).is_empty() && file.read(u64::MAX, 10).is_empty());
    }

    #[test]
    fn what_was_cut_off_does_not_come_back() {
        let (mut file, space) = contents(0);
        file.write(0, &[1; 3 * PAGE as usize]).unwrap();
        file.truncate(PAGE + 10).unwrap();
        assert_eq!(file.allocated(), 2 * PAGE);
        file.truncate(3 * PAGE).unwrap();
        assert_eq!(file.read(PAGE, 12), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
        assert_eq!(file.read(2 * PAGE, 1), [0]);
        file.truncate(PAGE).unwrap();
        assert_eq!(file.allocated(), PAGE);
        drop(file);
        assert_eq!(space.statvfs().bfree, space.statvfs().blocks);
    }

    #[test]
    fn reserved_space_is_there_when_it_is_needed() {
        let (mut file, space) = contents(4);
        file.write(PAGE, b"x").unwrap();
        assert_eq!(file.allocate(PAGE / 2, 2 * PAGE, false), Ok(()));
        assert_eq!(
            (file.size(), file.allocated()),
            (2 * PAGE + PAGE / 2, 3 * PAGE)
        );
        assert_eq!(file.read(PAGE, 2), [b'x', 0]);
        // All or nothing.
        assert_eq!(file.allocate(0, 9 * PAGE, true), Err(Errno::ENOSPC));
        assert_eq!(file.allocated(), 3 * PAGE);
        assert_eq!(file.allocate(5 * PAGE, PAGE, true), Ok(()));
        assert_eq!(
            (file.size(), space.statvfs().bfree),
            (2 * PAGE + PAGE / 2, 0)
        );
        assert_eq!(file.write(5 * PAGE, b"y"), Ok(1));
        assert_eq!(file.write(4 * PAGE, b"y"), Err(Errno::ENOSPC));
        assert_eq!(file.allocate(MAX_SIZE, 1, true), Err(Errno::EFBIG));
    }

    #[test]
    fn truncation_gives_back_what_is_behind_the_end() {
        let (mut file, _) = contents(2);
        file.write(0, b"x").unwrap();
        file.allocate(PAGE, PAGE, true).unwrap();
        assert_eq!((file.size(), file.allocated()), (1, 2 * PAGE));
        file.truncate(2).unwrap();
        assert_eq!(file.allocated(), 2 * PAGE);
        file.truncate(2).unwrap();
        assert_eq!((file.size(), file.allocated()), (2, PAGE));
        assert_eq!(file.read(0, 9), [b'x', 0]);
    }

    #[test]
    fn holes_are_zeros_and_give_their_pages_back() {
        let (mut file, space) = contents(4);
        file.write(0, &[1; 4 * PAGE as usize]).unwrap();
        file.punch_hole(PAGE - 1, 2 * PAGE + 2);
        assert_eq!((file.size(), file.allocated()), (4 * PAGE, 2 * PAGE));
        assert_eq!(space.statvfs().bfree, 2);
        let all = file.read(0, 1 << 20);
        let ones = |range: std::ops::Range<u64>| {
            let part = &all[range.start as usize..range.end as usize];
            part.iter().filter(|&&byte| byte == 1).count() as u64
        };
        assert_eq!(ones(0..PAGE - 1), PAGE - 1);
        assert_eq!(ones(PAGE - 1..3 * PAGE + 1), 0);
        assert_eq!(ones(3 * PAGE + 1..4 * PAGE), PAGE - 1);
        file.fill_with_zeros(3 * PAGE, PAGE);
        assert_eq!(
            (file.read(3 * PAGE, 2), file.allocated()),
            (vec![0; 2], 2 * PAGE)
        );
        file.punch_hole(0, u64::MAX);
        assert_eq!((file.size(), file.allocated()), (4 * PAGE, 0));
    }

    #[test]
    fn data_and_holes_are_found() {
        let (mut file, _) = contents(0);
        assert_eq!((file.next_data(0), file.next_hole(0)), (None, None));
        file.truncate(8 * PAGE + 5).unwrap();
        assert_eq!((file.next_data(0), file.next_hole(7)), (None, Some(7)));
        file.write(2 * PAGE, &[1; 2 * PAGE as usize]).unwrap();
        file.write(8 * PAGE, b"x").unwrap();
        for (offset, data, hole) in [
            (0, Some(2 * PAGE), Some(0)),
            (2 * PAGE, Some(2 * PAGE), Some(4 * PAGE)),
            (3 * PAGE + 9, Some(3 * PAGE + 9), Some(4 * PAGE)),
            (4 * PAGE, Some(8 * PAGE), Some(4 * PAGE)),
            (8 * PAGE + 4, Some(8 * PAGE + 4), Some(8 * PAGE + 5)),
            (8 * PAGE + 5, None, None),
            (u64::MAX, None, None),
        ] {
            assert_eq!(
                (file.next_data(offset), file.next_hole(offset)),
                (data, hole),
                "{offset}"
            );
        }
        file.allocate(20 * PAGE, PAGE, true).unwrap();
        assert_eq!(file.next_data(9 * PAGE), None);
    }

    #[test]
    fn a_write_stops_where_the_space_ends() {
        let (mut file, _) = contents(2);
        assert_eq!(
            file.write(PAGE / 2, &[7; 4 * PAGE as usize]),
            Ok(2 * PAGE as usize - 2048)
        );
        assert_eq!(file.size(), 2 * PAGE);
        assert_eq!(file.write(2 * PAGE, b"x"), Err(Errno::ENOSPC));
        assert_eq!(file.write(0, b"x"), Ok(1));
        file.truncate(PAGE).unwrap();
        assert_eq!(file.write(9 * PAGE, b"x"), Ok(1));
    }

    #[test]
    fn the_largest_file_has_no_byte_behind_it() {
        let (mut file, _) = contents(1);
        assert_eq!(file.truncate(MAX_SIZE), Ok(()));
        assert_eq!(file.truncate(MAX_SIZE + 1), Err(Errno::EFBIG));
        assert_eq!(file.write(MAX_SIZE, b"x"), Err(Errno::EFBIG));
        assert_eq!(file.write(MAX_SIZE - 1, b"x"), Ok(1));
        assert_eq!(file.read(MAX_SIZE - 2, 10), [0, b'x']);
    }
}
