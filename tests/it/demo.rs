use crate::support::Cli;

#[tokio::test]
async fn inv_1_the_demo_kills_a_worker_and_loses_nothing() {
    let said = Cli::new("http://127.0.0.1:1").run(&["demo", "--tasks", "300"]).await;
    println!("{}", said.out);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("killed worker process"), "{}", said.err);
    for part in ["priority", "wait p99", "\nlost       0\n", "1 poison", "the ledger balances"] {
        assert!(said.out.contains(part), "no {part:?} in {}", said.out);
    }
}

#[tokio::test]
async fn the_demo_reports_in_json() {
    let report = Cli::new("http://127.0.0.1:1").json(&["demo", "--tasks", "100"]).await;
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 7, "{report}");
    assert!(rows.iter().all(|row| row["lost"] == 0), "{report}");
    assert_eq!(report["dead"]["poison"], 1, "{report}");
}
