//! The counters of this process, as the system sees them.

#[cfg(windows)]
pub use windows::Provider;

#[cfg(not(windows))]
pub use elsewhere::Provider;

#[cfg(not(windows))]
mod elsewhere {
    use std::io;

    use super::super::Reading;

    /// None is ever made: there are no such counters but on Windows.
    pub struct Provider(());

    impl Provider {
        pub fn start(_: &str) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn set(&self, _: &Reading) {}
    }
}

#[cfg(windows)]
#[allow(unsafe_code, reason = "the system's own calls; no library makes them")]
mod windows {
    use std::{
        io,
        sync::atomic::{AtomicU64, Ordering},
    };

    use windows::{
        Win32::{
            Foundation::HANDLE,
            System::Performance::{
                PERF_ATTRIB_BY_REFERENCE, PERF_COUNTER_INFO, PERF_COUNTERSET_INFO, PERF_COUNTERSET_INSTANCE,
                PERF_COUNTERSET_MULTI_INSTANCES, PERF_DETAIL_NOVICE, PERF_PROVIDER_CONTEXT,
                PerfCreateInstance, PerfDeleteInstance, PerfSetCounterRefValue, PerfSetCounterSetInfo,
                PerfStartProviderEx, PerfStopProvider,
            },
        },
        core::{GUID, HSTRING},
    };

    use super::super::{COUNTERS, PROVIDER, Reading, SET};

    const COUNT: usize = COUNTERS.len();

    type Values = [AtomicU64; COUNT];

    /// Counters that the system reads for as long as this is there.
    pub struct Provider {
        handle: HANDLE,
        instance: *mut PERF_COUNTERSET_INSTANCE,
        values: &'static Values,
    }

    // SAFETY: the handle and the instance belong to the process and not to a thread, and are used after
    // `start` by `drop` alone; the values are atomic.
    unsafe impl Send for Provider {}
    // SAFETY: as above; shared, only the values are reached.
    unsafe impl Sync for Provider {}

    /// What the system is told of the set: its head, and all counters after it.
    #[repr(C)]
    struct Template {
        set: PERF_COUNTERSET_INFO,
        counters: [PERF_COUNTER_INFO; COUNT],
    }

    impl Provider {
        /// `name` tells the counters of this process from those of others.
        pub fn start(name: &str) -> io::Result<Self> {
            let mut handle = HANDLE::default();
            let context = PERF_PROVIDER_CONTEXT {
                ContextSize: size_of::<PERF_PROVIDER_CONTEXT>() as u32,
                ..PERF_PROVIDER_CONTEXT::default()
            };
            // SAFETY: all three live through the call, which copies what it needs.
            done(unsafe {
                PerfStartProviderEx(&GUID::from_u128(PROVIDER), Some(&raw const context), &raw mut handle)
            })?;
            // The system may read them at any moment from now on, also while this ends: they stay for good.
            let values: &'static Values = Box::leak(Box::new([const { AtomicU64::new(0) }; COUNT]));
            let mut this = Self { handle, instance: std::ptr::null_mut(), values };
            this.describe()?;
            this.show(name)?;
            Ok(this)
        }

        fn describe(&self) -> io::Result<()> {
            let mut template = template();
            let size = size_of::<Template>() as u32;
            // SAFETY: the head is the template's first field, the size is that of head and counters together.
            done(unsafe { PerfSetCounterSetInfo(self.handle, (&raw mut template).cast(), size) })
        }

        fn show(&mut self, name: &str) -> io::Result<()> {
            let name = HSTRING::from(name);
            // SAFETY: the name lives through the call, which copies it.
            self.instance =
                unsafe { PerfCreateInstance(self.handle, &GUID::from_u128(SET), &name, std::process::id()) };
            if self.instance.is_null() {
                return Err(io::Error::last_os_error());
            }
            for (counter, value) in COUNTERS.iter().zip(self.values) {
                let address = std::ptr::from_ref(value).cast();
                // SAFETY: eight bytes, aligned, that are there until the process ends and are written as a
                // whole.
                done(unsafe { PerfSetCounterRefValue(self.handle, self.instance, counter.id, address) })?;
            }
            Ok(())
        }

        pub fn set(&self, reading: &Reading) {
            for (counter, value) in COUNTERS.iter().zip(self.values) {
                value.store((counter.value)(reading), Ordering::Relaxed);
            }
        }
    }

    impl Drop for Provider {
        fn drop(&mut self) {
            // SAFETY: both are this one's own, and nobody uses them any more.
            unsafe {
                if !self.instance.is_null() {
                    PerfDeleteInstance(self.handle, self.instance);
                }
                PerfStopProvider(self.handle);
            }
        }
    }

    fn template() -> Template {
        let counters = COUNTERS.map(|counter| PERF_COUNTER_INFO {
            CounterId: counter.id,
            Type: counter.shape.code(),
            Attrib: PERF_ATTRIB_BY_REFERENCE,
            Size: size_of::<u64>() as u32,
            DetailLevel: PERF_DETAIL_NOVICE.0,
            Scale: 0,
            // The system's to find.
            Offset: 0,
        });
        let set = PERF_COUNTERSET_INFO {
            CounterSetGuid: GUID::from_u128(SET),
            ProviderGuid: GUID::from_u128(PROVIDER),
            NumCounters: COUNT as u32,
            InstanceType: PERF_COUNTERSET_MULTI_INSTANCES,
        };
        Template { set, counters }
    }

    fn done(code: u32) -> io::Result<()> {
        if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_system_takes_the_counters_and_the_values_are_where_it_looks() {
            let provider = Provider::start("test").unwrap();
            provider.set(&Reading { workers: 7, llm_ended: 3, ..Reading::default() });
            let values: Vec<u64> =
                provider.values.iter().map(|value| value.load(Ordering::Relaxed)).collect();
            assert_eq!(values, [7, 0, 0, 0, 0, 0, 0, 0, 3]);
        }

        #[test]
        fn the_counters_lie_directly_behind_their_head() {
            assert_eq!(std::mem::offset_of!(Template, counters), size_of::<PERF_COUNTERSET_INFO>());
        }
    }
}
