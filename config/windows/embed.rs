//! The build script of the programs: `clawpool.exe` holds the names of its performance counters, from which
//! Windows reads them. On other systems there is nothing to do.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let strings = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/windows/clawpool.rc");
    println!("cargo:rerun-if-changed={strings}");
    // Of Windows itself, of MinGW, or llvm-rc.
    embed_resource::compile_for(strings, ["clawpool"], embed_resource::NONE).manifest_required()?;
    Ok(())
}
