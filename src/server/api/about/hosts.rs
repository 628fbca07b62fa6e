use crate::api::openapi::About;

pub(in crate::api) fn list() -> About {
    About::new("list_hosts", "Lists the machines of live workers, and what they are doing")
        .answers(200, "The machines, by name.")
}
