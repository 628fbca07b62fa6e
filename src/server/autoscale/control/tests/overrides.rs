use std::time::Duration;

use super::{fake::FakeCluster, *};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn overrides_are_of_one_pool_or_of_all_and_end() {
    let cluster = FakeCluster::new();
    Overrides::pause(&cluster, Some("a")).await.unwrap();
    Overrides::scale(&cluster, "b", 4, HOUR).await.unwrap();
    let overrides = Overrides::read(&cluster).await.unwrap();
    assert!(overrides.paused("a") && !overrides.paused("b") && !overrides.all_paused());
    assert_eq!((overrides.manual("a"), overrides.manual("b").map(|manual| manual.size)), (None, Some(4)));
    tokio::time::sleep(HOUR).await;
    assert_eq!(Overrides::read(&cluster).await.unwrap().manual("b"), None);
    Overrides::pause(&cluster, None).await.unwrap();
    Overrides::resume(&cluster, Some("a")).await.unwrap();
    assert!(Overrides::read(&cluster).await.unwrap().paused("a"), "all are paused");
    Overrides::resume(&cluster, None).await.unwrap();
    assert!(!Overrides::read(&cluster).await.unwrap().paused("a"));
}
