//! Sizes as people write them, without rounding: `"256 KiB"`, `"1000 B"`, or a number of bytes.

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = size.as_u64();
    let units = [(bytesize::GIB, "GiB"), (bytesize::MIB, "MiB"), (bytesize::KIB, "KiB")];
    let unit = units.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    let (unit, name) = unit.unwrap_or((1, "B"));
    serializer.collect_str(&format_args!("{} {name}", bytes / unit))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    ByteSize::deserialize(deserializer)
}
