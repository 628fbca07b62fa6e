use crate::api::openapi::About;

pub(in crate::api) fn show() -> About {
    About::new("examine", "Looks for what is wrong, as `clawpool doctor` does")
        .more("Asks every server, so that it takes some seconds where one of them is away.")
        .answers(200, "What each check found, and what to do.")
        .refuses([409])
}
