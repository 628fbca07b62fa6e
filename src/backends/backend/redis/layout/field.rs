//! How a value of a layout is read and written.

use bytes::{Buf, BufMut, Bytes};

use super::{code_of, state_of};
use clawpool_core::task::{Priority, ProcessId, State, TaskId, Timestamp};

/// A value that always takes the same number of bytes.
pub(crate) trait Value: Sized {
    const WIDTH: usize;
    /// The same for Lua's `struct`.
    const LUA: &'static str;
    /// None for bytes that are no such value, or too few.
    fn take(bytes: &mut impl Buf) -> Option<Self>;
    fn put(&self, bytes: &mut impl BufMut);
}

/// A field of a layout, as scripts are told of it.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) width: usize,
    pub(crate) lua: &'static str,
    pub(crate) is_flag: bool,
}

impl Field {
    pub(crate) fn of<V: Value + 'static>(name: &'static str) -> Self {
        let is_flag = std::any::TypeId::of::<V>() == std::any::TypeId::of::<bool>();
        Self { name, width: V::WIDTH, lua: V::LUA, is_flag }
    }
}

/// Declares a struct whose fields, in their order, are the layout.
macro_rules! layout {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident { $($(#[$why:meta])* $field:ident: $type:ty,)+ }) =>
    {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $visibility struct $name { $($(#[$why])* $visibility $field: $type,)+ }

        impl $name {
            $visibility const WIDTH: usize = 0 $(+ <$type as
            $crate::backend::redis::layout::field::Value>::WIDTH)+;

            fn fields() -> Vec<$crate::backend::redis::layout::field::Field> {
                vec![$($crate::backend::redis::layout::field::Field::of::<$type>(stringify!($field)),)+]
            }

            $visibility fn take(bytes: &mut impl bytes::Buf) -> Option<Self> {
                Some(Self { $($field: $crate::backend::redis::layout::field::Value::take(bytes)?,)+ })
            }

            $visibility fn put(&self, bytes: &mut impl bytes::BufMut) {
                $($crate::backend::redis::layout::field::Value::put(&self.$field, bytes);)+
            }
        }
    };
}
pub(crate) use layout;

/// Declares a struct whose fields, in their order, are values of any length.
macro_rules! values {
    ($(#[$doc:meta])* $visibility:vis struct $name:ident { $($(#[$why:meta])* $field:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        $visibility struct $name<V> { $($(#[$why])* $visibility $field: V,)+ }

        impl $name<bytes::Bytes> {
            $visibility fn take(bytes: &mut bytes::Bytes) -> Option<Self> {
                Some(Self { $($field: $crate::backend::redis::layout::field::take_value(bytes)?,)+ })
            }
        }

        impl<V: AsRef<[u8]>> $name<V> {
            $visibility fn width(&self) -> usize {
                0 $(+ $crate::backend::redis::layout::field::LENGTH + self.$field.as_ref().len())+
            }

            $visibility fn put(&self, bytes: &mut impl bytes::BufMut) {
                $($crate::backend::redis::layout::field::put_value(self.$field.as_ref(), bytes);)+
            }
        }

        impl $name<()> {
            const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];
        }
    };
}
pub(crate) use values;

/// What the length of a value of any length takes.
pub(crate) const LENGTH: usize = u32::WIDTH;

pub(crate) fn take_value(bytes: &mut Bytes) -> Option<Bytes> {
    let length = usize::try_from(u32::take(bytes)?).ok()?;
    (length <= bytes.len()).then(|| bytes.split_to(length))
}

pub(crate) fn put_value(value: &[u8], bytes: &mut impl BufMut) {
    // Far below this: see the limits of a task.
    (value.len() as u32).put(bytes);
    bytes.put_slice(value);
}

/// A value that is written as another one.
macro_rules! written_as {
    ($($type:ty as $other:ty: $from:expr, $into:expr;)+) => {
        $(impl Value for $type {
            const WIDTH: usize = <$other>::WIDTH;
            const LUA: &'static str = <$other>::LUA;

            fn take(bytes: &mut impl Buf) -> Option<Self> {
                let from: fn($other) -> Option<Self> = $from;
                from(<$other>::take(bytes)?)
            }

            fn put(&self, bytes: &mut impl BufMut) {
                let into: fn(&Self) -> $other = $into;
                into(self).put(bytes);
            }
        })+
    };
}

written_as! {
    State as char: state_of, |state| code_of(*state);
    bool as u8: |number| Some(number == 1), |flag| u8::from(*flag);
    Priority as u8: |number| Priority::from_index(number.into()), |priority| *priority as u8;
    Timestamp as u64: |number| Some(Timestamp::from_millis(number)), |time| time.as_millis();
    // No time is 0.
    Option<Timestamp> as u64: |number| Some((number > 0).then(|| Timestamp::from_millis(number))),
        |time| time.map_or(0, Timestamp::as_millis);
    TaskId as [u8; 16]: |id| Some(TaskId::from_bytes(id)), |id| *id.as_bytes();
    // No worker is all zeros.
    Option<ProcessId> as [u8; 16]: |id| Some((id != [0; 16]).then(|| ProcessId::from_bytes(id))),
        |worker| worker.map_or([0; 16], |worker| *worker.as_bytes());
}

/// A code of one letter, which Lua has as a text.
impl Value for char {
    const WIDTH: usize = 1;
    const LUA: &'static str = "c1";

    fn take(bytes: &mut impl Buf) -> Option<Self> {
        u8::take(bytes).map(char::from)
    }

    fn put(&self, bytes: &mut impl BufMut) {
        (*self as u8).put(bytes);
    }
}

impl Value for u8 {
    const WIDTH: usize = 1;
    const LUA: &'static str = "B";

    fn take(bytes: &mut impl Buf) -> Option<Self> {
        bytes.try_get_u8().ok()
    }

    fn put(&self, bytes: &mut impl BufMut) {
        bytes.put_u8(*self);
    }
}

impl Value for u32 {
    const WIDTH: usize = 4;
    const LUA: &'static str = "I4";

    fn take(bytes: &mut impl Buf) -> Option<Self> {
        bytes.try_get_u32().ok()
    }

    fn put(&self, bytes: &mut impl BufMut) {
        bytes.put_u32(*self);
    }
}

impl Value for u64 {
    const WIDTH: usize = 8;
    const LUA: &'static str = "I8";

    fn take(bytes: &mut impl Buf) -> Option<Self> {
        bytes.try_get_u64().ok()
    }

    fn put(&self, bytes: &mut impl BufMut) {
        bytes.put_u64(*self);
    }
}

impl Value for [u8; 16] {
    const WIDTH: usize = 16;
    const LUA: &'static str = "c16";

    fn take(bytes: &mut impl Buf) -> Option<Self> {
        let mut value = [0; 16];
        bytes.try_copy_to_slice(&mut value).ok()?;
        Some(value)
    }

    fn put(&self, bytes: &mut impl BufMut) {
        bytes.put_slice(self);
    }
}
