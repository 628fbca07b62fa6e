use std::time::Duration;

use super::{world::World, *};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn wishes_are_of_one_pool_or_of_all_and_end() {
    let world = World::new();
    Wishes::pause(&world, Some("a")).await.unwrap();
    Wishes::scale(&world, "b", 4, HOUR).await.unwrap();
    let wishes = Wishes::read(&world).await.unwrap();
    assert!(wishes.paused("a") && !wishes.paused("b") && !wishes.all_paused());
    assert_eq!((wishes.manual("a"), wishes.manual("b").map(|manual| manual.size)), (None, Some(4)));
    tokio::time::sleep(HOUR).await;
    assert_eq!(Wishes::read(&world).await.unwrap().manual("b"), None);
    Wishes::pause(&world, None).await.unwrap();
    Wishes::resume(&world, Some("a")).await.unwrap();
    assert!(Wishes::read(&world).await.unwrap().paused("a"), "all are paused");
    Wishes::resume(&world, None).await.unwrap();
    assert!(!Wishes::read(&world).await.unwrap().paused("a"));
}
