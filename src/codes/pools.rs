use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "CP-1601",
        "Driver silent",
        "What starts and stops a pool's workers (the container engine, the Kubernetes API) does not answer.",
        "Check that it runs and that this program may talk to it. Until then the pool keeps its size.",
    ),
    (
        "CP-1602",
        "Driver cannot serve the pool",
        "What starts and stops a pool's workers answers that it cannot: no such service, image, program or right.",
        "Do what the message says, then run `clawpool config check`.",
    ),
];
