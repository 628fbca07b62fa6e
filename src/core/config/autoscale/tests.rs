use crate::config::tests::report;

#[test]
fn inv_9_policies_that_cannot_work_are_refused() {
    let text = r#"
[autoscale]
min = 5
max = 4
every = "0s"

[autoscale.target]
busy = 170

[autoscale.forecast]
above = 0.5
step = "10m"
seasons = ["1day", "30days"]

[[autoscale.policies]]
name = "never"
metric = "cpu"
above = 100
add = 1

[[autoscale.policies]]
name = "never"
metric = "cpu"
below = 0
remove = 0

[[autoscale.policies]]
name = "wrong way"
metric = "queue"
above = 10
remove = 1

[[autoscale.policies]]
name = "undecided"
metric = "cpu"

[[autoscale.policies]]
name = "up"
metric = "busy"
above = 40
add = 1

[[autoscale.policies]]
name = "down"
metric = "busy"
below = 50
remove = 1
"#;
    insta::assert_snapshot!(report(text));
}

#[test]
fn an_unknown_metric_is_named() {
    let text = "[[autoscale.policies]]\nname='a'\nmetric='cpuu'\nabove=1\nadd=1";
    let refused = report(text);
    assert!(
        refused.contains("autoscale.policies[0].metric = \"cpuu\"")
            && refused.contains("did you mean \"cpu\"?"),
        "{refused}"
    );
}
