//! The SQLite file of the embedded profile.

use std::path::Path;

use bytesize::ByteSize;

use super::{
    Site,
    aside::aside,
    disk::{Volume, existing},
    finding::Finding,
};
use clawpool_backends::backend::sqlite::inspect::{self, Inspection};
use clawpool_core::config::Profile;

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let config = match site.config() {
        Ok(config) => config,
        Err(skipped) => return vec![skipped],
    };
    if config.profile != Profile::Embedded {
        return vec![Finding::skipped("the profile is cluster, which has no file")];
    }
    let path = inspect::path(config);
    let looked = aside(move || look(&path)).await;
    looked.unwrap_or_else(|| vec![Finding::skipped("this system has no thread to look with")])
}

fn look(path: &Path) -> Vec<Finding> {
    let mut findings = match inspect::inspect(path) {
        Ok(Some(seen)) => judge(&seen),
        Ok(None) => vec![absent(path)],
        Err(error) => vec![Finding::error_with_its_fix(&error.to_string()).with_code("CP-1301")],
    };
    findings.extend(Volume::of(path).and_then(|volume| shared(path, &volume)));
    findings
}

fn absent(path: &Path) -> Finding {
    let folder = existing(path);
    let shown = path.display();
    if std::fs::metadata(&folder).is_ok_and(|folder| folder.permissions().readonly()) {
        let text = format!("{shown} is not there, and {} is read-only", folder.display());
        return Finding::error(text, "set embedded.data to a folder that this user can write");
    }
    Finding::ok(format!("{shown} is not there yet; the first start makes it"))
}

/// SQLite's locks and shared memory do not hold there.
fn shared(path: &Path, volume: &Volume) -> Option<Finding> {
    let kind = volume.network.as_ref()?;
    let text =
        format!("{} is on a network filesystem ({kind}), where SQLite damages its files", path.display());
    Some(Finding::error(text, "set embedded.data to a folder on a disk of this machine"))
}

fn judge(seen: &Inspection) -> Vec<Finding> {
    /// A log that is never folded into its file: a reader that does not end, or a writer that was stopped.
    const LONG: u64 = 256 << 20;
    let path = seen.path.display();
    let Inspection { schema, known_schema, .. } = seen;
    let sizes = format!("{} and a log of {}", ByteSize::b(seen.size), ByteSize::b(seen.log_size));
    let mut findings = vec![Finding::ok(format!("{path} has schema {schema}, {sizes}"))];
    if schema > known_schema {
        let text =
            format!("{path} was written by a later version (schema {schema}, this one knows {known_schema})");
        findings.push(Finding::error(text, "update this program").with_code("CP-1304"));
    } else if schema < known_schema {
        let text = format!("{path} is of an earlier version (schema {schema} of {known_schema})");
        findings.push(Finding::warning(text, "the next start brings it up to date; keep a copy to go back"));
    }
    if let Some(why) = &seen.unwilling {
        findings.push(Finding::error_with_its_fix(why).with_code("CP-1306"));
    }
    if seen.log_size > LONG {
        let text = format!("the log {path}-wal is {} long and grows", ByteSize::b(seen.log_size));
        findings.push(Finding::warning(text, "end the program that keeps a query of the file open"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;

    #[test]
    fn each_trouble_of_a_file_is_found() {
        let good = Inspection {
            path: "clawpool.db".into(),
            schema: 9,
            known_schema: 9,
            journal: "wal".into(),
            size: 4096,
            log_size: 0,
            unwilling: None,
        };
        for (seen, status) in [
            (good.clone(), Status::Ok),
            (Inspection { schema: 10, ..good.clone() }, Status::Error),
            (Inspection { schema: 8, ..good.clone() }, Status::Warning),
            (Inspection { log_size: 1 << 30, ..good.clone() }, Status::Warning),
            (Inspection { unwilling: Some("it is read-only".into()), ..good }, Status::Error),
        ] {
            assert_eq!(
                judge(&seen).into_iter().map(|finding| finding.status).max(),
                Some(status),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn a_file_on_the_network_is_an_error() {
        let volume = Volume { free: 1 << 40, network: Some("nfs".into()) };
        assert!(shared(Path::new("a.db"), &volume).is_some());
        assert!(shared(Path::new("a.db"), &Volume { network: None, ..volume }).is_none());
    }
}
