//! The statements of docs/engines/datafusion.md run.

use crate::Lake;

const PAGE: &str = include_str!("../../../docs/engines/datafusion.md");

#[tokio::test]
async fn the_statements_of_the_page_run_in_their_order() {
    let lake = Lake::new();
    let blocks = PAGE.split("```sql\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let statements: Vec<String> = blocks
        .flat_map(|block| block.split(';'))
        .map(|statement| statement.trim().replace("'lake/", "'{lake}/"))
        .filter(|statement| !statement.is_empty())
        .collect();
    assert!(statements.len() > 5);
    for statement in &statements {
        lake.run(statement).await;
    }
    assert_eq!(lake.rows("weather").await, 2);
    assert!(lake.files("by_day")[0].starts_with("station_id=EWR/date=2013-01-01/"));
    assert_eq!(
        lake.number("SELECT count(*) FROM weather WHERE station_id IS NULL")
            .await,
        1
    );
}
