/// Whether the system knows the counters' names, without which nobody sees them; none where it has no such
/// counters.
#[cfg(windows)]
pub fn is_registered() -> Option<bool> {
    /// Where it keeps what `lodctr` registers.
    const PROVIDERS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Perflib\_V2Providers";
    let key = format!(r"{PROVIDERS}\{}", super::provider());
    Some(windows_registry::LOCAL_MACHINE.open(key).is_ok())
}

#[cfg(not(windows))]
pub const fn is_registered() -> Option<bool> {
    None
}
