use std::sync::Once;

/// Chooses the provider of TLS for this process, unless the program has chosen one. All that opens a
/// connection calls it.
pub fn install_tls() {
    static CHOSEN: Once = Once::new();
    CHOSEN.call_once(|| {
        // Fails only when the program has chosen one, which is just as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
