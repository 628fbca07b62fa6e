use std::time::Duration;

use super::*;
use clawpool_backends::store::testing::TestStore;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn overrides_are_of_one_pool_or_of_all_and_end() {
    let store = TestStore::default();
    Overrides::pause(&store, Some("a")).await.unwrap();
    Overrides::scale(&store, "b", 4, HOUR).await.unwrap();
    let overrides = Overrides::read(&store).await.unwrap();
    assert!(overrides.paused("a") && !overrides.paused("b") && !overrides.all_paused());
    assert_eq!((overrides.manual("a"), overrides.manual("b").map(|manual| manual.size)), (None, Some(4)));
    tokio::time::sleep(HOUR).await;
    assert_eq!(Overrides::read(&store).await.unwrap().manual("b"), None);
    Overrides::pause(&store, None).await.unwrap();
    Overrides::resume(&store, Some("a")).await.unwrap();
    assert!(Overrides::read(&store).await.unwrap().paused("a"), "all are paused");
    Overrides::resume(&store, None).await.unwrap();
    assert!(!Overrides::read(&store).await.unwrap().paused("a"));
}
