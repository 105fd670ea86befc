//! Access control lists, as the kernel has them in extended attributes.

/// The attribute with the list that counts for access.
pub(crate) const ACCESS: &str = "system.posix_acl_access";

/// A list for a file with these permissions that gives one more user permissions of its own.
pub(crate) fn list(mode: u16, user: u32, permissions: u16) -> Vec<u8> {
    const NO_ID: u32 = u32::MAX;
    let [of_owner, of_group, of_others] = [6, 3, 0].map(|shift| mode >> shift & 7);
    // Tag, permissions, id: the owner, the user, the group, the mask, all others.
    let entries = [
        (0x01_u16, of_owner, NO_ID),
        (0x02, permissions, user),
        (0x04, of_group, NO_ID),
        (0x10, of_group, NO_ID),
        (0x20, of_others, NO_ID),
    ];
    let version = 2_u32.to_le_bytes();
    let mut bytes = version.to_vec();
    for (tag, permissions, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}
