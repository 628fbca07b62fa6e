use crate::api::openapi::About;

pub(in crate::api) fn metrics() -> About {
    About::new("metrics", "Tells figures to Prometheus").answers_as(
        200,
        "text/plain",
        "Its text format, 0.0.4.",
    )
}
