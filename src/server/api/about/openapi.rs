use crate::api::openapi::About;

pub(in crate::api) fn json() -> About {
    let answer = "The document.";
    About::new("openapi", "Tells this document").answers_as(200, "application/json", answer)
}

pub(in crate::api) fn read() -> About {
    About::new("docs", "A page to read this document").answers_as(200, "text/html", "The page.")
}
