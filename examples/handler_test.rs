//! A test of a handler of one's own, without servers: `cargo test --example handler_test`.

use clawpool::{Context, ErrorClass, Failure, Handler, NewTask, OrFail, Payload, TestAttempt};

/// Adds up the numbers of a text such as `1 2 3`.
struct Sum;

#[async_trait::async_trait]
impl Handler for Sum {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        let text: String = context.payload()?;
        let mut sum = 0;
        for number in text.split_whitespace() {
            sum += number.parse::<u64>()?;
        }
        Payload::encode(&sum).or_fail(ErrorClass::Other)
    }
}

async fn sum(text: &str) -> Result<u64, Failure> {
    let task = NewTask::new("text.sum", Payload::encode(text)?);
    Ok(TestAttempt::of(task).run(&Sum).await?.decode()?)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    println!("{}", sum("1 2 3").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn numbers_are_added() {
        assert_eq!(sum("1 2 3").await, Ok(6));
    }

    #[tokio::test]
    async fn what_is_no_number_is_not_tried_again() {
        assert_eq!(sum("1 two").await.unwrap_err().class, ErrorClass::Validation);
    }
}
