use crate::api::openapi::About;

pub(in crate::api) fn show() -> About {
    About::new("show_access", "Says what the caller may do").answers(200, "What the token allows.")
}
